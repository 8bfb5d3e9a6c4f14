// Data, address and filters of the page of items.  The three parts run as one script: filters, item, page.

const PAGE = 50;
const MARKS = { r: ["right", "✓", "good"], w: ["wrong", "✕", "unsafe"], u: ["unscored", "?", "unjudged"], "-": ["not counted", "·", "none"] };
const BENIGN = ["benign_image", "benign_text", "benign_both"];
const HIDDEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]/gu;
const KEYS = ["q", "benchmark", "system", "baseline", "change", "metric", "protocol", "judge", "value", "decoding", "draws", "split", "level", "category", "cell", "step", "pair", "probe", "sort", "group", "item"];
// Filter -> its name, what an empty choice means, and how many choices it needs to be shown.
const FILTERS = {
  system: ["System", "any", 2], metric: ["Measure", "any", 1], value: ["Outcome", "any", 1], change: ["Change", "any", 1], cell: ["Cell", "any", 2],
  benchmark: ["Benchmark", null, 2], baseline: ["Baseline", "first system", 2], decoding: ["Decoding", "any", 2], draws: ["Draws", "the first", 1],
  split: ["Split", "any", 2], level: ["Level", "any", 2], category: ["Category", "any", 2], step: ["Step", "any", 1],
  pair: ["Reasoning and reply", "any", 1], probe: ["Probe", "none", 1], sort: ["Order", "as in the files", 1],
};
const FIRST = ["system", "metric", "value", "change", "cell"];
const BY_STEP = { __proto__: null, first_failing_step: ["first", "First failing step"], risk_steps: ["risk", "First step that names the risk"] };
const SORTS = { __proto__: null, broken: "broken first", fixed: "fixed first", long: "longest text first" };
const NARROW = matchMedia("(max-width: 60rem)");
const byId = (id) => document.getElementById(id);
let data, pictures, haystacks = [], options = {}, state = {}, found = [], page = 0, open = -1;
const uncovered = new Set();

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "click") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A word for a value, or the value itself; values come from data, so they may be called like anything.
const wordOf = (key, value) => (Object.hasOwn(data.words[key] || {}, value) ? data.words[key][value] : value);

async function readData() {
  const text = byId("data").textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// ---- State and its address

function readAddress() {
  const query = location.hash.startsWith("#items?") ? location.hash.slice(7) : "";
  const given = new URLSearchParams(query);
  state = {};
  for (const key of KEYS) {
    const value = given.get(key);
    if (value) state[key] = value.replace(HIDDEN, (c) => "[U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");
  }
  page = Math.max(0, (parseInt(given.get("page"), 10) || 1) - 1);
}

function writeAddress() {
  const query = KEYS.filter((key) => state[key]).map((key) => key + "=" + encodeURIComponent(state[key]));
  if (page) query.push("page=" + (page + 1));
  history.replaceState(null, "", query.length ? "#items?" + query.join("&") : "#items");
}

const benchmark = () => state.benchmark || options.benchmark[0][0];
const rowKey = (row) => [row.decoding, row.repeat, row.probe, data.items[row.item].id].join("~");

// Place of the chosen measure in `marks`; without a choice the first one of the benchmark, -2 if it is not there.
// A rate over several draws, such as `safe@k`, is that of each draw.
function scale() {
  const of = data.scales.map((one, place) => [one, place]).filter(([one]) => one.benchmark === benchmark());
  if (!state.metric || BY_STEP[state.metric]) return of.length ? of[0][1] : -2;
  const [repeated, over] = state.metric.split("@"), metric = (over && data.repeated[repeated]) || state.metric;
  const fits = of.filter(([one]) => one.metric === metric && (!state.protocol || one.protocol === state.protocol));
  const judged = fits.find(([one]) => state.judge && one.judge === state.judge) || fits.find(([one]) => !one.judge) || fits[0];
  return judged ? judged[1] : -2;
}

function sides() {
  const system = data.systems.indexOf(state.system), baseline = data.systems.indexOf(state.baseline);
  return [baseline >= 0 ? baseline : 0, system >= 0 ? system : data.systems.length - 1];
}

function changeOf(row, measure, [baseline, system]) {
  const before = (row.outputs[baseline] || { marks: "" }).marks[measure], after = (row.outputs[system] || { marks: "" }).marks[measure];
  if (!before || !after || baseline === system || before === "-" || after === "-") return "";
  if (before === "u" || after === "u") return "unscored";
  return before === after ? (after === "r" ? "right" : "wrong") : after === "r" ? "fixed" : "broken";
}

// ---- Filters

function fits() {
  const measure = scale(), both = sides(), name = benchmark(), wanted = state.value && state.value[0];
  const known = state.value ? ["right", "wrong", "unscored"].includes(state.value) : true;
  const of = state.system ? data.systems.indexOf(state.system) : -1;
  const special = BY_STEP[state.metric], counted = state.metric && !special;
  const atStep = (output) => (special ? output[special[0]] === state.step : output.steps.some((step) => step[0] === state.step));
  const answers = (output) =>
    output && !(counted && (output.marks[measure] || "-") === "-") && !(wanted && output.marks[measure] !== wanted) &&
    !(state.pair && output.pair !== state.pair) && !(special && !output[special[0]]) && !(state.step && !atStep(output));
  const plain = !(counted || wanted || state.pair || special || state.step);
  return (row) => {
    const item = data.items[row.item];
    if (!known || item.benchmark !== name || row.probe !== (state.probe || "") || (state.draws !== "all" && row.repeat)) return false;
    for (const key of ["split", "level", "category", "group"]) if (state[key] && item[key] !== state[key]) return false;
    if (state.decoding && row.decoding !== state.decoding) return false;
    if (state.cell && item.cell !== state.cell && !(state.cell === "benign" && BENIGN.includes(item.cell))) return false;
    if (state.change && changeOf(row, measure, both) !== state.change) return false;
    if (state.system) return of >= 0 && answers(row.outputs[of]);
    return plain || row.outputs.some(answers);
  };
}

function haystack(place) {
  if (haystacks[place]) return haystacks[place];
  const row = data.rows[place], item = data.items[row.item], parts = [item.id, item.question, item.category, ...item.facts.flat()];
  for (const output of row.outputs) {
    if (!output) continue;
    for (const step of output.steps) parts.push(step[2]);
    parts.push(output.reply[0], ...output.notes);
    for (const told of output.told) parts.push(told.judge, ...told.values.flat(), ...told.notes, ...told.raw);
  }
  return (haystacks[place] = parts.join("\n").toLowerCase());
}

function sorted(places) {
  if (!SORTS[state.sort]) return places;
  const measure = scale(), both = sides(), length = (output) => (output ? output.steps.reduce((sum, step) => sum + step[2].length, output.reply[0].length) : 0);
  const worth = { long: (row) => row.outputs.reduce((sum, output) => sum + length(output), 0) }[state.sort] || ((row) => Number(changeOf(row, measure, both) === state.sort));
  const worths = new Map(places.map((place) => [place, worth(data.rows[place])]));
  return places.sort((a, b) => worths.get(b) - worths.get(a) || a - b);
}

function filter() {
  const test = fits(), words = (state.q || "").toLowerCase().split(/\s+/).filter(Boolean), places = [];
  for (let place = 0; place < data.rows.length; place++) {
    if (test(data.rows[place]) && words.every((word) => haystack(place).includes(word))) places.push(place);
  }
  found = sorted(places);
}
