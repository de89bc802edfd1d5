// A chart as a file: its numbers as CSV, its picture as PNG.

const PAINT = ["fill", "stroke", "opacity", "fill-opacity", "stroke-opacity", "stroke-width", "stroke-dasharray",
  "font-family", "font-size", "font-weight", "font-variant-numeric", "text-anchor"];

function tools(figure, table, zoom) {
  const button = (text, act) => {
    const made = element("button", { type: "button", "aria-label": `${text}: ${figure.dataset.title}` }, text);
    made.addEventListener("click", act);
    return made;
  };
  const name = figure.id.replace("chart-", "");
  const whole_ = zoom && state.zoom[zoom] ? [button("Whole range", () => zoomTo(zoom, null))] : [];
  const csv = table ? [button("CSV", () => save(`${name}.csv`, new Blob([csvText(table())], { type: "text/csv" })))] : [];
  return element("span", { class: "tools" }, ...whole_, ...csv,
    button("PNG", async () => save(`${name}.png`, await picture(figure.querySelector("svg")))));
}

function csvText([columns, rows]) {
  const cell = (value) => value == null || Number.isNaN(value) ? "" : /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The chart as it looks now, at twice its size; styles go with it, for a picture knows no style sheet.
async function picture(svg) {
  const copy = svg.cloneNode(true), [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  const copies = copy.querySelectorAll("*");
  svg.querySelectorAll("*").forEach((one, i) => {
    const style = getComputedStyle(one);
    PAINT.forEach((name) => copies[i].style.setProperty(name, style.getPropertyValue(name)));
  });
  copy.querySelectorAll("style, .brush").forEach((one) => one.remove());
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const canvas = element("canvas", { width: 2 * width, height: 2 * height }), pen = canvas.getContext("2d");
  pen.scale(2, 2);
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, width, height);
  pen.drawImage(image, 0, 0, width, height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
}
