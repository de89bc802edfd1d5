// The charts of all batteries together.

const DASHED = "4 3";

// A line for each battery that the filters leave, of one measure over its cycles.
function measured(name, values = (value) => value) {
  const lines = [];
  for (const number of visible) {
    const measure = measureOf(number, name), battery = batteries[number];
    if (!measure) continue;
    const from = state.formation ? 0 : d3.bisectLeft(measure.cycle, 1);
    const [x, y] = [measure.cycle.subarray(from), values(measure.value.subarray(from), battery)];
    if (!x.length) continue;
    lines.push({ x, y, battery: number, colour: lifeColour(battery), dash: stateOf(battery) === "ended" ? null : DASHED, dots: x.length < 15 });
  }
  return lines;
}

function lineHits({ points, up }, text) {
  return points.map(({ x, y, line }) => {
    const battery = batteries[line.battery];
    return {
      x, y: clamp(y, up), battery: line.battery,
      text: () => [battery.barcode, battery.protocol ?? "no protocol", lifeText(battery), `cycle ${whole(x)}: ${text(y)}`],
    };
  });
}

const lineTable = (lines, header) => () => [["barcode", "cycle", header], lines.flatMap((line) =>
  Array.from(line.x, (x, i) => [batteries[line.battery].barcode, x, line.y[i]]))];

const lineWidth = (lines) => (lines.length > 40 ? 1 : 1.5);

// The cycles that decide a life and are a surprise: capacity recovers after them. Of the battery shown
// alone, all that decide.
function decidingMarks(up, across, share) {
  return [...visible].flatMap((number) => (data.deciding[number] ?? [])
    .filter((one) => one.capacity != null && (one.recovers || (state.alone && number === state.chosen)))
    .filter((one) => one.cycle >= across[0] && one.cycle <= across[1])
    .map((one) => ({ ...one, number, y: clamp(share ? 100 * one.capacity / batteries[number].nominal_capacity : one.capacity, up) })));
}

function drawFade() {
  chart("chart-fade", (width) => {
    const share = state.measure === "%";
    const lines = measured("capacity", (values, battery) => (share ? values.map((q) => 100 * q / battery.nominal_capacity) : values));
    const ends = share ? [80] : [...new Set(lines.map((line) => batteries[line.battery].end_of_life_capacity))];
    const limit = ends.length === 1 && ends[0] != null ? ends[0] : null;
    const drawn = laidOut(lines, "cycles", width, limit == null ? [] : [limit]);
    if (!drawn) return lines.length || visible.size ? "No battery has a discharge capacity here." : "No battery fits the filters.";
    const unit = share ? "%" : "Ah", marks = decidingMarks(drawn.up, drawn.across, share);
    return {
      height: Math.round(Math.max(300, Math.min(520, width * 0.42))), marginLeft: 44, zoom: "cycles",
      x: cycleAxis("Cycle number", width / 110, { domain: drawn.across }),
      y: axis(share ? "Discharge capacity, % of nominal" : "Discharge capacity, Ah", { domain: drawn.up, grid: true, labelAnchor: "top" }),
      marks: [
        limit == null ? null : Plot.ruleY([limit], { stroke: "var(--alert)", strokeDasharray: "2 3" }),
        ...lineMarks(drawn, lineWidth(lines)),
        Plot.dot(marks, { x: "cycle", y: "y", r: 5, stroke: "var(--ink)", strokeWidth: 1.3, className: "deciding" }),
        Plot.ruleY([drawn.up[0]], { stroke: "var(--quiet)" }),
      ],
      outside: drawn.outside,
      after: (svg) => nameLines(svg, drawn),
      note: [limit == null ? "" : "Dotted: end of life, 80 % of nominal capacity.", "Grey and dashed: no end of life seen.",
        marks.length ? "Ringed: a cycle that decides a life by some definition." : ""].filter(Boolean).join(" "),
      table: lineTable(lines, share ? "discharge_capacity_percent_of_nominal" : "discharge_capacity_Ah"),
      hits: [
        ...marks.map((one) => ({ x: one.cycle, y: one.y, battery: one.number, text: () => [batteries[one.number].barcode, decidingText(one), `${plain(3)(one.capacity)} Ah`] })),
        ...lineHits(drawn, (value) => `${plain(share ? 1 : 3)(value)} ${unit}`),
      ],
    };
  });
}

function drawTrend(id, name, label, header, digits, unit, none) {
  chart(id, (width) => {
    const lines = measured(name);
    const drawn = laidOut(lines, "cycles", width);
    if (!drawn) return none;
    return {
      height: 280, marginLeft: 46, zoom: "cycles",
      x: cycleAxis("Cycle number", width / 90, { domain: drawn.across }),
      y: axis(label, { domain: drawn.up, grid: true, ticks: 6 }),
      marks: [...lineMarks(drawn, lineWidth(lines)), Plot.ruleY([drawn.up[0]], { stroke: "var(--quiet)" })],
      outside: drawn.outside,
      after: (svg) => nameLines(svg, drawn),
      table: lineTable(lines, header),
      hits: lineHits(drawn, (value) => `${plain(digits)(value)} ${unit}`),
    };
  });
}

// The band of all batteries or, once one is shown alone, of that one before it.
function drawTemperature() {
  chart("chart-temperature", (width) => {
    const all = data.temperatures.filter((row) => row.temperature != null);
    const [coldest, mean, hottest] = ["coldest", "temperature", "hottest"].map((name) => (state.alone ? measureOf(state.chosen, name) : null));
    const at = (measure) => { const map = new Map(); measure?.cycle.forEach((cycle, i) => map.set(cycle, measure.value[i])); return (cycle) => map.get(cycle); };
    const [lowest, highest] = [coldest, hottest].map(at);
    const own = Array.from(mean?.cycle ?? [], (cycle, i) => ({ cycle, coldest: lowest(cycle), temperature: mean.value[i], hottest: highest(cycle) }));
    const across = state.zoom.cycles ?? d3.extent([...all, ...own], (row) => row.cycle);
    const within = (rows) => rows.filter(({ cycle }) => cycle >= across[0] && cycle <= across[1]);
    const domain = span([...within(all), ...within(own)].flatMap((row) => [row.coldest, row.hottest]));
    if (!domain) return "No battery has a temperature here.";
    const band = (rows, colour, opacity) => [
      Plot.areaY(rows, { x: "cycle", y1: "coldest", y2: "hottest", fill: colour, fillOpacity: opacity, clip: true }),
      Plot.lineY(rows, { x: "cycle", y: "temperature", stroke: colour, strokeWidth: rows.length > 1 ? 1.6 : 5, strokeLinecap: "round", clip: true }),
    ];
    const rows = own.length ? own : all;
    return {
      height: 280, marginLeft: 46, zoom: "cycles",
      x: cycleAxis("Cycle number", width / 90, { domain: across }),
      y: axis("Cell temperature, °C", { domain, grid: true, ticks: 6 }),
      marks: [
        ...band(all, own.length ? "var(--quiet)" : "var(--accent)", own.length ? 0.12 : 0.22),
        ...(own.length ? band(own, "var(--accent)", 0.28) : []),
        Plot.ruleY([domain[0]], { stroke: "var(--quiet)" }),
      ],
      note: own.length
        ? `${batteries[state.chosen].barcode}: lowest to highest of each cycle, and its mean; all batteries behind.`
        : "Median of the cycles' means, all batteries; the band runs from the 5th percentile of their lowest to the 95th of their highest.",
      table: () => [["cycle", "lowest_degC", "mean_degC", "highest_degC"], rows.map((row) => [row.cycle, row.coldest, row.temperature, row.hottest])],
      hits: within(rows).map((row) => ({
        x: row.cycle, y: row.temperature,
        text: () => [`about cycle ${whole(row.cycle)}`, `${plain(1)(row.coldest)} to ${plain(1)(row.hottest)} °C`, `middle ${plain(1)(row.temperature)} °C`],
      })),
    };
  });
}

const withLife = () => [...visible].map((number) => ({ ...batteries[number], number, key: batteries[number].protocol ?? "" }))
  .filter((battery) => battery.cycle_life != null);
const lifeTable = (known) => () => [["barcode", "protocol", "cycle_life", "reached_end_of_life"],
  known.map((one) => [one.barcode, one.protocol, one.cycle_life, one.reached_end_of_life])];

function drawLives() {
  chart("chart-lives", (width) => {
    const known = withLife();
    if (!known.length) return "No battery here has a cycle life.";
    const bins = d3.bin().domain(d3.nice(0, Math.max(1, highestLife), 10))
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
          x1: "x0", x2: "x1", y: "count", insetLeft: 1, insetRight: 1, strokeWidth: 1.4,
          stroke: (bar) => (bar.ended ? "var(--accent)" : "var(--censored)"), strokeDasharray: (bar) => (bar.ended ? null : DASHED),
          fill: (bar) => (bar.ended ? "var(--accent)" : "var(--paper)"), order: (bar) => (bar.ended ? 0 : 1),
        }),
        Plot.ruleY([0], { stroke: "var(--quiet)" }),
      ],
      table: lifeTable(known),
      hits: tops.map((bin) => ({
        x: (bin.x0 + bin.x1) / 2, y: d3.sum(bin.bars, (bar) => bar.count) / 2,
        text: () => [`${whole(bin.x0)} to ${whole(bin.x1)} cycles`, ...bin.bars.map((bar) => `${bar.count} ${bar.ended ? "reached end of life" : "censored"}`)],
      })),
    };
  });
}

const protocolCount = new Set(batteries.map((battery) => battery.protocol)).size;

function drawProtocols() {
  chart("chart-protocols", (width) => {
    const known = withLife();
    if (!known.length) return "No battery here has a cycle life.";
    const rows = d3.sort(d3.rollups(known, (some) => d3.median(some, (one) => one.cycle_life), (one) => one.key), (row) => row[1]);
    const names = new Map(known.map((battery) => [battery.key, protocolName(battery)]));
    const letters = Math.floor(Math.min(34, width * 0.05));
    const longestName = d3.max(names.values(), (name) => Math.min(letters, name.length));
    return {
      height: 76 + 22 * rows.length, marginLeft: 14 + 6.9 * longestName, marginTop: 26,
      x: axis("Cycle life, cycles", { labelAnchor: "center", ticks: width / 110, domain: [0, highestLife * 1.04 || 1], grid: true, axis: null }),
      y: axis(null, { domain: rows.map((row) => row[0]), tickSize: 0, tickFormat: (key) => shorten(names.get(key), letters) }),
      marks: [
        Plot.axisX({ anchor: "top", ticks: width / 110, label: null }),
        Plot.axisX({ anchor: "bottom", ticks: width / 110, labelAnchor: "center", labelArrow: "none" }),
        Plot.tickX(rows, { x: "1", y: "0", stroke: "var(--quiet)", strokeWidth: 1.5, insetTop: 3, insetBottom: 3 }),
        Plot.dot(known, {
          x: "cycle_life", y: "key", r: 4, stroke: (one) => (one.reached_end_of_life ? "var(--accent)" : "var(--censored)"), strokeWidth: 1.5,
          fill: (one) => (one.reached_end_of_life ? "var(--accent)" : "var(--paper)"),
        }),
      ],
      after: (svg) => svg.querySelectorAll("g[data-mark='dot'] circle").forEach((dot, i) => {
        dot.dataset.battery = known[i].number;
        dot.classList.add("battery");
      }),
      note: "A dot for each battery; the upright stroke is the protocol's median of lives seen, censored ones with it.",
      table: lifeTable(known),
      hits: known.map((one) => ({
        x: one.cycle_life, y: one.key, battery: one.number,
        text: () => [one.barcode, one.protocol ?? "no protocol", lifeText(one)],
      })),
    };
  });
}

// The variance model of Severson et al. 2019: both logarithms in base 10, the fit of the batteries whose life is known.
function drawEarly() {
  chart("chart-early", (width) => {
    const known = withLife().filter((one) => data.early[one.number] != null && one.cycle_life > 0)
      .map((one) => ({ ...one, variance: data.early[one.number], life: Math.log10(one.cycle_life) }));
    const ended = known.filter((one) => one.reached_end_of_life);
    if (!known.length) return "No battery here has a life and the points of cycles 10 and 100.";
    const fitted = ended.length > 2;
    const [low, high] = d3.extent(known, (one) => one.life), up = [low - 0.06, high + 0.06];
    const ticks = [1, 10, 100, 1_000, 10_000].flatMap((ten) => [1, 1.5, 2, 3, 5, 7].map((digit) => Math.log10(ten * digit)));
    return {
      height: Math.round(Math.max(280, Math.min(420, width * 0.36))), marginLeft: 52,
      x: axis("log10 of the variance of ΔQ(V), Ah²", { labelAnchor: "center", ticks: width / 110, nice: true, grid: true }),
      y: axis("Cycle life, cycles", { domain: up, ticks: ticks.filter((log) => log > up[0] && log < up[1]), tickFormat: (log) => whole(10 ** log), grid: true, labelAnchor: "top" }),
      marks: [
        fitted ? Plot.linearRegressionY(ended, { x: "variance", y: "life", stroke: "var(--accent)", fill: "var(--accent)", fillOpacity: 0.1, strokeWidth: 1.5 }) : null,
        Plot.dot(known, {
          x: "variance", y: "life", r: 4, stroke: (one) => (one.reached_end_of_life ? "var(--accent)" : "var(--censored)"), strokeWidth: 1.5,
          fill: (one) => (one.reached_end_of_life ? "var(--accent)" : "var(--paper)"),
        }),
      ],
      after: (svg) => svg.querySelectorAll("g[data-mark='dot'] circle").forEach((dot, i) => {
        dot.dataset.battery = known[i].number;
        dot.classList.add("battery");
      }),
      note: fitted ? "" : "Fewer than three batteries here reached end of life: no fit.",
      table: () => [["barcode", "delta_q_log_variance", "cycle_life", "reached_end_of_life"],
        known.map((one) => [one.barcode, one.variance, one.cycle_life, one.reached_end_of_life])],
      hits: known.map((one) => ({
        x: one.variance, y: one.life, battery: one.number,
        text: () => [one.barcode, one.protocol ?? "no protocol", lifeText(one), `log variance ${plain(2)(one.variance)}`],
      })),
    };
  });
}

// All charts over cycles, which share a stretch of them.
function drawTrends() {
  drawFade();
  drawTrend("chart-resistance", "resistance", "Internal resistance, mΩ", "resistance_mohm", 2, "mΩ", "No battery has an internal resistance here.");
  drawTrend("chart-charging", "charging", "Charge duration, min", "charge_duration_min", 2, "min", "No battery has a charge duration here.");
  drawTemperature();
  drawTrend("chart-coulombic", "coulombic", "Discharged by charged, % of Ah", "coulombic_efficiency_percent", 2, "%", "No battery has both capacities here.");
  drawTrend("chart-energy", "energy", "Discharged by charged, % of Wh", "energy_efficiency_percent", 2, "%", "No battery has an energy efficiency here.");
  showStretch();
}

function drawOverview() {
  drawTrends();
  drawLives();
  drawProtocols();
  drawEarly();
}
