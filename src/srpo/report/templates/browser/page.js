// List, choice of an item, controls and keys.

function showList() {
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  page = Math.min(page, pages - 1);
  const first = page * PAGE;
  byId("rows").replaceChildren(...found.slice(first, first + PAGE).map((place, i) => listed(place, first + i)));
  byId("rows").start = first + 1;
  byId("page").textContent = "Page " + (page + 1) + " of " + pages;
  byId("previous").disabled = page === 0;
  byId("next").disabled = page >= pages - 1;
  const items = new Set(found.map((place) => data.rows[place].item)), sets = new Set([...items].map((item) => data.items[item].group));
  const count = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");
  byId("status").textContent = scale() === -2 && state.metric ? "This page has no measure " + state.metric + "." :
    count(found.length, "row") + " of " + data.rows.length.toLocaleString("en") + " match: " + count(items.size, "item") + " in " + count(sets.size, "set") + "." + (state.group ? " One set is chosen." : "");
}

function choose(number, focus) {
  if (number < 0 || number >= found.length) return;
  open = number;
  state.item = rowKey(data.rows[found[open]]);
  const there = Math.floor(number / PAGE);
  if (there !== page) { page = there; showList(); }
  for (const button of byId("rows").querySelectorAll("button")) {
    const here = Number(button.dataset.number) === open;
    if (here) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (here) button.scrollIntoView({ block: "nearest" });
    if (here && focus) button.focus({ preventScroll: true });
  }
  showDetail();
  if (!focus || NARROW.matches) byId("detail").focus({ preventScroll: true });
  if (NARROW.matches) byId("detail").scrollIntoView({ block: "start" });
  writeAddress();
}

function close() {
  const was = byId("rows").querySelector("[aria-current]");
  open = -1;
  delete state.item;
  showDetail();
  if (was) { was.removeAttribute("aria-current"); was.focus(); }
  writeAddress();
}

function turn(by) {
  page = Math.max(0, page + by);
  showList();
  const first = byId("rows").querySelector("button");
  if (first) first.focus();
  writeAddress();
}

function refresh() {
  filter();
  open = state.item ? found.findIndex((place) => rowKey(data.rows[place]) === state.item) : -1;
  if (open >= 0) page = Math.floor(open / PAGE);
  showList();
  showDetail();
  showControls();
}

const same = (values) => values.map((value) => [value, value]);
const distinct = (values) => [...new Set(values)].filter((value) => value !== "");

function listOptions() {
  const { items, rows, systems } = data, outputs = rows.flatMap((row) => row.outputs.filter(Boolean));
  const named = (key) => distinct(items.map((item) => item[key])).map((value) => [value, wordOf(key, value)]);
  const cells = named("cell"), ends = ["answer", "never", "unjudged"];
  options = {
    benchmark: distinct(items.map((item) => item.benchmark)).map((name) => [name, name === "rsbench" ? "RSBench" : name]),
    system: same(systems), baseline: same(systems), decoding: same(distinct(rows.map((row) => row.decoding))),
    change: systems.length < 2 ? [] : [["fixed", "fixed"], ["broken", "broken"], ["right", "still right"], ["wrong", "still wrong"], ["unscored", "not scored"]],
    value: same(["right", "wrong", "unscored"]), cell: cells.length ? [...cells, ["benign", "Harmless (all three)"]] : [],
    probe: same(distinct(rows.map((row) => row.probe))), draws: rows.some((row) => row.repeat) ? [["all", "all draws"]] : [],
    split: named("split"), level: named("level"), category: named("category"),
    step: same(distinct([...outputs.flatMap((output) => output.steps.map((step) => step[0])), ...ends])),
    pair: same(distinct(outputs.map((output) => output.pair))), sort: Object.entries(SORTS),
  };
}

function metricOptions() {
  const own = data.scales.map((one, place) => [String(place), one.label, one.benchmark]).filter(([, , name]) => name === benchmark());
  return [...own, ...(benchmark() === "rsbench" ? Object.entries(BY_STEP).map(([key, [, label]]) => [key, label]) : [])];
}

function select(key) {
  const node = make("select", { id: "f-" + key });
  node.addEventListener("change", () => set(key, node.value));
  return make("div", { class: "filter" }, make("label", { for: node.id }, FILTERS[key][0]), node);
}

function set(key, value) {
  if (key === "metric" && /^\d+$/.test(value)) {
    const one = data.scales[Number(value)];
    Object.assign(state, { metric: one.metric, protocol: one.protocol, judge: one.judge });
  } else {
    state[key] = value;
    if (key === "metric") state.protocol = state.judge = "";
    if (key === "benchmark") for (const other of KEYS) if (!["benchmark", "q", "system", "baseline", "sort"].includes(other)) delete state[other];
  }
  delete state.item;
  page = 0;
  refresh();
  writeAddress();
}

function showControls() {
  options.metric = metricOptions();
  for (const [key, [, empty, least]] of Object.entries(FILTERS)) {
    const node = byId("f-" + key), measured = key === "metric" && state.metric && !BY_STEP[state.metric] && scale() >= 0;
    const chosen = measured ? String(scale()) : key === "benchmark" ? benchmark() : state[key] || "";
    const all = empty === null ? [...options[key]] : [["", empty], ...options[key]];
    if (!all.some(([value]) => value === chosen)) all.push([chosen, chosen + " (not here)"]);
    node.replaceChildren(...all.map(([value, label]) => make("option", { value }, brief(label))));
    node.value = chosen;
    node.parentNode.hidden = options[key].length < least && !state[key];
    if (state[key] && !FIRST.includes(key)) byId("more").open = true;
  }
  if (document.activeElement !== byId("q")) byId("q").value = state.q || "";
}

function onKey(event) {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (event.key === "Escape") {
    if (byId("help").open) return;
    if (typing) { event.preventDefault(); typing.blur(); }
    else if (open >= 0) close();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const first = page * PAGE, act = {
    "/": () => byId("q").focus(), "?": () => byId("help").showModal(),
    j: () => choose(open < 0 ? first : open + 1, true), k: () => choose(open < 0 ? first : open - 1, true),
    n: () => byId("next").disabled || turn(1), p: () => byId("previous").disabled || turn(-1),
    u: () => { const row = data.rows[found[open]]; if (row) uncover(row.item); },
  }[event.key];
  if (act) { event.preventDefault(); act(); }
}

function listen() {
  let waiting;
  byId("q").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => set("q", byId("q").value), 120); });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { state = {}; page = 0; byId("q").value = ""; refresh(); writeAddress(); });
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("keys").addEventListener("click", () => byId("help").showModal());
  byId("reveal").addEventListener("click", () => {
    const pressed = byId("reveal").getAttribute("aria-pressed") !== "true";
    byId("reveal").setAttribute("aria-pressed", String(pressed));
    if (!pressed) uncovered.clear();
    showDetail();
  });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", () => { readAddress(); refresh(); });
}

// Lower-case texts are made a few at a time while nobody waits, so that the first search is as fast as the others.
function prepareSearch(first) {
  const end = Math.min(first + 200, data.rows.length);
  for (let place = first; place < end; place++) haystack(place);
  if (end < data.rows.length) setTimeout(prepareSearch, 10, end);
}

async function start() {
  data = await readData();
  document.body.dataset.ready = "true";
  if (!data.rows.length) return byId("status").replaceChildren("No answer has been judged.");
  listOptions();
  for (const key of Object.keys(FILTERS)) byId(FIRST.includes(key) ? "first" : "others").append(select(key));
  readAddress();
  listen();
  refresh();
  prepareSearch(0);
}

start().catch((error) => { byId("status").textContent = "The items cannot be shown: " + error.message + ". A browser of 2023 or later is needed."; });
