// What people do: open items, edit, decide, undo.  Keys and buttons call the same actions.

import { get, post, who } from "./api.js";
import { byId, fill, make, randomKey, say } from "./dom.js";
import { dropDraft, formOf, keepDraft } from "./drafts.js";
import { itemView, wholeSet } from "./item.js";
import { filter, highlight, search, showRows } from "./list.js";
import { buttons, panelView } from "./panel.js";
import { editOf, newForm, page } from "./state.js";

let key = randomKey(), conflict = null, waiting = 0, missed = "", searches = 0, chain = Promise.resolve();

// ---- Drawing

// Draw anew and put the focus back on the same control, which is another node then.
function redraw(wanted) {
  const was = wanted || mark(document.activeElement);
  const { item } = page;
  if (!item) {
    fill(byId("item"), make("div", { class: "empty" }, make("h2", null, "Nothing to do here"), make("p", { class: "soft" }, "No item fits the filters.  Choose Show: All in the list, or take another role.")));
    fill(byId("decide"));
    return;
  }
  const [heading, ...rest] = itemView(item, act);
  fill(byId("item"), conflict && notice(), heading, page.whole && wholeSet(page.whole, act), rest);
  fill(byId("decide"), panelView(act));
  const node = was && find(was);
  if (node) node.focus({ preventScroll: !wanted });
}

function mark(node) {
  if (!node || node === document.body) return null;
  const part = node.closest("[data-part]")?.dataset.part;
  const at = part ? [...node.closest("[data-part]").querySelectorAll("button")].indexOf(node) : -1;
  return { id: node.id, part, at, edit: node.dataset?.edit, name: node.name, value: node.type === "radio" ? node.value : undefined };
}

function find(was) {
  if (was.id) return byId(was.id);
  if (was.edit) return [...document.querySelectorAll("[data-edit]")].find((node) => node.dataset.edit === was.edit);
  if (was.value !== undefined) return [...document.getElementsByName(was.name)].find((node) => node.value === was.value);
  const part = was.part && [...document.querySelectorAll("[data-part]")].find((node) => node.dataset.part === was.part);
  return part ? part.querySelectorAll("button")[was.at] || part.querySelector("button") : null;
}

function notice() {
  return make("div", { class: "conflict", role: "alert", id: "conflict" }, make("h2", null, "Nothing was saved yet"), make("p", null, conflict),
    make("p", null, "What stands now is under Votes.  Your own words are still in the form: save again to keep them, or take what stands."),
    make("button", { type: "button", id: "take", click: () => { page.form = newForm(page.item); dropDraft(page.item, who()); conflict = null; redraw({ id: "item" }); } }, "Take what stands"));
}

function showProgress(progress) {
  byId("bar").max = Math.max(1, progress.my_total);
  byId("bar").value = progress.mine;
  fill(byId("counts"), progress.mine + " of " + progress.my_total + " by you · " + progress.decided + " of " + progress.total + " decided" +
    (progress.disagreements ? " · ≠ " + progress.disagreements + (progress.disagreements === 1 ? " disagreement" : " disagreements") : ""));
}

function touched() {
  keepDraft(who());
  const old = byId("acts");
  if (old) old.replaceWith(buttons(act));
}

// ---- Items

async function take(item, focus) {
  page.item = item;
  page.form = formOf(item, who());
  page.whole = null;
  page.uncovered = false;
  page.since = performance.now();
  key = randomKey();
  conflict = null;
  history.replaceState(null, "", "#item=" + item.number);
  document.body.classList.remove("listing");
  redraw();
  if (focus) byId("item").focus({ preventScroll: true });
  byId("item").scrollTop = 0;
  scrollTo(0, 0);
  highlight();
  showRows(act).catch((problem) => say(problem.message, true)); // the list may come later than the item
}

async function show(number) {
  if (page.item) keepDraft(who());
  await take(await get("/api/items/" + number), true);
}

// False, and said, if the dataset has no such item.
export async function exists(number) {
  const { rows } = await get("/api/rows", { numbers: number });
  if (!rows.length) say("Item " + number + " is not in the dataset.", true);
  return rows.length > 0;
}

async function step(by) {
  const at = page.item ? page.numbers.indexOf(page.item.number) : -1;
  const next = page.numbers[at + by];
  if (next !== undefined) return show(next);
  say(by > 0 ? "This is the last item of the list." : "This is the first item of the list.");
}

async function afterDecision() {
  const rest = page.numbers.slice((page.numbers.indexOf(page.item.number) + 1) || page.numbers.length);
  if (rest.length) {
    const next = await get("/api/items/" + rest[0]);
    if (!next.taken || filter.state !== "todo") return take(next, true);
    const turn = searches, progress = await search(() => turn !== searches); // others were faster: go on behind them
    if (progress === null) return;
    showProgress(progress);
    const left = new Set(page.numbers), number = rest.find((one) => left.has(one));
    if (number !== undefined) return show(number);
  }
  await refresh();
  if (page.numbers.length && page.numbers[0] !== page.item?.number) return show(page.numbers[0]);
  page.item = null;
  redraw();
}

// Search anew and open the item of the address, the first one that fits, or none.
export async function refresh(number) {
  const turn = searches, progress = await search(() => turn !== searches);
  if (progress === null) return; // the filters have changed meanwhile, and a search for them is waiting
  showProgress(progress);
  const wanted = number ?? (page.item && page.numbers.includes(page.item.number) ? page.item.number : page.numbers[0]);
  if (wanted === undefined) {
    page.item = null;
    redraw();
    await showRows(act);
  } else if (wanted === page.item?.number) await showRows(act);
  else await take(await get("/api/items/" + wanted), false);
}

// ---- Decisions

// One action after the other; what goes wrong is said, and nothing is lost.
function queue(work) {
  waiting++;
  byId("item").setAttribute("aria-busy", "true");
  chain = chain.then(work).catch((problem) => {
    if (problem.status === 409 && problem.now) meet(problem);
    else say(problem.message, true);
  }).finally(() => {
    byId("item").setAttribute("aria-busy", String(--waiting > 0));
    if (waiting || !missed) return;
    const said = byId("status").textContent;
    say(said === missed ? said : said + "  " + missed, true);
    missed = "";
  });
  return chain;
}

// While the page is at work, the item that a key is meant for may be another one than the item that is shown.
function miss(decision) {
  missed = "Not taken: " + decision + ", which came while the page was still at work.  Look at the item, then decide again.";
  say(missed, true);
}

function meet(problem) {
  const form = page.form;
  page.item = problem.now;
  page.form = form;
  key = randomKey();
  conflict = problem.message;
  say(""); // what is said floats above the page, and would cover the notice
  redraw({ id: "conflict" });
}

function refusal(decision, edit) {
  if (decision === "edit" && !edit) return "Nothing is changed.  Press 1 to 7 or q to edit, c for the category; or keep the item.";
  if (decision === "keep" && edit) return "There are changes.  Press e to save them as an edit, or put the original words back.";
  return null;
}

async function decide(decision) {
  const { item, form } = page;
  if (!item) return;
  const edit = editOf(form, item), problem = refusal(decision, edit);
  if (problem) return say(problem, true);
  const saved = await post("/api/items/" + item.number + "/decide", {
    key, version: item.version, sha256: item.sha256, decision, edit: decision === "edit" ? edit : null, note: form.note,
    safety: form.safety, difficulty: form.difficulty, informativeness: form.informativeness, first_wrong_step: form.first_wrong_step,
    seconds: Math.round((performance.now() - page.since) / 100) / 10,
  });
  dropDraft(item, who());
  page.item = saved;
  page.form = newForm(saved);
  conflict = null;
  showProgress(saved.progress);
  say("Saved: " + decision + " item " + item.number + ".  z undoes it.");
  if (!(decision === "edit" && edit.question !== null && await carry(saved, edit.question))) await afterDecision();
}

// Open the cell that shares the request of a saved edit, with the new request in its form; false if none needs it.
async function carry(saved, question) {
  for (const number of saved.same_request) {
    const other = await get("/api/items/" + number);
    if (other.own?.decision === "drop" || other.own?.edit?.question === question) continue;
    await take(other, true);
    page.form.question = question;
    keepDraft(who());
    redraw();
    say("Saved: edit item " + saved.number + ".  Item " + number + " has the same request: it is in the form, Save edit (e) keeps it there too.");
    return true;
  }
  return false;
}

async function undo() {
  if (!page.item?.own) {
    const { number } = await get("/api/last");
    if (number === null) return say("You have decided nothing that could be undone.");
    if (number !== page.item?.number) await show(number);
  }
  const done = await post("/api/items/" + page.item.number + "/undo", { version: page.item.version });
  await take(done, true);
  showProgress(done.progress);
  say("Undone: your decision on item " + done.number + ".");
}

// ---- Actions of keys and buttons

const stepAt = (number) => page.item.steps.filter((one) => one.name !== "answer")[number - 1]?.name;
const named = (number) => (number === 7 ? "answer" : stepAt(number));

export const act = {
  show: (number) => queue(() => show(number)),
  find: (number) => queue(async () => await exists(number) && show(number)),
  refresh() {
    searches++;
    return queue(() => refresh());
  },
  next: () => queue(() => step(1)),
  previous: () => queue(() => step(-1)),
  todo: () => queue(async () => {
    const { number } = await get("/api/next");
    if (number === null) say("Nothing is left to do for you.");
    else await show(number);
  }),
  decide: (decision) => (waiting ? miss(decision) : queue(() => decide(decision))), // what is pressed twice must not decide the next item
  undo: () => queue(undo),
  edit(name) {
    if (!page.item || !name) return;
    page.form.open.add(name);
    redraw({ edit: name });
  },
  editNumber: (number) => page.item && act.edit(named(number)),
  close(name) {
    page.form.open.delete(name);
    redraw({ part: name, at: name === "question" ? 0 : 1 });
  },
  reset(name) {
    if (name === "question") page.form.question = null;
    else delete page.form.steps[name];
    touched();
    redraw({ edit: name });
  },
  write(name, words) {
    if (name === "question") page.form.question = words;
    else page.form.steps[name] = words;
    touched();
  },
  wrong: (name) => act.wrongChoice(page.form.first_wrong_step === name ? null : name),
  wrongChoice(name) {
    page.form.first_wrong_step = name;
    touched();
    redraw();
  },
  wrongNumber: (number) => page.item && act.wrongChoice(number === 0 ? null : named(number) ?? null),
  score(name, value) {
    if (!page.item) return;
    page.form[name] = value;
    touched();
    redraw();
    say(value === null ? name + " cleared" : name + ": " + value);
  },
  category(slug) {
    page.form.category = slug;
    touched();
  },
  note(words) {
    page.form.note = words;
    touched();
  },
  uncover() {
    page.uncovered = !page.uncovered;
    redraw();
  },
  whole: () => queue(async () => {
    if (!page.item) return;
    page.whole = page.whole ? null : (await get("/api/items/" + page.item.number + "/set")).cells;
    redraw();
    byId("item").scrollIntoView({ block: "start" });
  }),
};
