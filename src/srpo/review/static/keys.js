// Keys for everything; `?` lists them.

import { make } from "./dom.js";

const KEYS = [
  ["y", "keep"], ["x", "drop"], ["e", "save the edit"], ["z", "undo your decision, or the last one you made"],
  ["j or →", "next item"], ["k or ←", "previous item"], ["g", "next item to do"], ["u", "show or cover sensitive parts"], ["w", "whole set side by side, or not"],
  ["1 to 6", "edit a step"], ["7", "edit the reply"], ["q", "edit the request"], ["Esc", "leave a field; close the editor, the list or a window"],
  ["s, d, i, then 1 to 5", "score safety (5 = reply and path entirely safe), difficulty (5 = the risk is very hard to see), informativeness (5 = the reply helps as much as it may); 0 clears"], ["f, then 1 to 7", "first wrong step; 0 for none"],
  ["c", "category"], ["n", "note"], ["/", "search"], ["l", "list and filters"], ["[ and ]", "earlier and later page of the list"], ["a", "agreement"], ["?", "this list"],
];
const SCORES = { s: "safety", d: "difficulty", i: "informativeness" };
let waiting = null;

export const keyTable = () => make("table", null, make("tbody", null, KEYS.map(([key, what]) => make("tr", null, make("th", { scope: "row" }, make("kbd", null, key)), make("td", null, what)))));

const writing = (node) => node instanceof HTMLElement && (node.matches("textarea, select") || (node.matches("input") && node.type !== "radio"));

export function listen(act) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      waiting = null;
      act.escape(event.target);
      return;
    }
    if (writing(event.target)) return;
    const key = event.key;
    if (event.repeat && !/^([jk[\]]|Arrow.*)$/.test(key)) return; // a key that is held decides once
    const done = waiting ? second(key, act) : single(key, event, act);
    if (done) event.preventDefault();
  });
}

// The digit after `s`, `d`, `i` or `f`; another key begins anew.
function second(key, act) {
  const [kind, name] = waiting;
  waiting = null;
  if (!/^[0-7]$/.test(key)) return false;
  if (kind === "wrong") act.wrongNumber(Number(key));
  else if (Number(key) <= 5) act.score(name, Number(key) || null);
  return true;
}

function single(key, event, act) {
  if (Object.hasOwn(SCORES, key)) { waiting = ["score", SCORES[key]]; act.hint(SCORES[key] + ": press 1 to 5, or 0 to clear"); return true; }
  if (key === "f") { waiting = ["wrong"]; act.hint("first wrong step: press 1 to 6, 7 for the reply, or 0 for none"); return true; }
  if (/^[1-7]$/.test(key)) { act.editNumber(Number(key)); return true; }
  const arrows = event.target.matches?.("input[type=radio]") ? {} : { ArrowRight: act.next, ArrowLeft: act.previous };
  const table = { y: () => act.decide("keep"), x: () => act.decide("drop"), e: () => act.decide("edit"), z: act.undo, j: act.next, k: act.previous, g: act.todo,
    u: act.uncover, w: act.whole, q: () => act.edit("question"), c: () => act.focus("category"), n: () => act.focus("note"), "/": act.search, l: act.list, a: act.agreement,
    "?": act.help, "[": act.earlier, "]": act.later, ...arrows };
  if (!Object.hasOwn(table, key)) return false;
  table[key]();
  return true;
}
