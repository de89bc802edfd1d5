// The table of all batteries: sorting, filtering, a small fade curve in each row.

function fillFades() {
  const [width, height] = [108, 22];
  document.querySelectorAll("#all tbody tr").forEach((row) => {
    const battery = batteries[row.dataset.battery], life = data.lives[row.dataset.battery];
    if (!life || !battery.nominal_capacity) return;
    const x = d3.scaleLinear([0, longest || 1], [1, width - 1]);
    const y = d3.scaleLinear([0.7, 1.02], [height - 1, 1]).clamp(true);
    const step = Math.ceil(life.cycle.length / 50);
    const points = d3.range(0, life.cycle.length, step).filter((i) => life.capacity[i] != null);
    const path = d3.line((i) => x(life.cycle[i]), (i) => y(life.capacity[i] / battery.nominal_capacity)).digits(1)(points);
    const svg = d3.create("svg").attr("viewBox", [0, 0, width, height]).attr("width", "100%").attr("height", height).attr("aria-hidden", "true");
    svg.append("line").attr("x2", width).attr("y1", y(0.8)).attr("y2", y(0.8)).attr("stroke", "var(--rule)");
    svg.append("path").attr("d", path).attr("fill", "none").attr("stroke-width", 1.5).attr("stroke", lifeColour(battery));
    row.querySelector(".line").append(svg.node());
  });
}

function sortBy(heading) {
  const headings = [...heading.parentNode.children], column = headings.indexOf(heading);
  const descending = heading.getAttribute("aria-sort") === "ascending";
  headings.forEach((one) => one.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const number = heading.classList.contains("number"), body = find("#all tbody");
  const key = (row) => row.children[column].dataset.sort;
  const compare = number ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
  const rows = [...body.children].sort((a, b) => {
    const [one, other] = [key(a), key(b)];
    if (!one || !other) return !one - !other; // the unknown comes last either way
    return (descending ? -1 : 1) * compare(one, other);
  });
  body.append(...rows);
}

function filterRows() {
  const wanted = find("#filter").value.trim().toLowerCase(), which = find("#state").value;
  let shown = 0;
  document.querySelectorAll("#all tbody tr").forEach((row) => {
    const battery = batteries[row.dataset.battery];
    const text = `${battery.barcode} ${battery.protocol ?? ""}`.toLowerCase();
    const fits = text.includes(wanted) && (!which || row.querySelector(`.key.${which}`) !== null);
    row.hidden = !fits;
    shown += fits;
  });
  find("#count").textContent = `${whole(shown)} of ${whole(batteries.length)} shown`;
}

function startTable() {
  fillFades();
  filterRows();
  find("#filter").addEventListener("input", filterRows);
  find("#state").addEventListener("change", filterRows);
  document.querySelectorAll("#all thead button").forEach((button) => button.addEventListener("click", () => sortBy(button.parentNode)));
  find("#all tbody").addEventListener("click", (event) => {
    if (event.target.closest("a")) choose(+event.target.closest("tr").dataset.battery);
  });
}
