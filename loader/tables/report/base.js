// The page's data and the small things every part uses.

const data = JSON.parse(document.getElementById("data").textContent);
const batteries = data.batteries;
const state = { alone: null, chosen: null, measure: "Ah" };

const find = (selector) => document.querySelector(selector);
const whole = d3.format(",d");
const plain = (digits) => (value) =>
  value == null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const day = (text) =>
  text ? new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }) : "–";

// An element with text or elements in it. Text from the data never becomes markup.
function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

// A protocol's own name, without folders and a date before it and a file type after it.
function protocolName(battery) {
  const name = (battery.protocol ?? "").split(/[\\/]/).pop().replace(/^\d{4}-?\d\d-?\d\d[_-]/, "").replace(/\.[a-z]\w{1,4}$/i, "");
  return name || battery.protocol || "no protocol";
}

const shorten = (text, length) =>
  text.length <= length ? text : `${text.slice(0, Math.ceil(length / 2) - 1)}…${text.slice(1 - Math.floor(length / 2))}`;

const lifeText = (battery) =>
  battery.cycle_life == null ? "no cycles" : battery.reached_end_of_life
    ? `life ${whole(battery.cycle_life)} cycles` : `censored at cycle ${whole(battery.cycle_life)}`;

// 4.6 × 10⁻⁵, as one writes it.
function power(value) {
  const [digits, exponent] = d3.format(".2e")(value).split("e");
  return `${digits} × 10${[...exponent.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)] ?? "⁻").join("")}`;
}

// Ten colours of the style sheet: 0 the coolest, for a long life or an early cycle, 9 the hottest.
const ramp = (share) => `var(--r${Math.max(0, Math.min(9, Math.floor(share * 10)))})`;
const lives = batteries.map((battery) => battery.cycle_life).filter((life) => life != null);
const [shortest, longest] = d3.extent(lives);
const lifeColour = (battery) => battery.cycle_life == null || shortest === longest
  ? "var(--r2)" : ramp(1 - (battery.cycle_life - shortest) / (longest - shortest));
