// The chosen battery: its facts, its curves, the difference of two of them, its cycles.

const curvesOf = (charge) => (data.curves[state.chosen] ?? []).filter((curve) => curve.charge === charge);

function choose(number) {
  state.chosen = number;
  find("#choose").value = number;
  const battery = batteries[number];
  find("#chosen-barcode").textContent = battery.barcode;
  const ah = (value) => (value == null ? "–" : `${plain(3)(value)} Ah`);
  const cycles = (value) => (value == null ? "–" : whole(value));
  const facts = [
    ["Protocol", battery.protocol ?? "–"],
    ["Channel", battery.channel_id ?? "–"],
    ["Cell", battery.cell ?? "–"],
    ["Cycle life", battery.reached_end_of_life || battery.cycle_life == null ? cycles(battery.cycle_life) : `more than ${cycles(battery.cycle_life)}`],
    ["after Severson et al.", cycles(battery.cycle_life_severson)],
    ["after BEEP", cycles(battery.cycle_life_beep)],
    ["Cycles", cycles(battery.cycles)],
    ["Nominal capacity", ah(battery.nominal_capacity)],
    ["Last capacity", ah(battery.last_capacity)],
    ["Tested", `${day(battery.first_at)} to ${day(battery.last_at)}`],
    ["Runs", battery.superseded ? `${battery.runs}, ${battery.superseded} superseded` : battery.runs],
    ["Files", (battery.names ?? []).join(", ") || "–"],
  ];
  find("#chosen-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
  fillCycles();
  offerCycles();
  drawCurves();
  drawDifference();
  document.querySelectorAll("#all tbody tr").forEach((row) => row.classList.toggle("chosen-row", +row.dataset.battery === number));
}

function fillCycles() {
  const cells = (row) => [
    whole(row.cycle_index), day(row.date_time_iso), plain(4)(row.discharge_capacity), plain(4)(row.charge_capacity),
    plain(3)(row.discharge_energy), plain(3)(row.energy_efficiency), plain(2)(row.resistance), plain(1)(row.temperature_maximum),
    plain(2)(row.charging), row.paused == null ? "–" : row.paused ? "yes" : "no",
  ];
  const rows = (data.summaries[state.chosen] ?? []).map((row) => element("tr", {}, ...cells(row).map((text) => element("td", {}, text))));
  find("#cycles tbody").replaceChildren(...rows);
}

// Colours by place in life: the first cycle shown is the coolest, the last the hottest.
function curveColours() {
  const cycles = [...new Set((data.curves[state.chosen] ?? []).map((curve) => curve.cycle))];
  return new Map(cycles.map((cycle, i) => [cycle, ramp(cycles.length > 1 ? i / (cycles.length - 1) : 0)]));
}

function drawCurves() {
  const colours = curveColours();
  find("#curve-legend").replaceChildren(
    ...(colours.size ? ["cycle "] : []),
    ...[...colours].map(([cycle, colour]) => element("span", {}, element("i", { class: "swatch", style: `background: ${colour}` }), whole(cycle))));
  chart("chart-curves", (width) => {
    const curves = [...curvesOf(true), ...curvesOf(false)];
    if (!curves.length) return "This battery has no curves.";
    const points = curves.flatMap((curve) => curve.voltage.map((voltage, i) => ({ voltage, capacity: curve.capacity[i], curve })));
    const range = span(points.map((point) => point.voltage), { tail: 0.0005 });
    const line = (charge) => Plot.line(points.filter((point) => point.curve.charge === charge), {
      x: "capacity", y: "voltage", z: (point) => point.curve.cycle, stroke: (point) => colours.get(point.curve.cycle),
      strokeWidth: charge ? 1 : 1.7, strokeDasharray: charge ? "3 2.5" : null, clip: true,
    });
    return {
      height: 330, marginLeft: 40,
      x: axis("Capacity, Ah", { labelAnchor: "center", ticks: width / 70 }),
      y: axis("Voltage, V", { domain: range.domain, grid: true, ticks: 7 }),
      marks: [line(true), line(false), Plot.ruleY([range.domain[0]], { stroke: "var(--quiet)" })],
      outside: range.outside,
      after: (svg) => svg.after(element("figcaption", { class: "note" }, "Full lines: discharge. Dashed: charge.")),
      hits: points.map((point) => ({
        x: point.capacity, y: point.voltage,
        text: () => [`cycle ${whole(point.curve.cycle)}, ${point.curve.charge ? "charge" : "discharge"}`, `${plain(3)(point.capacity)} Ah at ${plain(3)(point.voltage)} V`],
      })),
    };
  });
}

// The cycles to take a difference of; 100 and 10, as Severson et al. do, where the battery has them.
function offerCycles() {
  const cycles = curvesOf(false).map((curve) => curve.cycle);
  const fill = (id, wanted) => {
    find(id).replaceChildren(...cycles.map((cycle) => element("option", { value: cycle }, whole(cycle))));
    if (cycles.length) find(id).value = wanted;
  };
  const early = cycles.includes(10) ? 10 : cycles[0];
  fill("#earlier", early);
  fill("#later", cycles.includes(100) && early < 100 ? 100 : cycles.at(-1));
  find("#difference-controls").hidden = cycles.length < 2;
}

// Discharge capacity at any voltage within a curve, by straight lines between its points.
function capacityAt(curve) {
  const order = d3.sort(d3.range(curve.voltage.length), (i) => curve.voltage[i]);
  const voltage = order.map((i) => curve.voltage[i]), capacity = order.map((i) => curve.capacity[i]);
  const at = d3.scaleLinear(voltage, capacity);
  return { low: voltage[0], high: voltage.at(-1), at };
}

function drawDifference() {
  chart("chart-difference", (width) => {
    const curves = curvesOf(false);
    if (curves.length < 2) return "A difference needs the discharges of two cycles.";
    const [later, earlier] = ["#later", "#earlier"].map((id) => curves.find((curve) => curve.cycle === +find(id).value));
    const [one, other] = [later, earlier].map(capacityAt);
    const low = Math.max(one.low, other.low), high = Math.min(one.high, other.high);
    if (!(low < high)) return "The two discharges share no voltage.";
    const points = d3.range(201).map((i) => low + (high - low) * i / 200)
      .map((voltage) => ({ voltage, difference: one.at(voltage) - other.at(voltage) }));
    const range = span(points.map((point) => point.difference), { include: [0], tail: 0 });
    return {
      height: 330, marginLeft: 52,
      x: axis("Voltage, V", { labelAnchor: "center", ticks: width / 70 }),
      y: axis(`Q(${whole(later.cycle)}) − Q(${whole(earlier.cycle)}), Ah`, { domain: range.domain, grid: true, ticks: 6 }),
      marks: [
        Plot.areaY(points, { x: "voltage", y: "difference", fill: "var(--accent)", fillOpacity: 0.16 }),
        Plot.ruleY([0], { stroke: "var(--quiet)" }),
        Plot.line(points, { x: "voltage", y: "difference", stroke: "var(--accent)", strokeWidth: 1.8 }),
      ],
      after: (svg) => svg.after(element("figcaption", { class: "note" },
        `Variance of the difference ${power(d3.variance(points, (point) => point.difference))} Ah², the feature by which Severson et al. (2019) foretell life.`)),
      hits: points.map((point) => ({
        x: point.voltage, y: point.difference,
        text: () => [`${plain(4)(point.difference)} Ah`, `at ${plain(3)(point.voltage)} V`],
      })),
    };
  });
}
