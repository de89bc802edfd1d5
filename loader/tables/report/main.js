// Starts the page.

// Shows one battery alone in every chart of all, and its own charts below; null shows all again.
function showAlone(number) {
  state.alone = number;
  find("#isolate").value = number ?? "";
  if (number != null) choose(number);
  charts.forEach((make, id) => mark(document.getElementById(id)));
  drawTemperature();
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

function startChoice() {
  const options = () => batteries.map((battery, number) => element("option", { value: number }, battery.barcode));
  find("#isolate").append(...options());
  find("#choose").append(...options());
  find("#isolate").addEventListener("change", (event) => showAlone(event.target.value === "" ? null : +event.target.value));
  find("#choose").addEventListener("change", (event) => choose(+event.target.value));
  const step = (by) => () => choose((state.chosen + by + batteries.length) % batteries.length);
  find("#previous").addEventListener("click", step(-1));
  find("#next").addEventListener("click", step(1));
  ["#later", "#earlier"].forEach((id) => find(id).addEventListener("change", drawDifference));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") showAlone(null); });
}

function startMeasure() {
  // cells of different size are compared by share of nominal
  const nominals = batteries.map((battery) => battery.nominal_capacity).filter((value) => value > 0);
  state.measure = d3.max(nominals) > 1.1 * d3.min(nominals) ? "%" : "Ah";
  document.querySelectorAll("#measure input").forEach((input) => {
    input.checked = input.value === state.measure;
    input.addEventListener("change", () => { state.measure = input.value; drawFade(); });
  });
  if (shortest < longest) {
    const [low, high] = document.querySelectorAll("#life-ramp span");
    low.textContent = `life ${whole(shortest)}`;
    high.textContent = `${whole(longest)} cycles`;
    find("#life-ramp").hidden = false;
  }
}

startScheme();
startMeasure();
startChoice();
drawOverview();
startTable();
choose(0);
document.querySelectorAll(".chart").forEach((figure) => resized.observe(figure));
document.documentElement.dataset.drawn = Math.round(performance.now());
