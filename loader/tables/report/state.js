// What the page shows, and the address that shows it again.

const FILTERS = ["filter", "cell", "protocol", "channel", "state"];
const state = {
  chosen: null, alone: false, compared: [], cycle: null, measure: "Ah", formation: false, step: "discharge",
  filter: Object.fromEntries(FILTERS.map((name) => [name, ""])), zoom: {},
};

const numberOf = (barcode) => batteries.findIndex((battery) => battery.barcode === barcode);

function remember() {
  const said = new URLSearchParams();
  const say = (key, value) => { if (value !== "" && value != null && value !== false) said.set(key, value); };
  say("battery", batteries[state.chosen]?.barcode);
  say("alone", state.alone && "yes");
  state.compared.forEach((number) => said.append("with", batteries[number].barcode));
  say("cycle", state.cycle);
  say("unit", state.measure);
  say("formation", state.formation && "yes");
  say("step", state.step === "charge" && "charge");
  FILTERS.forEach((name) => say(name, state.filter[name]));
  Object.entries(state.zoom).forEach(([key, [from, to]]) => said.set(`zoom.${key}`, `${+from.toPrecision(6)}~${+to.toPrecision(6)}`));
  history.replaceState(null, "", `#${said}`);
}

// Takes the state from the address; what it names and is not here is passed over.
function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  const known = (barcode) => { const number = numberOf(barcode); return number < 0 ? null : number; };
  state.chosen = known(said.get("battery"));
  state.alone = said.get("alone") === "yes" && state.chosen != null;
  state.compared = [...new Set(said.getAll("with").map(known))].filter((number) => number != null && number !== state.chosen);
  state.cycle = said.has("cycle") && Number.isInteger(+said.get("cycle")) ? +said.get("cycle") : null;
  if (["Ah", "%"].includes(said.get("unit"))) state.measure = said.get("unit");
  state.formation = said.get("formation") === "yes";
  state.step = said.get("step") === "charge" ? "charge" : "discharge";
  FILTERS.forEach((name) => { state.filter[name] = said.get(name) ?? ""; });
  for (const [key, value] of said) {
    const [from, to] = value.split("~").map(Number);
    if (key.startsWith("zoom.") && from < to) state.zoom[key.slice(5)] = [from, to];
  }
  return said.has("battery") || said.size > 0;
}

// A finding first, then lives that differ by definition, an end of life, many cycles.
function mostTelling() {
  const score = (battery, number) => {
    const differ = stateOf(battery) === "ended" && (data.deciding[number] ?? []).some((one) => one.recovers);
    return [Boolean(data.lives[number]?.capacity), Boolean(data.findings[number]), differ, stateOf(battery) === "ended"]
      .reduce((sum, is) => 2 * sum + is, 0) + battery.cycles / 1e9;
  };
  return d3.greatestIndex(batteries.map(score)) ?? 0;
}

let visible = new Set(batteries.keys());

function applyFilters() {
  const { filter, cell, protocol, channel, state: which } = state.filter, wanted = filter.trim().toLowerCase();
  const fits = (battery) => `${battery.barcode} ${battery.protocol ?? ""}`.toLowerCase().includes(wanted)
    && (!cell || (battery.cell ?? "unknown") === cell) && (!protocol || protocolName(battery) === protocol)
    && (!channel || String(battery.channel_id) === channel) && (!which || stateOf(battery) === which);
  visible = new Set(d3.range(batteries.length).filter((number) => fits(batteries[number])));
}
