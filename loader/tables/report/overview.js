// The charts of all batteries together.

function drawFade() {
  chart("chart-fade", (width) => {
    const share = state.measure === "%";
    const lines = batteryLines((life, battery) =>
      share ? life.capacity.map((q) => (q == null ? null : 100 * q / battery.nominal_capacity)) : life.capacity);
    const ends = share ? [80] : [...new Set(lines.shown.map((n) => batteries[n].end_of_life_capacity))];
    const limit = ends.length === 1 && ends[0] != null ? ends[0] : null;
    const range = span(lines.y, { include: limit == null ? [] : [limit] });
    if (!range) return "No battery has a discharge capacity.";
    const unit = share ? "%" : "Ah";
    return {
      height: Math.round(Math.max(300, Math.min(520, width * 0.42))), marginLeft: 44,
      x: cycleAxis("Cycle number", width / 110),
      y: axis(share ? "Discharge capacity, % of nominal" : "Discharge capacity, Ah", { domain: range.domain, grid: true, labelAnchor: "top" }),
      marks: [
        limit == null ? null : Plot.ruleY([limit], { stroke: "var(--alert)", strokeDasharray: "2 3" }),
        lineMark(lines),
        Plot.ruleY([range.domain[0]], { stroke: "var(--quiet)" }),
      ],
      outside: range.outside,
      after: (svg) => {
        nameLines(svg, lines.shown);
        if (limit != null) svg.after(element("figcaption", { class: "note" }, "Dotted: end of life, 80 % of nominal capacity."));
      },
      hits: lineHits(lines, (value) => `${plain(share ? 1 : 3)(value)} ${unit}`),
    };
  });
}

function lineHits({ x, y, z }, text) {
  const hits = [];
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(y[i])) continue;
    const battery = batteries[z[i]];
    hits.push({
      x: x[i], y: y[i], battery: z[i],
      text: () => [battery.barcode, battery.protocol ?? "no protocol", lifeText(battery), `cycle ${whole(x[i])}: ${text(y[i])}`],
    });
  }
  return hits;
}

function drawTrend(id, values, label, digits, unit, none) {
  chart(id, (width) => {
    const lines = batteryLines(values);
    const range = span(lines.y);
    if (!range) return none;
    return {
      height: 280, marginLeft: 44,
      x: cycleAxis("Cycle number", width / 90),
      y: axis(label, { domain: range.domain, grid: true, ticks: 6 }),
      marks: [lineMark(lines), Plot.ruleY([range.domain[0]], { stroke: "var(--quiet)" })],
      outside: range.outside,
      after: (svg) => nameLines(svg, lines.shown),
      hits: lineHits(lines, (value) => `${plain(digits)(value)} ${unit}`),
    };
  });
}

// The band of all batteries or, once one is shown alone, of that one before it.
function drawTemperature() {
  chart("chart-temperature", (width) => {
    const all = data.temperatures;
    const life = state.alone == null ? null : data.lives[state.alone];
    const own = life ? life.cycle.map((cycle, i) => ({
      cycle, coldest: life.coldest[i], temperature: life.temperature[i], hottest: life.hottest[i],
    })).filter((row) => row.temperature != null) : [];
    const range = span([...all, ...own].flatMap((row) => [row.coldest, row.hottest]));
    if (!range) return "No battery has a temperature.";
    const band = (rows, colour, opacity) => [
      Plot.areaY(rows, { x: "cycle", y1: "coldest", y2: "hottest", fill: colour, fillOpacity: opacity, clip: true }),
      Plot.lineY(rows, { x: "cycle", y: "temperature", stroke: colour, strokeWidth: rows.length > 1 ? 1.6 : 5, strokeLinecap: "round", clip: true }),
    ];
    const rows = own.length ? own : all;
    return {
      height: 280, marginLeft: 44,
      x: cycleAxis("Cycle number", width / 90),
      y: axis("Cell temperature, °C", { domain: range.domain, grid: true, ticks: 6 }),
      marks: [
        ...band(all, own.length ? "var(--quiet)" : "var(--accent)", own.length ? 0.12 : 0.22),
        ...(own.length ? band(own, "var(--accent)", 0.28) : []),
        Plot.ruleY([range.domain[0]], { stroke: "var(--quiet)" }),
      ],
      outside: range.outside,
      after: (svg) => svg.after(element("figcaption", { class: "note" }, own.length
        ? `${batteries[state.alone].barcode}: lowest to highest of each cycle, and its mean; all batteries behind.`
        : "Median of the cycles' means; the band runs from the 5th percentile of their lowest to the 95th of their highest.")),
      hits: rows.map((row) => ({
        x: row.cycle, y: row.temperature,
        text: () => [`about cycle ${whole(row.cycle)}`, `${plain(1)(row.coldest)} to ${plain(1)(row.hottest)} °C`, `middle ${plain(1)(row.temperature)} °C`],
      })),
    };
  });
}

const protocolCount = new Set(batteries.map((battery) => battery.protocol)).size;

function drawLives() {
  chart("chart-lives", (width) => {
    const known = batteries.filter((battery) => battery.cycle_life != null);
    if (!known.length) return "No battery has a cycle.";
    const bins = d3.bin().domain(d3.nice(0, Math.max(1, longest), 10))
      .thresholds(Math.min(24, Math.max(8, Math.ceil(2 * Math.sqrt(known.length)))))(known.map((battery) => battery.cycle_life));
    const bars = bins.flatMap(({ x0, x1 }) => [true, false].map((ended) => {
      const within = known.filter((battery) => battery.reached_end_of_life === ended
        && battery.cycle_life >= x0 && (battery.cycle_life < x1 || x1 === bins.at(-1).x1));
      return { x0, x1, ended, count: within.length };
    }));
    const tops = bins.map(({ x0, x1 }) => ({ x0, x1, bars: bars.filter((bar) => bar.x0 === x0 && bar.count) })).filter((bin) => bin.bars.length);
    const highest = d3.max(tops, (bin) => d3.sum(bin.bars, (bar) => bar.count));
    return {
      height: Math.max(300, Math.min(432, 66 + 22 * protocolCount)), marginLeft: 34,
      x: cycleAxis("Cycle life, cycles", width / 90),
      y: axis("Batteries", { grid: true, ticks: Math.min(5, highest), tickFormat: "d" }),
      marks: [
        Plot.rectY(bars.filter((bar) => bar.count), {
          x1: "x0", x2: "x1", y: "count", insetLeft: 1, insetRight: 1, strokeWidth: 1.4, stroke: "var(--accent)",
          fill: (bar) => (bar.ended ? "var(--accent)" : "var(--paper)"), order: (bar) => (bar.ended ? 0 : 1),
        }),
        Plot.ruleY([0], { stroke: "var(--quiet)" }),
      ],
      hits: tops.map((bin) => ({
        x: (bin.x0 + bin.x1) / 2, y: d3.sum(bin.bars, (bar) => bar.count) / 2,
        text: () => [`${whole(bin.x0)} to ${whole(bin.x1)} cycles`, ...bin.bars.map((bar) => `${bar.count} ${bar.ended ? "reached end of life" : "censored"}`)],
      })),
    };
  });
}

function drawProtocols() {
  chart("chart-protocols", (width) => {
    const known = batteries.map((battery, number) => ({ ...battery, number, key: battery.protocol ?? "" }))
      .filter((battery) => battery.cycle_life != null);
    if (!known.length) return "No battery has a cycle.";
    const rows = d3.sort(d3.rollups(known, (some) => d3.median(some, (one) => one.cycle_life), (one) => one.key), (row) => row[1]);
    const names = new Map(known.map((battery) => [battery.key, protocolName(battery)]));
    const letters = Math.floor(Math.min(34, width * 0.05));
    const longestName = d3.max(names.values(), (name) => Math.min(letters, name.length));
    return {
      height: 76 + 22 * rows.length, marginLeft: 14 + 6.9 * longestName, marginTop: 26,
      x: axis("Cycle life, cycles", { labelAnchor: "center", ticks: width / 110, domain: [0, longest * 1.04 || 1], grid: true, axis: null }),
      y: axis(null, { domain: rows.map((row) => row[0]), tickSize: 0, tickFormat: (key) => shorten(names.get(key), letters) }),
      marks: [
        Plot.axisX({ anchor: "top", ticks: width / 110, label: null }),
        Plot.axisX({ anchor: "bottom", ticks: width / 110, labelAnchor: "center", labelArrow: "none" }),
        Plot.tickX(rows, { x: "1", y: "0", stroke: "var(--quiet)", strokeWidth: 1.5, insetTop: 3, insetBottom: 3 }),
        Plot.dot(known, {
          x: "cycle_life", y: "key", r: 4, stroke: "var(--accent)", strokeWidth: 1.5,
          fill: (one) => (one.reached_end_of_life ? "var(--accent)" : "var(--paper)"),
        }),
      ],
      after: (svg) => {
        svg.querySelectorAll("g[data-mark='dot'] circle").forEach((dot, i) => {
          dot.dataset.battery = known[i].number;
          dot.classList.add("battery");
        });
        svg.after(element("figcaption", { class: "note" }, "A dot for each battery; the upright stroke is the protocol's median."));
      },
      hits: known.map((one) => ({
        x: one.cycle_life, y: one.key, battery: one.number,
        text: () => [one.barcode, one.protocol ?? "no protocol", lifeText(one)],
      })),
    };
  });
}

function drawOverview() {
  drawFade();
  drawLives();
  drawProtocols();
  drawTrend("chart-resistance", (life) => life.resistance, "Internal resistance, mΩ", 2, "mΩ", "No battery has an internal resistance.");
  drawTrend("chart-charging", (life) => life.charging, "Charge duration, min", 2, "min", "No battery has a charge duration.");
  drawTemperature();
}
