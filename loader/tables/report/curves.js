// The curves of the chosen battery, and of those beside it.

// The cycle of the battery nearest to the chosen one.
const cycleBeside = (cycles) => (cycles.size ? nearest([...cycles.keys()], state.cycle) : null);

// What is drawn: the chosen cycle of each battery compared or, of one battery, cycles through its life
// and the chosen one thick.
function curves(through = true) {
  if (state.cycle == null) return [];
  const mine = { battery: state.chosen, cycle: state.cycle, steps: own.get(state.cycle), colour: "var(--accent)", width: 2.4, chosen: true };
  if (state.compared.length) {
    const rest = others.map((cycles, i) => ({ battery: state.compared[i], cycle: cycleBeside(cycles), colour: `var(--c${(i + 1) % 6})`, width: 1.8 }));
    return [{ ...mine, colour: "var(--c0)", width: 1.8 }, ...rest.map((one, i) => ({ ...one, steps: others[i].get(one.cycle) })).filter((one) => one.steps)];
  }
  if (!through) return [mine];
  const whole_ = [...own.keys()].filter((cycle) => cycle > 0 && own.get(cycle).some((step) => step.charge === false));
  const spread = [...new Set(d3.range(8).map((k) => whole_[Math.round(k * (whole_.length - 1) / 7)]))].filter((cycle) => cycle != null && cycle !== state.cycle);
  return [...spread.map((cycle, i) => ({
    battery: state.chosen, cycle, steps: own.get(cycle), colour: ramp(spread.length > 1 ? i / (spread.length - 1) : 0), width: 1,
  })), mine];
}

const curveName = (curve) => state.compared.length ? `${batteries[curve.battery].barcode}, cycle ${whole(curve.cycle)}` : whole(curve.cycle);

function drawLegend(drawn) {
  find("#curve-legend").replaceChildren(...(drawn.length && !state.compared.length ? ["cycle "] : []),
    ...drawn.map((curve) => element("span", {}, element("i", { class: "swatch", style: `background: ${curve.colour}` }), curveName(curve))));
}

function drawCurves() {
  const drawn = curves();
  drawLegend(drawn);
  chart("chart-curves", (width) => {
    const points = drawn.flatMap((curve) => curve.steps.filter((step) => step.charge != null).flatMap((step) =>
      Array.from(step.voltage, (voltage, i) => ({ voltage, capacity: step.capacity[i], curve, charge: step.charge }))
        .filter((point) => Number.isFinite(point.voltage) && Number.isFinite(point.capacity))));
    if (!points.length) return "This battery has no curves.";
    const across = state.zoom.capacity ?? d3.extent(points, (point) => point.capacity);
    const near = points.filter(({ capacity }) => capacity >= across[0] && capacity <= across[1]);
    const domain = span(near.map((point) => point.voltage));
    if (!domain) return "No point lies in this stretch.";
    const beyond = near.filter(({ voltage }) => voltage < domain[0] || voltage > domain[1]);
    const line = (charge) => Plot.line(points.filter((point) => point.charge === charge), {
      x: "capacity", y: "voltage", z: "curve", stroke: { value: points.filter((point) => point.charge === charge).map((point) => point.curve.colour), scale: null },
      strokeWidth: ({ curve }) => (charge ? 0.7 * curve.width : curve.width), strokeDasharray: charge ? "3 2.5" : null, clip: true,
    });
    return {
      height: 330, marginLeft: 40, zoom: "capacity",
      x: axis("Capacity, Ah", { labelAnchor: "center", ticks: width / 70, domain: across }),
      y: axis("Voltage, V", { domain, grid: true, ticks: 7 }),
      marks: [line(true), line(false), edge(beyond, "capacity", "voltage", domain), Plot.ruleY([domain[0]], { stroke: "var(--quiet)" })],
      outside: beyond.length, note: "Full lines: discharge. Dashed: charge.",
      table: () => [["barcode", "cycle", "step", "capacity_Ah", "voltage_V"], points.map(({ curve, charge, capacity, voltage }) =>
        [batteries[curve.battery].barcode, curve.cycle, charge ? "charge" : "discharge", capacity, voltage])],
      hits: near.map((point) => ({
        x: point.capacity, y: clamp(point.voltage, domain),
        text: () => [`${batteries[point.curve.battery].barcode}, cycle ${whole(point.curve.cycle)}, ${point.charge ? "charge" : "discharge"}`, `${plain(3)(point.capacity)} Ah at ${plain(3)(point.voltage)} V`],
      })),
    };
  });
}

const edge = (beyond, x, y, domain) => Plot.dot(beyond, {
  x, y: (point) => clamp(point[y], domain), symbol: "triangle", r: 4, fill: "var(--alert)", stroke: "var(--paper)", strokeWidth: 0.7,
});

const BINS = 120, SIGMA = 1.5;

// Charge by voltage: what flows between two points is spread over the voltages between them, summed in
// bins, smoothed by a Gaussian of 1.5 bins, and divided by a bin's width.
function incremental({ voltage, capacity }) {
  const places = d3.range(voltage.length).filter((i) => Number.isFinite(voltage[i]) && Number.isFinite(capacity[i]));
  const sorted = Float64Array.from(places, (i) => voltage[i]).sort();
  const [low, high] = [0.005, 0.995].map((share) => d3.quantileSorted(sorted, share));
  if (places.length < 8 || !(low < high)) return null;
  const bin = (high - low) / BINS, sums = new Float64Array(BINS);
  for (const [i, j] of d3.pairs(places)) {
    const [from, to] = d3.extent([voltage[i], voltage[j]]).map((v) => (v - low) / bin), charge = Math.abs(capacity[j] - capacity[i]);
    for (let k = Math.max(0, Math.floor(from)); k < Math.min(BINS, Math.floor(to) + 1); k++) {
      sums[k] += charge * (to > from ? (Math.min(to, k + 1) - Math.max(from, k)) / (to - from) : 1);
    }
  }
  const kernel = d3.range(-5, 6).map((offset) => ({ offset, weight: Math.exp(-((offset / SIGMA) ** 2) / 2) }));
  const smooth = (_, k) => {
    const near = kernel.filter(({ offset }) => sums[k + offset] !== undefined);
    return d3.sum(near, ({ offset, weight }) => weight * sums[k + offset]) / d3.sum(near, ({ weight }) => weight) / bin;
  };
  return { voltage: d3.range(BINS).map((k) => low + (k + 0.5) * bin), slope: Array.from(sums, smooth), bin };
}

function drawIncremental() {
  chart("chart-incremental", (width) => {
    const charge = state.step === "charge";
    const found = curves().map((curve) => ({ curve, ...incremental(curve.steps.find((step) => step.charge === charge) ?? { voltage: [], capacity: [] }) }))
      .filter((one) => one.slope);
    if (!found.length) return `No ${state.step} of enough points.`;
    const points = found.flatMap(({ curve, voltage, slope }) => voltage.map((v, i) => ({ voltage: v, slope: slope[i], curve })));
    const across = state.zoom.voltage ?? d3.extent(points, (point) => point.voltage);
    const near = points.filter(({ voltage }) => voltage >= across[0] && voltage <= across[1]);
    if (!near.length) return "No point lies in this stretch.";
    const domain = [0, 1.05 * d3.max(near, (point) => point.slope) || 1];
    return {
      height: 330, marginLeft: 44, zoom: "voltage",
      x: axis("Voltage, V", { labelAnchor: "center", ticks: width / 70, domain: across }),
      y: axis("dQ/dV, Ah/V", { domain, grid: true, ticks: 6 }),
      marks: [
        Plot.line(points, { x: "voltage", y: "slope", z: "curve", stroke: { value: points.map((point) => point.curve.colour), scale: null }, strokeWidth: ({ curve }) => curve.width, clip: true }),
        Plot.ruleY([0], { stroke: "var(--quiet)" }),
      ],
      note: `Charge summed in bins of ${plain(1)(1000 * d3.mean(found, (one) => one.bin))} mV, smoothed by a Gaussian of ${SIGMA} bins (standard deviation); its size, whichever the direction.`,
      table: () => [["barcode", "cycle", "step", "voltage_V", "dQ_dV_Ah_per_V"], points.map(({ curve, voltage, slope }) => [batteries[curve.battery].barcode, curve.cycle, state.step, voltage, slope])],
      hits: near.map((point) => ({
        x: point.voltage, y: point.slope,
        text: () => [`${batteries[point.curve.battery].barcode}, cycle ${whole(point.curve.cycle)}`, `${plain(3)(point.slope)} Ah/V at ${plain(3)(point.voltage)} V`],
      })),
    };
  });
}

// Voltage, current and temperature of the chosen cycle against time, or in the order of the points
// where a file has no time.
function drawTime() {
  const drawn = curves(false), timed = drawn.every((curve) => curve.steps.some((step) => step.time.some(Number.isFinite)));
  const lines = (name) => drawn.map((curve) => {
    const points = curve.steps.filter((step) => timed || step.charge != null).flatMap((step) => Array.from(step[name], (y, i) => ({ x: step.time[i] / 60, y })));
    const kept = timed ? d3.sort(points.filter(({ x }) => Number.isFinite(x)), ({ x }) => x) : points.map(({ y }, i) => ({ x: i, y }));
    return { curve, battery: curve.battery, colour: curve.colour, x: kept.map(({ x }) => x), y: kept.map(({ y }) => y) };
  });
  const one = (id, name, label, unit, header) => chart(id, (width) => {
    const series = lines(name), placed = laidOut(series, "time", width);
    if (!placed) return `This cycle has no ${name}.`;
    return {
      height: 240, marginLeft: 46, zoom: "time",
      x: axis(timed ? "Time in the cycle, min" : "Point, charge before discharge", { labelAnchor: "center", ticks: width / 70, domain: placed.across }),
      y: axis(label, { domain: placed.up, grid: true, ticks: 5 }),
      marks: [...lineMarks(placed, 1.6), Plot.ruleY([placed.up[0]], { stroke: "var(--quiet)" })],
      outside: placed.outside,
      note: timed ? null : "These files have no time.",
      table: () => [["barcode", "cycle", timed ? "time_min" : "point", header], series.flatMap(({ curve, x, y }) => x.map((at, i) => [batteries[curve.battery].barcode, curve.cycle, at, y[i]]))],
      hits: placed.points.map(({ x, y, line }) => ({
        x, y: clamp(y, placed.up),
        text: () => [`${batteries[line.battery].barcode}, cycle ${whole(line.curve.cycle)}`, `${plain(3)(y)} ${unit}`, timed ? `at ${plain(2)(x)} min` : `point ${whole(x)}`],
      })),
    };
  });
  one("chart-voltage", "voltage", "Voltage, V", "V", "voltage_V");
  one("chart-current", "current", "Current, A", "A", "current_A");
  one("chart-heat", "temperature", "Temperature, °C", "°C", "temperature_degC");
}

const discharges = () => [...own].map(([cycle, steps]) => ({ cycle, step: steps.find((step) => step.charge === false) }))
  .filter(({ step }) => step && step.voltage.length > 1);

// The cycles to take a difference of; 100 and 10, as Severson et al. do, where the battery has them.
function offerCycles() {
  const cycles = discharges().map(({ cycle }) => cycle).filter((cycle) => cycle > 0);
  const fill = (id, wanted) => {
    find(id).replaceChildren(...cycles.map((cycle) => element("option", { value: cycle }, whole(cycle))));
    if (cycles.length) find(id).value = wanted;
  };
  const early = cycles.includes(10) ? 10 : cycles[0];
  fill("#earlier", early);
  fill("#later", cycles.includes(100) && early < 100 ? 100 : cycles.at(-1));
  find("#difference-controls").hidden = cycles.length < 2;
  const all = [...own.keys()];
  find("#cycle-range").max = Math.max(0, all.length - 1);
  find("#cycle-controls").hidden = !all.length;
  const total = batteries[state.chosen].cycles;
  find("#cycle-held").textContent = all.length < total ? `${whole(all.length)} of ${whole(total)} cycles have points on this page` : `all ${whole(all.length)} cycles are here`;
}

// Discharge capacity at any voltage within a curve, by straight lines between its points.
function capacityAt({ voltage, capacity }) {
  const order = d3.sort(d3.range(voltage.length).filter((i) => Number.isFinite(voltage[i]) && Number.isFinite(capacity[i])), (i) => voltage[i]);
  const at = d3.scaleLinear(order.map((i) => voltage[i]), order.map((i) => capacity[i]));
  return { low: voltage[order[0]], high: voltage[order.at(-1)], at };
}

function drawDifference() {
  chart("chart-difference", (width) => {
    const all = discharges();
    const [later, earlier] = ["#later", "#earlier"].map((id) => all.find(({ cycle }) => cycle === +find(id).value));
    if (!later || !earlier || later === earlier) return "A difference needs the discharges of two cycles.";
    const [one, other] = [later.step, earlier.step].map(capacityAt);
    const low = Math.max(one.low, other.low), high = Math.min(one.high, other.high);
    if (!(low < high)) return "The two discharges share no voltage.";
    const points = d3.range(201).map((i) => low + (high - low) * i / 200)
      .map((voltage) => ({ voltage, difference: one.at(voltage) - other.at(voltage) }));
    const [least, most] = d3.extent([0, ...points.map((point) => point.difference)]), air = 0.05 * (most - least || 1);
    const label = `Q(${whole(later.cycle)}) − Q(${whole(earlier.cycle)}), Ah`;
    return {
      height: 330, marginLeft: 52,
      x: axis("Voltage, V", { labelAnchor: "center", ticks: width / 70 }),
      y: axis(label, { domain: [least - air, most + air], grid: true, ticks: 6 }),
      marks: [
        Plot.areaY(points, { x: "voltage", y: "difference", fill: "var(--accent)", fillOpacity: 0.16 }),
        Plot.ruleY([0], { stroke: "var(--quiet)" }),
        Plot.line(points, { x: "voltage", y: "difference", stroke: "var(--accent)", strokeWidth: 1.8 }),
      ],
      note: `Variance of the difference ${power(d3.variance(points, (point) => point.difference))} Ah², the feature by which Severson et al. (2019) foretell life.`,
      table: () => [["voltage_V", "difference_Ah"], points.map((point) => [point.voltage, point.difference])],
      hits: points.map((point) => ({
        x: point.voltage, y: point.difference,
        text: () => [`${plain(4)(point.difference)} Ah`, `at ${plain(3)(point.voltage)} V`],
      })),
    };
  });
}

// All charts of the chosen cycle.
function drawCycle() {
  if (state.cycle != null) {
    find("#cycle").value = state.cycle;
    find("#cycle-range").value = [...own.keys()].indexOf(state.cycle);
  }
  drawCurves();
  drawIncremental();
  drawDifference();
  drawTime();
}
