// The item: picture, request, steps and reply, each with its editor; sensitive parts are covered.

import { make, wordOf } from "./dom.js";
import { showDiff } from "./diff.js";
import { page } from "./state.js";

const covered = (label, text, uncover) =>
  page.uncovered
    ? make("div", { class: "sensitive" }, make("h3", null, label), make("p", { class: "text", dir: "auto" }, text))
    : make("button", { type: "button", class: "cover", click: uncover }, "Show: " + label.toLowerCase(), make("kbd", null, "u"));

function picture(item, label = "Picture of this item") {
  if (!item.image) return make("p", { class: "no-image" }, "This item has no picture: its context stands in the request.");
  const node = make("img", { src: "/image/" + item.number, alt: label, width: item.image.width, height: item.image.height, decoding: "async" });
  node.addEventListener("error", () => node.replaceWith(make("p", { class: "problem" }, "The picture cannot be shown: its file is missing, changed, or no picture.")));
  return node;
}

function badges(item) {
  const { cells, categories } = page.session;
  const words = [wordOf(cells, item.cell), item.category && wordOf(categories, item.category), item.split];
  return make("p", { class: "badges" }, words.filter(Boolean).map((word, n) => make("span", { class: n ? "badge" : "badge cell-" + (item.cell === "hazard" ? "hazard" : "benign") }, word)));
}

function editor(name, label, original, value, act) {
  const changes = make("div", { class: "changes" });
  const show = (words) => changes.replaceChildren(...(words.trim() === original.trim() ? [] : [showDiff(original, words)]));
  const area = make("textarea", {
    "data-edit": name, "aria-label": label + ", new words", dir: "auto", maxlength: page.session.limits.words, spellcheck: "true",
    rows: Math.min(14, 2 + Math.ceil(original.length / 70)),
    input: () => { show(area.value); act.write(name, area.value); },
  });
  area.value = value;
  show(value);
  return make("div", { class: "editor" }, area, changes,
    make("div", { class: "tools" },
      make("button", { type: "button", click: () => act.close(name) }, "Done ", make("kbd", null, "Esc")),
      make("button", { type: "button", click: () => act.reset(name) }, "Original words")));
}

// One part with its editor, closed or open; closed and changed it shows the difference.
function part(name, number, label, original, act) {
  const form = page.form, value = (name === "question" ? form.question : form.steps[name]) ?? original;
  const changed = value.trim() !== original.trim(), open = form.open.has(name), wrong = form.first_wrong_step === name;
  const shown = open ? editor(name, label, original, value, act)
    : changed ? showDiff(original, value)
    : make("p", { class: "text", dir: "auto" }, original);
  const shared = name === "question" && (open || changed) && page.item.same_request.length > 0;
  return make("section", { class: "part" + (wrong ? " wrong" : ""), "data-part": name, "aria-label": label },
    make("header", null,
      make("h3", null, label, changed && make("span", { class: "mark" }, "edited"), wrong && make("span", { class: "mark" }, "✕ first wrong step")),
      make("span", { class: "tools" },
        name !== "question" && make("button", { type: "button", class: "quiet", "aria-pressed": wrong, click: () => act.wrong(name) }, wrong ? "Not wrong" : "First wrong"),
        make("button", { type: "button", class: "quiet", "aria-expanded": open, click: () => (open ? act.close(name) : act.edit(name)) }, open ? "Close" : "Edit", make("kbd", null, number)))),
    shown,
    shared && make("p", { class: "soft small", id: "shared" }, "Item " + page.item.same_request.join(", ") + " of this set has the same request and needs the same edit, or the set is left out.  Save edit opens it with your words in the form."));
}

export function itemView(item, act) {
  const { steps } = page.session;
  const path = item.steps.filter((step) => step.name !== "answer");
  const reply = item.steps.find((step) => step.name === "answer");
  return [
    make("div", { class: "heading" }, make("h2", null, "Item " + item.number), badges(item),
      make("div", { class: "tools" },
        make("button", { type: "button", click: act.previous }, "Previous ", make("kbd", null, "k")),
        make("button", { type: "button", click: act.next }, "Next ", make("kbd", null, "j")),
        make("button", { type: "button", "aria-pressed": page.whole !== null, click: act.whole }, "Whole set ", make("kbd", null, "w")))),
    make("div", { class: "pair" },
      make("figure", null, picture(item), make("figcaption", { class: "soft" }, item.caption || "", " ", item.licence, " · ", item.source)),
      make("div", null,
        part("question", "q", "Request", item.question, act),
        item.hypothesis && covered("Unsafe event", item.hypothesis, act.uncover),
        item.unsafe_reply && covered("Unsafe reply", item.unsafe_reply, act.uncover))),
    make("h2", { class: "rule" }, "Reasoning"),
    make("div", { class: "steps" }, path.map((step, n) => part(step.name, String(n + 1), n + 1 + " " + wordOf(steps, step.name), step.text, act))),
    reply && part("answer", "7", "Reply", reply.text, act),
  ];
}

// All cells of the set beside each other, to compare; a click opens one.
export function wholeSet(cells, act) {
  const { steps } = page.session;
  return make("div", { class: "cells" }, cells.map((item) =>
    make("article", { class: item.number === page.item.number ? "current" : null, "aria-label": "Item " + item.number },
      badges(item), picture(item, "Picture of item " + item.number),
      make("p", { class: "text strong", dir: "auto" }, item.question),
      make("details", null, make("summary", null, "Six steps"),
        item.steps.filter((step) => step.name !== "answer").map((step) => make("p", { class: "text small", dir: "auto" }, make("b", null, wordOf(steps, step.name), ": "), step.text))),
      item.steps.filter((step) => step.name === "answer").map((step) => make("p", { class: "text", dir: "auto" }, step.text)),
      item.own && make("p", { class: "soft" }, "You: " + item.own.decision),
      make("button", { type: "button", click: () => act.show(item.number) }, item.number === page.item.number ? "This item" : "Open item " + item.number))));
}
