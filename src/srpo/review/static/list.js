// The list: filters, search, and pages of items that fit.

import { get } from "./api.js";
import { byId, fill, make, wordOf } from "./dom.js";
import { page } from "./state.js";

const PAGE = 50;
const STATES = [["todo", "To do"], ["mine", "Decided by me"], ["disagreements", "Disagreements"], ["all", "All"]];
const CHECKS = { ok: "ok", fail: "fail", missing: "could not judge", none: "not checked" };
const OWN = { keep: "✓ keep", drop: "✕ drop", edit: "✎ edit" };
export const filter = { state: "todo", category: "", cell: "", split: "", check: "", words: "" };
let first = 0, asked = 0, drawn = 0;

function select(name, label, options, change) {
  const node = make("select", { id: "f-" + name, input: () => { filter[name] = node.value; change(); } },
    options.map(([slug, word]) => make("option", { value: slug, selected: filter[name] === slug }, word)));
  return make("label", { class: "field" }, make("span", null, label), node);
}

export function buildFilters(change) {
  const { choices, cells, categories } = page.session;
  const of = (name, words) => [["", "any"], ...choices[name].map((slug) => [slug, wordOf(words, slug)])];
  const words = make("input", { id: "f-words", type: "search", maxlength: 200, autocomplete: "off", placeholder: "words in the item", input: () => {
    filter.words = words.value;
    clearTimeout(asked);
    asked = setTimeout(change, 250);
  } });
  words.value = filter.words;
  fill(byId("filters"),
    make("label", { class: "field" }, make("span", null, "Search ", make("kbd", null, "/")), words),
    select("state", "Show", STATES, change),
    select("cell", "Cell", of("cell", cells), change),
    select("category", "Category", of("category", categories), change),
    select("check", "Checks", of("check", CHECKS), change),
    select("split", "Split", of("split", {}), change),
    make("button", { type: "button", id: "clear", click: () => { Object.assign(filter, { state: "todo", category: "", cell: "", split: "", check: "", words: "" }); buildFilters(change); change(); } }, "Clear filters"));
}

// Numbers of the items that fit; their rows are asked for page by page.  Null if the reply came too late.
export async function search(isPast) {
  const found = await get("/api/list", filter);
  if (isPast()) return null;
  page.numbers = found.numbers;
  first = 0;
  return found.progress;
}

// Show in the list which item is open, before its rows are asked for anew.
export function highlight() {
  for (const node of document.querySelectorAll("#rows button")) {
    if (Number(node.dataset.number) === page.item?.number) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
  }
}

export async function showRows(act) {
  const at = page.item ? page.numbers.indexOf(page.item.number) : -1;
  if (at >= 0 && (at < first || at >= first + PAGE)) first = at - (at % PAGE);
  const turn = ++drawn, shown = page.numbers.slice(first, first + PAGE);
  const { rows } = shown.length ? await get("/api/rows", { numbers: shown.join(",") }) : { rows: [] };
  if (turn !== drawn) return; // another page was asked for meanwhile
  const { cells, categories } = page.session;
  fill(byId("rows"), rows.map((row) => make("li", null, make("button", {
    type: "button", "data-number": row.number, "aria-current": page.item?.number === row.number ? "true" : null, click: () => act.show(row.number),
  },
  make("span", { class: "request", dir: "auto" }, row.question),
  make("span", { class: "soft small" }, row.number, " · ", wordOf(cells, row.cell), row.category && " · " + wordOf(categories, row.category),
    row.check_state && row.check_state !== "none" && " · checks: " + wordOf(CHECKS, row.check_state), row.outcome === "disagreement" && " · ≠ disagreement"),
  row.own && make("span", { class: "verdict v-" + row.own }, OWN[row.own])))));
  const many = page.numbers.length;
  fill(byId("found"), many === 0 ? "No item fits." : (first + 1) + "–" + Math.min(first + PAGE, many) + " of " + many + (many === 1 ? " item" : " items"));
  byId("earlier").disabled = first === 0;
  byId("later").disabled = first + PAGE >= many;
}

export function turn(step, act) {
  first = Math.max(0, Math.min(first + step * PAGE, page.numbers.length - 1));
  first -= first % PAGE;
  return showPage(act);
}

// As `showRows`, but the page does not jump back to the open item.
async function showPage(act) {
  const open = page.item;
  page.item = null;
  try {
    await showRows(act);
  } finally {
    page.item = open;
  }
}
