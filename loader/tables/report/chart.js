// How every chart is drawn, read by the pointer, and drawn again when its place changes size.

const charts = new Map();

// Puts a chart into the figure `id`. `make` gets the width in pixels and gives Plot's options,
// with two of our own: `hits` (points the pointer can meet: x, y, text, battery) and `outside` (a
// number of values beyond the axes). It gives a sentence instead where there is nothing to draw.
function chart(id, make) {
  charts.set(id, make);
  redraw(id);
}

function redraw(id) {
  const figure = document.getElementById(id);
  const width = figure.clientWidth || 600;
  const options = charts.get(id)(width);
  figure.replaceChildren();
  figure.dataset.width = width;
  if (typeof options === "string") {
    figure.append(element("p", { class: "empty" }, options));
    return;
  }
  const { hits = [], outside = 0, after, ...plot } = options;
  const svg = Plot.plot({ width, marginTop: 26, marginRight: 14, marginBottom: 38, ...plot });
  svg.setAttribute("role", "img");
  svg.querySelectorAll("g[aria-label]").forEach((group) => {  // within an image such a name is not allowed
    group.dataset.mark = group.getAttribute("aria-label");
    group.removeAttribute("aria-label");
  });
  svg.setAttribute("aria-label", figure.dataset.title);
  figure.append(svg);
  after?.(svg);
  if (hits.length) listen(figure, svg, hits);
  if (outside) {
    figure.append(element("figcaption", { class: "outside" },
      `${whole(outside)} outlying ${outside === 1 ? "value lies" : "values lie"} beyond the axes.`));
  }
  mark(figure);
}

// Axes that a few outlying values cannot flatten: all but one value in 200, with some air.
function span(values, { include = [], tail = 0.005 } = {}) {
  const known = Float64Array.from(values).filter(Number.isFinite).sort();
  if (!known.length) return null;
  const low = Math.min(d3.quantileSorted(known, tail), ...include);
  const high = Math.max(d3.quantileSorted(known, 1 - tail), ...include);
  const air = (high - low || Math.abs(high) || 1) * 0.05;
  const domain = [low - air, high + air];
  const outside = known.filter((value) => value < domain[0] || value > domain[1]).length;
  return { domain, outside };
}

// Lines over cycles, one a battery; `values(life, battery)` gives the numbers along life.cycle.
function batteryLines(values) {
  const x = [], y = [], z = [];
  for (const [number, life] of Object.entries(data.lives)) {
    const numbers = values(life, batteries[number]);
    if (!numbers?.some((value) => value != null)) continue;
    for (let i = 0; i < numbers.length; i++) {
      x.push(life.cycle[i]);
      y.push(numbers[i] ?? NaN);
      z.push(+number);
    }
  }
  return { x, y, z, shown: [...new Set(z)] };
}

function lineMark({ x, y, z }, clip = true) {
  return Plot.line({ length: x.length }, {
    x, y, z, stroke: { value: z.map((number) => lifeColour(batteries[number])), scale: null },
    strokeWidth: batteries.length > 40 ? 1 : 1.5, strokeLinecap: "round", clip, className: "batteries",
  });
}

// Plot draws a path for each group, in the order in which the groups first come.
function nameLines(svg, shown) {
  svg.querySelectorAll("g[data-mark='line'] path").forEach((path, i) => {
    path.dataset.battery = shown[i];
    path.classList.add("battery");
  });
}

const axis = (label, more = {}) => ({ label, labelArrow: "none", nice: false, ...more });
const cycleAxis = (label, ticks) =>
  axis(label, { labelAnchor: "center", ticks, tickFormat: (cycle) => (Number.isInteger(cycle) ? whole(cycle) : "") });

function listen(figure, svg, hits) {
  const tip = find("#tip");
  let tree = null, scale = null, near = null;
  const locate = (event) => {
    if (!tree) {
      scale = { x: svg.scale("x"), y: svg.scale("y") };
      const px = (hit) => scale.x.apply(hit.x), py = (hit) => scale.y.apply(hit.y) + (scale.y.bandwidth ?? 0) / 2;
      const inside = hits.filter((hit) => Number.isFinite(px(hit)) && Number.isFinite(py(hit)));
      tree = d3.quadtree(inside, px, py);
    }
    const box = svg.getBoundingClientRect(), zoom = svg.width.baseVal.value / box.width;
    return tree.find((event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom, 36);
  };
  const leave = () => {
    tip.hidden = true;
    near?.classList.remove("near");
    near = null;
  };
  svg.addEventListener("pointermove", (event) => {
    const hit = locate(event);
    leave();
    if (!hit) return;
    near = hit.battery == null ? null : figure.querySelector(`path[data-battery="${hit.battery}"]`);
    near?.classList.add("near");
    const [title, ...rest] = hit.text();
    tip.replaceChildren(element("strong", {}, title), ...rest.flatMap((line) => [line, element("br")]));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 18}px`;
  });
  svg.addEventListener("pointerleave", leave);
  if (hits[0].battery == null) return;
  svg.addEventListener("click", (event) => {
    const hit = locate(event);
    showAlone(hit && hit.battery !== state.alone ? hit.battery : null);
  });
}

// Marks the battery that is shown alone.
function mark(figure) {
  figure.classList.toggle("alone", state.alone != null && Boolean(figure.querySelector(".battery")));
  figure.querySelectorAll(".battery").forEach((one) => {
    const shown = +one.dataset.battery === state.alone;
    one.classList.toggle("shown", shown);
    if (shown && one.tagName === "path") one.parentNode.append(one);
  });
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (Math.abs(target.clientWidth - target.dataset.width) > 1) redraw(target.id);
  }
});
