// The page's data and the small things every part uses.

const find = (selector) => document.querySelector(selector);

// What a script element holds: JSON, gzipped, in base64.
async function inflated(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

// Numbers that were kept as whole steps of a power of ten, each the difference to the one before.
function unpacked({ unit, steps }) {
  const scale = 10 ** Math.abs(unit), numbers = new Float64Array(steps.length);
  for (let i = 0, sum = 0; i < steps.length; i++) {
    if (steps[i] != null) sum += steps[i];
    numbers[i] = steps[i] == null ? NaN : unit < 0 ? sum / scale : sum * scale;
  }
  return numbers;
}

const whole = d3.format(",d");
const plain = (digits) => (value) =>
  value == null || Number.isNaN(value) ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
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

// 4.6 × 10⁻⁵, as one writes it.
function power(value) {
  const [digits, exponent] = d3.format(".2e")(value).split("e");
  return `${digits} × 10${[...exponent.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)] ?? "⁻").join("")}`;
}

const data = await inflated("data");
const batteries = data.batteries;

// A measure of a battery over its life: cycles and values.
function measureOf(number, name) {
  const packed = data.lives[number]?.[name];
  if (packed && !packed.unpacked) packed.unpacked = { cycle: unpacked(packed.cycle), value: unpacked(packed.value) };
  return packed?.unpacked;
}

// ended, censored, characterised (cycles, but too few full ones for a life) or empty
const stateOf = (battery) => battery.cycle_life != null
  ? (battery.reached_end_of_life ? "ended" : "censored") : battery.cycles ? "characterised" : "empty";
const lifeText = (battery) => ({
  ended: `life ${whole(battery.cycle_life ?? 0)} cycles`,
  censored: `life > ${whole(battery.cycle_life ?? 0)} cycles, censored`,
  characterised: `no cycle life: ${whole(battery.full_cycles ?? 0)} of ${whole(battery.cycles)} cycles are full`,
  empty: "no cycles",
})[stateOf(battery)];

// "first below 80 % at cycle 173, paused, recovers"
function decidingText({ cycle, definitions, paused, recovers }, place = ` at cycle ${whole(cycle)}`) {
  const said = definitions.includes("life") ? "end of life" : definitions.includes("severson")
    ? "first below 80 %" : "first below 80 % of its early median";
  return `${said}${place}${paused ? ", paused" : ""}${recovers ? ", recovers" : ""}`;
}

// Ten colours of the style sheet: 0 the coolest, for a long life or an early cycle, 9 the hottest.
// Only a life that has ended has one; the others are grey and dashed.
const ramp = (share) => `var(--r${Math.max(0, Math.min(9, Math.floor(share * 10)))})`;
const lives = batteries.filter((battery) => stateOf(battery) === "ended").map((battery) => battery.cycle_life);
const [shortest, longest] = d3.extent(lives);
const highestLife = d3.max(batteries, (battery) => battery.cycle_life) ?? 0;
const lifeColour = (battery) => stateOf(battery) !== "ended" ? "var(--censored)"
  : shortest === longest ? "var(--r2)" : ramp(1 - (battery.cycle_life - shortest) / (longest - shortest));
