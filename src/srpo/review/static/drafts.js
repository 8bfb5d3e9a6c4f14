// Decisions that were begun and not saved; they stay with the tab, through a reload or a stopped server.

import { byStep, isTouched, newForm, page } from "./state.js";

const STORE = "srpo-review-drafts";
const MOST = 50;
const keyOf = (item, person) => [page.session.dataset, person.name, person.role, item.number, item.sha256].join("\n");

const all = () => JSON.parse(sessionStorage.getItem(STORE) || "{}");

export function keepDraft(person) {
  const { item, form } = page, found = all();
  if (!item || !form) return;
  delete found[keyOf(item, person)];
  if (isTouched(form, item)) {
    const { open, ...rest } = form;
    found[keyOf(item, person)] = rest;
  }
  const names = Object.keys(found);
  for (const name of names.slice(0, Math.max(0, names.length - MOST))) delete found[name];
  try {
    sessionStorage.setItem(STORE, JSON.stringify(found));
  } catch {
    // A full store must not stop the work; the draft then lives as long as the item is open.
  }
}

export function dropDraft(item, person) {
  const found = all();
  delete found[keyOf(item, person)];
  sessionStorage.setItem(STORE, JSON.stringify(found));
}

// The form of an item: what was begun on these words, or a fresh one.
export function formOf(item, person) {
  const found = all(), name = keyOf(item, person);
  return Object.hasOwn(found, name) ? { ...newForm(item), ...found[name], steps: byStep(found[name].steps) } : newForm(item);
}
