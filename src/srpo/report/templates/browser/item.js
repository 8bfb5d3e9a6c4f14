// One item: list entry and reading view.  Text of models goes into text nodes only; nothing is ever parsed as markup.

const brief = (text) => (text.length > 60 ? text.slice(0, 60) + "…" : text);

function badges(row, item) {
  const change = changeOf(row, scale(), sides()), out = [];
  if (item.cell) out.push(make("span", { class: "badge b-" + item.cell }, wordOf("cell", item.cell)));
  for (const text of [wordOf("category", item.category), item.split, item.level && "level " + item.level, row.decoding, row.probe && "probe: " + row.probe, row.repeat ? "draw " + (row.repeat + 1) : ""]) {
    if (text) out.push(make("span", { class: "badge" }, brief(text)));
  }
  if (change === "fixed" || change === "broken") out.push(make("span", { class: "badge c-" + change }, change));
  return make("span", { class: "badges" }, ...out);
}

function verdicts(row) {
  const measure = scale();
  return data.systems.map((system, place) => {
    const output = row.outputs[place], [word, icon, kind] = MARKS[(output && output.marks[measure]) || "-"];
    return make("span", { class: "chip k-" + kind }, make("span", { class: "icon", "aria-hidden": "true" }, icon), brief(system), make("span", { class: "sr" }, output ? " " + word : " no answer"));
  });
}

function listed(place, number) {
  const row = data.rows[place], item = data.items[row.item], request = item.question.slice(0, 160);
  const button = make("button", { type: "button", "data-number": number, "aria-current": number === open ? "true" : null, click: () => choose(number, false) },
    make("span", { class: "request", dir: "auto" }, request || "(no request)"), badges(row, item), make("span", { class: "marks" }, ...verdicts(row)));
  return make("li", {}, button);
}

function words(text, name) {
  const terms = (state.q || "").split(/\s+/).filter(Boolean).map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = terms.length ? text.split(new RegExp("(" + terms.join("|") + ")", "gi")) : [text];
  return make("p", { class: name, dir: "auto" }, ...parts.map((part, i) => (i % 2 ? make("mark", {}, part) : part)));
}

function cell(system, [kind, word, text, risk], same) {
  const icon = make("span", { class: "icon", "aria-hidden": "true" }, data.words.icon[kind] || "");
  const head = make("span", { class: "step-head" }, make("span", { class: "by" }, brief(system)), risk ? make("span", { class: "badge" }, "names a risk") : null,
    same ? make("span", { class: "note" }, "same words") : null, word ? make("span", { class: "verdict" }, icon, word) : null);
  return make("div", { class: "step k-" + (word ? kind : "none") + (same ? " same" : "") }, head, words(text, "step-text"));
}

// One line per step, all systems side by side; a step that a system wrote twice gives two lines.
function lines(row) {
  const order = [], table = new Map();
  row.outputs.forEach((output, place) => {
    const seen = { __proto__: null };
    for (const [slug, title, text, kind, risk] of output ? output.steps : []) {
      const key = slug + "#" + (seen[slug] = (seen[slug] || 0) + 1);
      if (!table.has(key)) { table.set(key, { title, cells: [] }); order.push(key); }
      table.get(key).cells[place] = [kind, data.words.kind[kind] || "", text, risk];
    }
  });
  return order.map((key) => table.get(key));
}

function line(title, cells) {
  const first = cells.find(Boolean);
  const side = data.systems.map((system, place) => cell(system, cells[place] || ["none", "", "(nothing)"], cells[place] && cells[place] !== first && cells[place][2] === first[2]));
  return make("section", { class: "line" }, make("h3", {}, title), make("div", { class: "side" }, ...side));
}

function pairs(rows) {
  return make("dl", { class: "facts-list" }, ...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", { dir: "auto" }, text)]));
}

function toldBy(row) {
  const blocks = [];
  row.outputs.forEach((output, place) => {
    if (!output) return;
    for (const note of output.notes) blocks.push(make("p", { class: "note" }, data.systems[place] + ": " + note));
    for (const told of output.told) {
      blocks.push(make("div", { class: "told" }, make("strong", {}, data.systems[place] + ", judged by " + told.judge), pairs(told.values),
        ...told.notes.map((note) => make("p", { class: "note" }, note)), ...told.raw.map((text) => make("details", {}, make("summary", {}, "What the judge wrote"), words(text, "step-text")))));
    }
  });
  return blocks;
}

function picture(place) {
  pictures = pictures || JSON.parse(byId("pictures").textContent);
  const { name, source } = pictures[place], gone = () => make("p", { class: "note" }, "The picture cannot be read: " + name);
  if (!source) return gone();
  const image = make("img", { src: source, alt: "Picture of the item", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(gone()));
  return image;
}

function bodyOf(row, item) {
  const short = item.facts.filter(([, text]) => text.length < 200), long = item.facts.filter(([, text]) => text.length >= 200);
  const facts = [pairs(short), ...long.map(([name, text]) => make("details", {}, make("summary", {}, name), words(text, "step-text")))];
  const steps = lines(row).map(({ title, cells }) => line(title, cells));
  const replies = line("Reply", row.outputs.map((output) => output && [output.reply[1], output.reply[2], output.reply[0], false]));
  return [make("div", { class: "pictures" }, ...item.pictures.map(picture)), ...facts, ...steps, replies, ...toldBy(row)];
}

function uncover(item) {
  uncovered.add(item);
  showDetail();
  byId("detail").focus();
}

function showDetail() {
  const detail = byId("detail"), row = data.rows[found[open]];
  document.body.classList.toggle("item-open", Boolean(row));
  if (!row) return detail.replaceChildren(make("p", { class: "note" }, "Choose an item to read it. Pictures and replies of unsafe items stay covered until you uncover them."));
  const item = data.items[row.item], covered = item.sensitive && !uncovered.has(row.item) && byId("reveal").getAttribute("aria-pressed") !== "true";
  const name = open + 1 + " of " + found.length, step = (label, to) => make("button", { type: "button", disabled: !(to in found), click: () => choose(to, false) }, label);
  const bar = make("div", { class: "bar" }, make("button", { type: "button", class: "back", click: close }, "Back to the list"), step("Previous", open - 1), make("span", { class: "note" }, name), step("Next", open + 1),
    make("button", { type: "button", click: () => { state = { benchmark: state.benchmark }; set("group", item.group); byId("list").focus(); } }, "Whole set"));
  const cover = make("button", { type: "button", class: "cover", click: () => uncover(row.item) }, "Show picture, reasoning and replies ", make("span", { class: "note" }, "They may hold harmful content."));
  detail.replaceChildren(bar, badges(row, item), make("h2", { class: "sr" }, "Item " + name), words(item.question, "question"), make("p", { class: "note mono" }, item.id),
    make("p", { class: "marks" }, ...verdicts(row)), ...(covered ? [cover] : bodyOf(row, item)));
  detail.scrollTop = 0;
}
