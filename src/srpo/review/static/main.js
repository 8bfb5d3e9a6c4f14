// Beginning: the session, the name, the views, the keys.

import { forgetWho, get, setWho, who } from "./api.js";
import { leaveAgreement, showAgreement } from "./agreement.js";
import { byId, fill, make, say } from "./dom.js";
import { keyTable, listen } from "./keys.js";
import { buildFilters, turn } from "./list.js";
import { page } from "./state.js";
import { act, exists, refresh } from "./work.js";

const NARROW = matchMedia("(max-width: 62rem)");
const addressed = () => Number(/^#item=(\d{1,15})$/.exec(location.hash)?.[1]) || undefined;

// ---- Name and role

const role = () => document.querySelector("input[name=role]:checked").value;

function buildNames() {
  const { reviewers, limits } = page.session;
  const known = reviewers.length > 0 && role() === "reviewer";
  const node = known
    ? make("select", { id: "name" }, reviewers.map((name) => make("option", { value: name }, name)))
    : make("input", { id: "name", maxlength: limits.name, autocomplete: "off", required: true, spellcheck: "false" });
  fill(byId("names"), make("label", { class: "field" }, make("span", null, "Name"), node));
}

function askName() {
  buildNames();
  byId("top").hidden = byId("board").hidden = true;
  if (!byId("welcome").open) byId("welcome").showModal();
  byId("name").focus();
}

async function begin(event) {
  event.preventDefault();
  setWho(byId("name").value, role());
  try {
    await enter();
  } catch (problem) {
    forgetWho();
    fill(byId("sign-in-problem"), problem.message);
  }
}

async function enter() {
  page.item = null;
  const { problem } = await get("/api/who");
  if (problem) throw new Error(problem);
  const number = addressed();
  await refresh(number !== undefined && await exists(number) ? number : undefined);
  fill(byId("who"), who().name + (who().role === "adjudicator" ? " · adjudicator" : "") + (page.session.blind && who().role === "reviewer" ? " · blind" : ""));
  fill(byId("sign-in-problem"));
  byId("welcome").close();
  byId("top").hidden = byId("board").hidden = false;
  view("board");
  document.body.dataset.ready = "";
}

// ---- Views

function view(name) {
  byId("board").hidden = name !== "board";
  byId("agreement").hidden = name !== "agreement";
  if (name !== "agreement") leaveAgreement();
  byId("show-agreement").setAttribute("aria-pressed", String(name === "agreement"));
}

const shows = () => (byId("agreement").hidden ? "board" : "agreement");

function list(open = !document.body.classList.contains(NARROW.matches ? "listing" : "unlisted") === NARROW.matches) {
  document.body.classList.toggle("listing", NARROW.matches && open);
  document.body.classList.toggle("unlisted", !NARROW.matches && !open);
  byId("show-list").setAttribute("aria-expanded", String(open));
  if (open) (document.querySelector("#rows [aria-current]") || byId("f-words")).focus();
  else byId("item").focus();
}

async function agreement() {
  if (shows() === "agreement") {
    view("board");
    byId("item").focus();
    return;
  }
  view("agreement");
  byId("agreement").focus();
  await showAgreement();
}

function search() {
  if (NARROW.matches || document.body.classList.contains("unlisted")) list(true);
  byId("f-words").focus();
  byId("f-words").select();
}

function escape(target) {
  if (shows() === "agreement") return agreement();
  if (target.dataset?.edit) return act.close(target.dataset.edit);
  if (document.body.classList.contains("listing")) return list(false);
  if (page.form?.open.size) return act.close([...page.form.open].pop());
  byId("item").focus();
}

const turned = (by) => turn(by, act).catch((problem) => say(problem.message, true));

const views = {
  list: () => list(), agreement, search, escape, help: () => byId("help").showModal(), hint: (text) => say(text),
  focus: (id) => byId(id)?.focus(), earlier: () => turned(-1), later: () => turned(1),
};

async function start() {
  fill(byId("keys"), keyTable());
  page.session = await get("/api/session");
  fill(byId("dataset"), page.session.dataset);
  document.title = "review " + page.session.dataset;
  buildFilters(act.refresh);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("sign-in").addEventListener("submit", begin);
  byId("welcome").addEventListener("cancel", (event) => event.preventDefault());
  for (const one of document.querySelectorAll("input[name=role]")) one.addEventListener("input", buildNames);
  byId("show-list").addEventListener("click", () => list());
  byId("show-agreement").addEventListener("click", agreement);
  byId("show-keys").addEventListener("click", views.help);
  byId("leave").addEventListener("click", () => { forgetWho(); askName(); });
  byId("earlier").addEventListener("click", views.earlier);
  byId("later").addEventListener("click", views.later);
  byId("show-list").setAttribute("aria-expanded", String(!NARROW.matches));
  listen({ ...act, ...views });
  addEventListener("hashchange", () => who() && addressed() !== undefined && addressed() !== page.item?.number && act.find(addressed()));
  if (who() === null) askName();
  else await enter().catch(() => { forgetWho(); askName(); });
}

start().catch((problem) => say(problem.message, true));
