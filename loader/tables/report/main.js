// Starts the page.

// Shows one battery alone in every chart of all, and its own charts below; null shows all again.
async function showAlone(number) {
  state.alone = number != null;
  if (number != null) await choose(number);
  remember();
  drawFade();
  drawTemperature();
  charts.forEach((make, id) => mark(document.getElementById(id)));
  find("#all-again").hidden = !state.alone;
}

function startScheme() {
  const button = find("#scheme"), root = document.documentElement;
  const preference = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.scheme ? root.dataset.scheme === "dark" : preference.matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Show in ${dark() ? "light" : "dark"} colours`); };
  button.addEventListener("click", () => { root.dataset.scheme = dark() ? "light" : "dark"; name(); });
  preference.addEventListener("change", name);
  name();
  button.hidden = false;
}

// Links within the page move it, and leave the address to the state.
function startSections() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    document.getElementById(link.hash.slice(1))?.scrollIntoView();
  });
}

function startChoice() {
  const options = () => batteries.map((battery, number) => element("option", { value: number }, battery.barcode));
  find("#choose").append(...options());
  find("#barcodes").append(...batteries.map((battery) => element("option", { value: battery.barcode })));
  find("#choose").addEventListener("change", (event) => choose(+event.target.value));
  const step = (by) => () => choose((state.chosen + by + batteries.length) % batteries.length);
  find("#previous").addEventListener("click", step(-1));
  find("#next").addEventListener("click", step(1));
  find("#compare").addEventListener("change", (event) => compare(numberOf(event.target.value.trim().toUpperCase())));
  find("#cycle").addEventListener("change", (event) => choose(state.chosen, +event.target.value));
  find("#cycle-range").addEventListener("input", (event) => choose(state.chosen, [...own.keys()][+event.target.value]));
  ["#later", "#earlier"].forEach((id) => find(id).addEventListener("change", drawDifference));
  find("#step").value = state.step;
  find("#step").addEventListener("change", (event) => { state.step = event.target.value; drawIncremental(); remember(); });
  find("#all-again").addEventListener("click", () => showAlone(null));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.alone) showAlone(null); });
}

function startFilters() {
  const offer = (id, values) => find(id).append(...values.map((value) => element("option", { value }, value)));
  const kinds = (of) => [...new Set(batteries.map(of))].filter((value) => value != null).sort(new Intl.Collator("en", { numeric: true }).compare);
  offer("#cell", kinds((battery) => battery.cell ?? "unknown"));
  offer("#protocol", kinds(protocolName));
  offer("#channel", kinds((battery) => battery.channel_id).map(String));
  const filter = () => {
    FILTERS.forEach((name) => { state.filter[name] = find(`#${name}`).value; });
    applyFilters();
    showRows();
    drawOverview();
    remember();
  };
  FILTERS.forEach((name) => {
    find(`#${name}`).value = state.filter[name];
    find(`#${name}`).addEventListener(name === "filter" ? "input" : "change", filter);
  });
  find("#filter").addEventListener("keydown", (event) => { if (event.key === "Enter" && visible.size) showAlone([...visible][0]); });
  find("#unfilter").addEventListener("click", () => { FILTERS.forEach((name) => { find(`#${name}`).value = ""; }); filter(); });
  applyFilters();
  showRows();
}

// The stretch of cycles that all charts over life show, for those without a mouse to draw it.
function showStretch() {
  const [from, to] = state.zoom.cycles ?? ["", ""];
  [find("#from").value, find("#to").value] = [from, to].map((cycle) => (cycle === "" ? "" : Math.round(cycle)));
}

function startStretch() {
  const read = () => {
    const [from, to] = ["#from", "#to"].map((id) => find(id).value);
    const last = d3.max(batteries, (battery) => battery.last_cycle ?? battery.cycle_life) ?? 1;
    const stretch = [from === "" ? 0 : +from, to === "" ? last : +to];
    zoomTo("cycles", (from !== "" || to !== "") && stretch[0] < stretch[1] ? stretch : null);
  };
  ["#from", "#to"].forEach((id) => find(id).addEventListener("change", read));
}

function startMeasure() {
  // cells of different size are compared by share of nominal
  const nominals = batteries.map((battery) => battery.nominal_capacity).filter((value) => value > 0);
  if (!location.hash.includes("unit=")) state.measure = d3.max(nominals) > 1.1 * d3.min(nominals) ? "%" : "Ah";
  document.querySelectorAll("#measure input").forEach((input) => {
    input.checked = input.value === state.measure;
    input.addEventListener("change", () => { state.measure = input.value; drawFade(); remember(); });
  });
  find("#formation").checked = state.formation;
  find("#formation").addEventListener("change", (event) => { state.formation = event.target.checked; drawTrends(); remember(); });
  if (shortest < longest) {
    const [low, high] = document.querySelectorAll("#life-ramp span");
    low.textContent = `life ${whole(shortest)}`;
    high.textContent = `${whole(longest)} cycles`;
    find("#life-ramp").hidden = false;
  }
}

recall();
startScheme();
startSections();
startMeasure();
startChoice();
startFilters();
startStretch();
startTable();
state.chosen ??= mostTelling();
state.zoomOf = state.chosen;
drawOverview();
await choose(state.chosen);
if (state.alone) await showAlone(state.chosen);
document.querySelectorAll(".chart").forEach((figure) => resized.observe(figure));
document.documentElement.dataset.drawn = Math.round(performance.now());
addEventListener("hashchange", () => location.reload());
