// Nodes from data.  Text goes into text nodes only; nothing is ever parsed as markup.

// Whatever has no shape of its own: controls, directions, tags, private and unassigned characters.  The joiners are
// those that scripts and emoji need.
const HIDDEN = /(?![\t\n\r\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu;

export const byId = (id) => document.getElementById(id);

// Hidden characters as visible code points, so that they act on nothing.
const visible = (text) =>
  String(text).replace(HIDDEN, (c) => "[U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");

// An element; attributes that are null or false are left out, `click` and `input` are listeners.
export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name.startsWith("aria-") && typeof value === "boolean") node.setAttribute(name, String(value));
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(9)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : visible(child));
  }
}

export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
}

// A word for a slug of the data, which may be called like anything.
export const wordOf = (words, slug) => (slug !== null && Object.hasOwn(words, slug) ? words[slug] : String(slug ?? ""));

let clearing = 0;

// Say what happened, aloud for readers of the screen, and for a while on it.
export function say(text, problem = false) {
  const node = byId("status");
  node.textContent = visible(text);
  node.classList.toggle("problem", problem);
  clearTimeout(clearing);
  if (!problem) clearing = setTimeout(() => { node.textContent = ""; }, 6000);
}

export const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
