// Differences between two texts, word by word.

import { make } from "./dom.js";

const MOST = 4_000_000;

const words = (text) => text.match(/\s+|[^\s]+/g) || [];

// Parts [kind, text] with kind "same", "gone" or "new", from the longest common run of words.
function diff(before, after) {
  const a = words(before), b = words(after);
  if (a.length * b.length > MOST) return [["gone", before], ["new", after]];
  const width = b.length + 1, table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const parts = [];
  const put = (kind, text) => {
    const last = parts[parts.length - 1];
    if (last && last[0] === kind) last[1] += text;
    else parts.push([kind, text]);
  };
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { put("same", a[i]); i++; j++; }
    else if (i < a.length && (j === b.length || table[(i + 1) * width + j] >= table[i * width + j + 1])) { put("gone", a[i]); i++; }
    else { put("new", b[j]); j++; }
  }
  return parts;
}

// The difference to read: struck out what is gone, underlined what is new, so that colour is not needed.
export function showDiff(before, after) {
  const tags = { same: "span", gone: "del", new: "ins" };
  const nodes = diff(before, after).map(([kind, text]) => make(tags[kind], null, text));
  return make("p", { class: "diff", "aria-label": "Changes against the original", dir: "auto" }, nodes);
}
