// The table of all batteries: sorting, filtering, a small fade curve in each row.

function fillFades() {
  const [width, height] = [108, 22];
  document.querySelectorAll("#all tbody tr").forEach((row) => {
    const battery = batteries[row.dataset.battery], life = measureOf(row.dataset.battery, "capacity");
    if (!life || !battery.nominal_capacity) return;
    const x = d3.scaleLinear([0, highestLife || 1], [1, width - 1]).clamp(true);
    const y = d3.scaleLinear([0.7, 1.02], [height - 1, 1]).clamp(true);
    const points = thinned(life.cycle, life.value, [1, life.cycle.at(-1)], 25);
    const path = d3.line((i) => x(life.cycle[i]), (i) => y(life.value[i] / battery.nominal_capacity)).digits(1)(points);
    const svg = d3.create("svg").attr("viewBox", [0, 0, width, height]).attr("width", "100%").attr("height", height).attr("aria-hidden", "true");
    svg.append("line").attr("x2", width).attr("y1", y(0.8)).attr("y2", y(0.8)).attr("stroke", "var(--rule)");
    svg.append("path").attr("d", path).attr("fill", "none").attr("stroke-width", 1.5).attr("stroke", lifeColour(battery))
      .attr("stroke-dasharray", stateOf(battery) === "ended" ? null : "3 2");
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
  const compare_ = number ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
  const rows = [...body.children].sort((a, b) => {
    const [one, other] = [key(a), key(b)];
    if (!one || !other) return !one - !other; // the unknown comes last either way
    return (descending ? -1 : 1) * compare_(one, other);
  });
  body.append(...rows);
}

function showRows() {
  document.querySelectorAll("#all tbody tr").forEach((row) => { row.hidden = !visible.has(+row.dataset.battery); });
  document.querySelectorAll(".count").forEach((count) => { count.textContent = `${whole(visible.size)} of ${whole(batteries.length)} shown`; });
}

function startTable() {
  fillFades();
  document.querySelectorAll("#all thead button").forEach((button) => button.addEventListener("click", () => sortBy(button.parentNode)));
  find("#all tbody").addEventListener("click", (event) => {
    if (event.target.closest("a")) choose(+event.target.closest("tr").dataset.battery);
  });
}
