// The decision: keep, drop or edit, scores, category, first wrong step, note; then votes and checks.

import { make, wordOf } from "./dom.js";
import { editOf, page } from "./state.js";

const SCORES = [["safety", "Safety", "5 = reply and path are entirely safe", "s"], ["difficulty", "Difficulty", "5 = the risk is very hard to see", "d"], ["informativeness", "Informativeness", "5 = the reply helps as much as it may", "i"]];
const STATES = { ok: "✓ ok", fail: "✕ fail", missing: "? could not judge", none: "· not checked" };
const OUTCOMES = { open: "not enough votes yet", keep: "kept", drop: "dropped", disagreement: "reviewers disagree" };

function score([name, label, hint, key], act) {
  const value = page.form[name];
  const choices = [1, 2, 3, 4, 5].map((n) => make("label", null,
    make("input", { type: "radio", name: "score-" + name, value: n, checked: value === n, input: () => act.score(name, n) }), make("span", null, n)));
  return make("div", { class: "score", role: "radiogroup", "aria-label": label + ", 1 to 5: " + hint, title: hint, "data-score": name },
    make("span", { class: "name" }, label, make("kbd", null, key)),
    choices,
    make("button", { type: "button", class: "quiet", "aria-label": "Clear " + label, disabled: value === null, click: () => act.score(name, null) }, "–"));
}

function select(id, label, key, options, value, change) {
  const node = make("select", { id, input: () => change(node.value || null) }, options.map(([slug, word]) => make("option", { value: slug, selected: slug === (value ?? "") }, word)));
  return make("label", { class: "field" }, make("span", null, label, " ", make("kbd", null, key)), node);
}

// The buttons; `edit` needs a change, and `keep` is refused while there is one.
export function buttons(act) {
  const own = page.item.own, edit = editOf(page.form, page.item);
  const button = (decision, label, key) => make("button", {
    type: "button", id: "do-" + decision, class: "act " + decision, "aria-pressed": own?.decision === decision,
    click: () => act.decide(decision),
  }, label, " ", make("kbd", null, key), own?.decision === decision && make("span", { class: "mark" }, "saved"));
  return make("div", { class: "acts", id: "acts" },
    button("keep", "✓ Keep", "y"), button("drop", "✕ Drop", "x"), button("edit", "✎ Save edit", "e"),
    make("button", { type: "button", id: "undo", click: act.undo }, "↶ Undo ", make("kbd", null, "z")),
    edit && make("p", { class: "soft" }, "There are changes: save them with Save edit, or drop the item."));
}

function voteLine(vote) {
  const { steps } = page.session;
  const scores = SCORES.filter(([name]) => vote[name] !== null).map(([name, label]) => label.toLowerCase() + " " + vote[name]);
  const edited = vote.edit ? [vote.edit.question !== null && "request", vote.edit.category, ...Object.keys(vote.edit.steps).map((name) => wordOf(steps, name))].filter(Boolean) : [];
  return make("li", null,
    make("b", null, vote.reviewer), vote.role === "adjudicator" && " (adjudicator)", ": ", make("span", { class: "verdict v-" + vote.decision }, { keep: "✓ keep", drop: "✕ drop", edit: "✎ edit" }[vote.decision]),
    scores.length ? make("span", { class: "soft" }, " " + scores.join(", ")) : null,
    vote.blind && make("span", { class: "soft" }, " blind"),
    edited.length ? make("p", { class: "small" }, "edited: " + edited.join(", ")) : null,
    vote.edit && vote.edit.question !== null && make("p", { class: "text small", dir: "auto" }, make("b", null, "Request: "), vote.edit.question),
    vote.edit && Object.entries(vote.edit.steps).map(([name, words]) => make("p", { class: "text small", dir: "auto" }, make("b", null, wordOf(steps, name), ": "), words)),
    vote.first_wrong_step && make("p", { class: "small" }, "first wrong step: " + wordOf(steps, vote.first_wrong_step)),
    vote.note && make("p", { class: "text small", dir: "auto" }, vote.note));
}

function votesView() {
  const { votes, outcome } = page.item;
  if (votes === null) return make("p", { class: "soft hidden-part" }, "Blind: other votes and the machines' checks are shown after you have decided.");
  return make("div", null, make("h3", null, "Votes"), make("p", { class: "soft" }, OUTCOMES[outcome]),
    votes.length ? make("ul", { class: "votes" }, votes.map(voteLine)) : null);
}

function checksView() {
  const { checks } = page.item;
  if (checks === null) return null;
  const line = (check) => make("details", { class: "check" },
    make("summary", null, make("span", { class: "state st-" + check.state }, STATES[check.state]), " ", check.name.replaceAll("_", " "),
      check.score !== null && make("span", { class: "soft" }, " " + check.score.toFixed(2) + (check.threshold !== null ? " (from " + check.threshold + ")" : ""))),
    check.shown && make("p", { class: "text small", dir: "auto" }, make("b", null, "judged: "), check.shown),
    check.votes.map((vote) => make("div", { class: "small" },
      make("p", null, make("span", { class: "state" }, vote.ok === null ? STATES.missing : vote.ok ? STATES.ok : STATES.fail), " ", vote.judge),
      vote.reason && make("p", { class: "text", dir: "auto" }, vote.reason),
      vote.raw && make("pre", { class: "text raw", dir: "auto" }, vote.raw))));
  return make("div", null, make("h3", null, "Checks by machines"), checks.length ? checks.map(line) : make("p", { class: "soft" }, STATES.none));
}

export function panelView(act) {
  const { item, form, session } = page, categories = Object.entries(session.categories);
  const note = make("textarea", { id: "note", rows: 2, maxlength: session.limits.note, dir: "auto", input: () => act.note(note.value) });
  note.value = form.note;
  return [
    make("h2", null, "Your decision"), buttons(act),
    item.taken && make("p", { class: "soft small", id: "taken" }, "This item has its votes, or others are about to give them: yours would be one more than planned."),
    SCORES.map((one) => score(one, act)),
    make("div", { class: "two" },
      item.cell === "hazard" && select("category", "Category", "c", categories, form.category ?? item.category, act.category),
      select("first-wrong", "First wrong step", "f", [["", "none"], ...item.steps.map((step) => [step.name, wordOf(session.steps, step.name)])], form.first_wrong_step, act.wrongChoice)),
    make("label", { class: "field" }, make("span", null, "Note ", make("kbd", null, "n")), note),
    votesView(), checksView(),
  ];
}
