// How every chart is drawn, read by the pointer, zoomed, and drawn again when its place changes size.

const charts = new Map();

// Puts a chart into the figure `id`. `make` gets the width in pixels and gives Plot's options,
// with some of our own: `hits` (points the pointer can meet: x, y, text, battery), `outside` (a
// number of values beyond the axes), `table` (names of columns and rows, for a file), `note`, and
// `zoom` (the name under which charts share a stretch of x). It gives a sentence instead where
// there is nothing to draw.
function chart(id, make) {
  charts.set(id, make);
  redraw(id);
}

// Asked of the browser once, and again by `resized`: asking lays the whole page out.
const widths = new Map();
const widthOf = (figure) => widths.get(figure) || 600;
document.querySelectorAll(".chart").forEach((figure) => widths.set(figure, figure.clientWidth));

function redraw(id) {
  const figure = document.getElementById(id);
  const width = widthOf(figure);
  const options = charts.get(id)(width);
  figure.replaceChildren();
  if (typeof options === "string") {
    figure.append(element("p", { class: "empty" }, options));
    return;
  }
  const { hits = [], outside = 0, after, zoom, table, note, ...plot } = options;
  const svg = Plot.plot({ width, marginTop: 26, marginRight: 14, marginBottom: 38, ...plot });
  svg.setAttribute("role", "img");
  svg.querySelectorAll("g[aria-label]").forEach((group) => {  // within an image such a name is not allowed
    group.dataset.mark = group.getAttribute("aria-label");
    group.removeAttribute("aria-label");
  });
  svg.setAttribute("aria-label", figure.dataset.title);
  figure.append(svg);
  after?.(svg);
  if (zoom) offerZoom(svg, zoom);
  if (hits.length) listen(figure, svg, hits);
  const beyond = outside ? `${whole(outside)} outlying ${outside === 1 ? "value lies" : "values lie"} beyond the axes, a triangle at the edge for each.` : "";
  figure.append(element("figcaption", { class: "note" }, ...[note, beyond && element("span", { class: "outside" }, beyond)].filter(Boolean).flatMap((text) => [text, " "]), tools(figure, table, zoom)));
  mark(figure);
}

function offerZoom(svg, key) {
  const x = svg.scale("x"), y = svg.scale("y");
  const extent = [[x.range[0], Math.min(...y.range)], [x.range[1], Math.max(...y.range)]];
  const brush = d3.brushX().extent(extent).touchable(false).on("end", ({ selection, sourceEvent }) => {
    if (!selection || !sourceEvent || selection[1] - selection[0] < 6) return;
    zoomTo(key, selection.map(x.invert));
  });
  d3.select(svg).append("g").attr("class", "brush").call(brush).on("dblclick", () => zoomTo(key, null));
}

function zoomTo(key, stretch) {
  if (stretch) state.zoom[key] = stretch;
  else delete state.zoom[key];
  remember();
  ({ cycles: drawTrends, time: drawTime, capacity: drawCurves, voltage: drawIncremental })[key]();
}

// Axes that outlying values cannot flatten: values further away than 60 % of the range that nearly
// all lie in are left to triangles at the edge.
function span(values, include = []) {
  const every = Math.ceil(values.length / 4_000);
  const some = Float64Array.from(values.filter((value, i) => i % every === 0 && Number.isFinite(value))).sort();
  if (!some.length) return null;
  const [low, high] = [0.02, 0.98].map((share) => d3.quantileSorted(some, share));
  const reach = 0.6 * (high - low || Math.abs(high) * 0.01 || 1);
  let [least, most] = [Math.min(low, ...include), Math.max(high, ...include)];
  for (const value of values) {
    if (value < least && value >= low - reach) least = value;
    if (value > most && value <= high + reach) most = value;
  }
  const air = (most - least || Math.abs(most) || 1) * 0.05;
  return [least - air, most + air];
}

// Places of the lowest and the highest of each stretch of x, so that no outlier is lost.
function thinned(x, y, [from, to], stretches) {
  const kept = [];
  let stretch = -1, low = -1, high = -1;
  const keep = () => { if (low >= 0) kept.push(Math.min(low, high)); if (low !== high) kept.push(Math.max(low, high)); };
  for (let i = 0; i < x.length; i++) {
    if (x[i] < from || x[i] > to || !Number.isFinite(y[i])) continue;
    const place = Math.floor((x[i] - from) / (to - from || 1) * stretches);
    if (place !== stretch) {
      keep();
      [stretch, low, high] = [place, i, i];
    } else if (y[i] < y[low]) low = i;
    else if (y[i] > y[high]) high = i;
  }
  keep();
  return kept;
}

// Lines to draw over an x of name `zoom`, each { x, y, ... }: thinned to what the width can show, with
// the axes' domains and what lies outside of them.
function laidOut(lines, zoom, width, include = []) {
  const ends = d3.extent(lines.flatMap((line) => d3.extent(line.x)));
  const across = state.zoom[zoom] ?? (ends[0] === ends[1] ? [ends[0] - 1, ends[1] + 1] : ends);
  const stretches = Math.ceil(Math.max(60, Math.min(width / 1.5, 20 * width / lines.length)));
  const points = [], all = [];
  for (const line of lines) {
    const [from, to] = [d3.bisectLeft(line.x, across[0]), d3.bisectRight(line.x, across[1])];
    for (let i = from; i < to; i++) all.push(line.y[i]);
    for (const i of thinned(line.x, line.y, across, stretches)) points.push({ x: line.x[i], y: line.y[i], line });
  }
  const up = span(all, include);
  if (!up) return null;
  const outside = all.reduce((count, value) => count + (value < up[0] || value > up[1]), 0);
  return { across, up, points, outside, beyond: points.filter(({ y }) => y < up[0] || y > up[1]) };
}

const clamp = (value, [low, high]) => Math.max(low, Math.min(high, value));

// Lines, and a triangle at the edge for what lies beyond.
const lineMarks = ({ points, beyond, up }, width = 1.5) => [
  ...[false, true].map((dashed) => points.filter(({ line }) => Boolean(line.dash) === dashed)).map((some) => Plot.line(some, {
    x: "x", y: "y", z: "line", stroke: { value: some.map(({ line }) => line.colour), scale: null },
    strokeWidth: width, strokeDasharray: some[0]?.line.dash, strokeLinejoin: "round", clip: true, className: "batteries",
  })),
  Plot.dot(points.filter(({ line }) => line.dots), { x: "x", y: "y", r: 2.5, fill: ({ line }) => line.colour, clip: true }),
  ...[[0, "triangle2"], [1, "triangle"]].map(([end, symbol]) => Plot.dot(beyond.filter(({ y }) => (end ? y > up[1] : y < up[0])), {
    x: "x", y: () => up[end], symbol, r: 3.5, fill: ({ line }) => line.colour, stroke: "var(--paper)", strokeWidth: 0.7,
  })),
];

// Plot draws a path for each group, in the order in which the groups first come; the dashed ones last.
function nameLines(svg, { points }) {
  const lines = [...new Set(points.map(({ line }) => line))];
  const shown = [...lines.filter((line) => !line.dash), ...lines.filter((line) => line.dash)];
  svg.querySelectorAll("g[data-mark='line'] path").forEach((path, i) => {
    path.dataset.battery = shown[i].battery;
    path.classList.add("battery");
  });
}

const axis = (label, more = {}) => ({ label, labelArrow: "none", nice: false, ...more });
const cycleAxis = (label, ticks, more = {}) =>
  axis(label, { labelAnchor: "center", ticks, tickFormat: (cycle) => (Number.isInteger(cycle) ? whole(cycle) : ""), ...more });

function listen(figure, svg, hits) {
  const tip = find("#tip");
  let tree = null, near = null;
  const locate = (event) => {
    if (!tree) {
      const x = svg.scale("x"), y = svg.scale("y");
      const px = (hit) => x.apply(hit.x), py = (hit) => y.apply(hit.y) + (y.bandwidth ?? 0) / 2;
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
    const hit = event.buttons ? null : locate(event);
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
    showAlone(hit && !(state.alone && hit.battery === state.chosen) ? hit.battery : null);
  });
}

// Marks the battery that is shown alone.
function mark(figure) {
  figure.classList.toggle("alone", state.alone && Boolean(figure.querySelector(`.battery[data-battery="${state.chosen}"]`)));
  figure.querySelectorAll(".battery").forEach((one) => {
    const shown = state.alone && +one.dataset.battery === state.chosen;
    one.classList.toggle("shown", shown);
    if (shown && one.tagName === "path") one.parentNode.append(one);
  });
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (Math.abs(target.clientWidth - widthOf(target)) <= 1) continue;
    widths.set(target, target.clientWidth);
    redraw(target.id);
  }
});
