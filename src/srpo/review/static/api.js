// Requests to the server, each in the name of the person at this tab.

class Problem extends Error {
  constructor(message, status, now) {
    super(message);
    this.status = status;
    this.now = now;
  }
}

const STORE = "srpo-review";
let person = JSON.parse(sessionStorage.getItem(STORE) || "null");

export const who = () => person;

// The name stays with the tab, so that two people can work in two tabs.
export function setWho(name, role) {
  person = { name, role };
  sessionStorage.setItem(STORE, JSON.stringify(person));
}

export function forgetWho() {
  person = null;
  sessionStorage.removeItem(STORE);
}

async function ask(path, options = {}) {
  const headers = { "X-Srpo-Reviewer": encodeURIComponent(person ? person.name : ""), "X-Srpo-Role": person ? person.role : "reviewer" };
  if (options.body) headers["Content-Type"] = "application/json";
  let reply, read;
  try {
    reply = await fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin", redirect: "error" });
    read = await reply.json();
  } catch {
    throw new Problem("The server does not answer.  Nothing is lost: start it again, then try once more.", 0);
  }
  if (!reply.ok) throw new Problem(read.error || "The server refused.", reply.status, read.now);
  return read;
}

export const get = (path, query) => ask(query ? path + "?" + new URLSearchParams(query) : path);
export const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });
