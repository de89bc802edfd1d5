// The chosen battery: its facts, its findings, its cycles, and those it is compared with.

const loaded = new Map();

// Points of a battery's cycles: by cycle, a list of steps, charge first.
function cyclesOf(number) {
  if (!loaded.has(number)) {
    loaded.set(number, inflated(`cycles-${number}`).then((steps) => {
      const unpack = ({ time, voltage, current, temperature, capacity, ...step }) => ({
        ...step, time: unpacked(time), voltage: unpacked(voltage), current: unpacked(current), temperature: unpacked(temperature), capacity: unpacked(capacity),
      });
      const order = (step) => (step.charge === true ? 0 : step.charge === false ? 1 : 2);
      return d3.group(d3.sort(steps.map(unpack), (step) => step.cycle, order), (step) => step.cycle);
    }));
  }
  return loaded.get(number);
}

let own = new Map(), others = [];  // cycles of the chosen battery, and of those beside it

async function choose(number, cycle = null) {
  state.chosen = number;
  state.compared = state.compared.filter((other) => other !== number);
  const beside = [...state.compared];
  const [mine, ...rest] = await Promise.all([number, ...beside].map(cyclesOf));
  if (state.chosen !== number || String(state.compared) !== String(beside)) return;
  [own, others] = [mine, rest];
  const there = [...own.keys()];
  state.cycle = there.length ? nearest(there, cycle ?? state.cycle ?? tellingCycle(number)) : null;
  if (state.zoomOf !== number) ["capacity", "voltage", "time"].forEach((key) => { delete state.zoom[key]; });
  state.zoomOf = number;
  describe(batteries[number], number);
  fillCycles();
  fillCompared();
  offerCycles();
  drawCycle();
  document.querySelectorAll("#all tbody tr").forEach((row) => row.classList.toggle("chosen-row", +row.dataset.battery === number));
  remember();
}

const nearest = (cycles, wanted) => cycles[d3.leastIndex(cycles, (cycle) => Math.abs(cycle - wanted))];

// A cycle with a finding, else one that decides a life and recovers, else 100.
const tellingCycle = (number) => data.findings[number]?.find((row) => row.cycle_index != null)?.cycle_index
  ?? data.deciding[number]?.find((one) => one.recovers)?.cycle ?? 100;

function describe(battery, number) {
  const ah = (value) => (value == null ? "–" : `${plain(3)(value)} Ah`);
  const cycles = (value) => (value == null ? "–" : whole(value));
  const life = { ended: cycles(battery.cycle_life), censored: `> ${cycles(battery.cycle_life)}, censored`, characterised: "none: too few full cycles", empty: "–" };
  find("#choose").value = number;
  find("#chosen-barcode").textContent = battery.barcode;
  const facts = [
    ["Protocol", battery.protocol ?? "–"],
    ["Channel", battery.channel_id ?? "–"],
    ["Cell", battery.cell ?? "–"],
    ["Cycle life", life[stateOf(battery)]],
    ["after Severson et al.", cycles(battery.cycle_life_severson)],
    ["after BEEP", cycles(battery.cycle_life_beep)],
    ["Cycles", battery.full_cycles < battery.cycles ? `${cycles(battery.cycles)}, ${cycles(battery.full_cycles)} of them full` : cycles(battery.cycles)],
    ["Nominal capacity", ah(battery.nominal_capacity)],
    ["Last full discharge", ah(battery.last_capacity)],
    ["Tested", `${day(battery.first_at)} to ${day(battery.last_at)}`],
    ["Runs", battery.superseded ? `${battery.runs}, ${battery.superseded} superseded` : battery.runs],
    ["Files", (battery.names ?? []).join(", ") || "–"],
  ];
  find("#chosen-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
  const toCycle = (cycle, text) => {
    const link = element("button", { type: "button", class: "plain" }, text);
    link.addEventListener("click", () => choose(state.chosen, cycle));
    return link;
  };
  const found = (data.findings[number] ?? []).map((row) => element("li", { class: "flag" },
    toCycle(row.cycle_index, [row.status === "warn" ? "warning" : row.status, row.cycle_index == null ? "" : `cycle ${whole(row.cycle_index)}`,
      row.column_name ? `${row.column_name} ${row.value}` : row.rest, row.bounds && `(bounds ${row.bounds})`].filter(Boolean).join(", "))));
  const decided = (data.deciding[number] ?? []).map((one) => element("li", {}, toCycle(one.cycle, decidingText(one))));
  const shown = found.slice(0, 6);
  if (found.length > 6) shown.push(element("li", { class: "flag" }, `and ${whole(found.length - 6)} more under Data quality`));
  find("#chosen-notes").replaceChildren(...shown, ...decided);
}

function fillCycles() {
  const decided = new Map((data.deciding[state.chosen] ?? []).map((one) => [one.cycle, decidingText(one, "")]));
  const found = d3.rollup(data.findings[state.chosen] ?? [], (rows) => rows.map((row) => `${row.column_name ?? row.test} ${row.value}`).slice(0, 3).join(", "), (row) => row.cycle_index);
  const cells = (row) => [
    whole(row.cycle_index), day(row.date_time_iso), plain(4)(row.discharge_capacity), plain(4)(row.charge_capacity),
    plain(3)(row.discharge_energy), plain(3)(row.energy_efficiency), plain(2)(row.resistance), plain(1)(row.temperature_maximum),
    plain(2)(row.charging), row.paused == null ? "–" : row.paused ? "yes" : "no", [found.get(row.cycle_index), decided.get(row.cycle_index)].filter(Boolean).join("; "),
  ];
  const rows = (data.summaries[state.chosen] ?? []).map((row) => element("tr", found.has(row.cycle_index) ? { class: "flagged" } : {}, ...cells(row).map((text) => element("td", {}, text))));
  find("#cycles tbody").replaceChildren(...rows);
}

function fillCompared() {
  const chips = state.compared.map((number, i) => {
    const chip = element("button", { type: "button", class: "chip", "aria-label": `Take ${batteries[number].barcode} away` },
      element("i", { class: "swatch", style: `background: var(--c${(i + 1) % 6})` }), batteries[number].barcode, " ×");
    chip.addEventListener("click", () => compare(number));
    return chip;
  });
  find("#compared").replaceChildren(...chips);
  find("#compare").value = "";
}

// Puts a battery beside the chosen one, or takes it away again; five at most.
function compare(number) {
  if (number < 0 || number === state.chosen) return;
  state.compared = state.compared.includes(number) ? state.compared.filter((other) => other !== number) : [...state.compared, number].slice(-5);
  choose(state.chosen);
}
