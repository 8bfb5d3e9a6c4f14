// The page of agreement; the server works the figures out beside other requests, so it may have to be asked again.

import { get } from "./api.js";
import { byId, fill, make } from "./dom.js";

let turn = 0; // of the visit: what is asked for another one is thrown away

const number = (value) => (value === null ? "–" : value.toFixed(2));
const named = (value) => (value === null ? "" : value >= 0.8 ? "high" : value >= 0.6 ? "fair" : "low");

// Nothing is asked while the tab is in the background.
async function wait(milliseconds) {
  await new Promise((done) => setTimeout(done, milliseconds));
  if (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}

export function leaveAgreement() {
  turn++;
}

export async function showAgreement() {
  const visit = ++turn, draw = (...nodes) => fill(byId("agreement"), make("h1", null, "Agreement"), nodes);
  draw(make("p", { class: "soft" }, "Working it out …"));
  try {
    for (let found = { current: false }; !found.current; ) {
      found = await get("/api/agreement");
      if (visit !== turn) return;
      if (found.ready) draw(figures(found));
      if (!found.current) await wait(found.ready ? 1000 : 150);
      if (visit !== turn) return;
    }
  } catch (problem) {
    if (visit === turn) draw(make("p", { class: "problem", role: "alert" }, problem.message));
  }
}

function figures(found) {
  const people = Object.entries(found.reviewers);
  return [
    make("p", null, found.votes + " votes of " + people.length + " reviewers, " + found.blind + " of them blind."),
    found.current ? null : make("p", { class: "soft" }, "There are newer decisions; their figures are being worked out."),
    people.length ? make("ul", null, people.map(([name, count]) => make("li", null, name + ": " + count + " items"))) : null,
    found.figures.length ? table(found.figures) : make("p", { class: "soft" }, "No item has two votes yet."),
    make("p", { class: "soft" }, "1 is agreement throughout, 0 is what chance brings.  Intervals are at 95 %, drawn over whole minimal sets.  Adjudicators have seen the votes and do not count."),
  ];
}

function table(figures) {
  const line = (one) => make("tr", null, make("th", { scope: "row" }, one.measure), make("td", null, one.statistic), make("td", null, one.reviewers.join(", ")),
    make("td", { class: "number" }, make("b", null, number(one.value)), one.value === null ? "" : " " + named(one.value)),
    make("td", { class: "number" }, one.low === null ? "–" : number(one.low) + " to " + number(one.high)),
    make("td", { class: "number" }, one.alike + " of " + one.n));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures of agreement" }, make("table", null,
    make("thead", null, make("tr", null, ["measure", "statistic", "reviewers", "value", "95 % interval", "alike"].map((word) => make("th", { scope: "col" }, word)))),
    make("tbody", null, figures.map(line))));
}
