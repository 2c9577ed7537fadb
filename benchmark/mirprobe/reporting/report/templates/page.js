"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* An element; attributes and children are set as text, never parsed as HTML. */
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "text", "g", "line", "title"].includes(tag);
  const own = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) own.setAttribute(name, value);
  own.append(...children);
  return own;
}

/* Tables: sorting by a column, filtering by encoder, copying as CSV. */
const text = cell => (cell?.textContent ?? "").trim();
function sort(header) {
  const table = header.closest("table"), body = table.tBodies[0];
  const column = [...header.parentNode.children].indexOf(header);
  const numeric = !header.classList.contains("text") || /rank/.test(text(header));
  const first = numeric && !/rank|^p$/.test(text(header)) ? "descending" : "ascending";
  const other = first === "descending" ? "ascending" : "descending";
  const direction = header.getAttribute("aria-sort") === first ? other : first;
  for (const one of header.parentNode.children) one.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...body.rows].map(row => [numeric ? number(text(row.cells[column])) : text(row.cells[column]), row]);
  rows.sort(([a], [b]) => {
    if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
    return isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : sign * (a - b);
  });
  body.append(...rows.map(([, row]) => row));
}
const number = value => parseFloat(value.replace(/^<\s*/, "").replace("\u2212", "-"));

function csv(table) {
  const quoted = cell => {
    const copy = cell.cloneNode(true);
    all("sup", copy).forEach(one => one.replaceWith(" " + one.textContent));
    all("small", copy).forEach(one => one.replaceWith(" " + one.textContent));
    return '"' + copy.textContent.trim().replace(/\s+/g, " ").replaceAll('"', '""') + '"';
  };
  return [...table.rows].filter(row => !row.hidden)
    .map(row => [...row.cells].filter(cell => !("skip" in cell.dataset)).map(quoted).join(",")).join("\r\n");
}

async function copy(button) {
  const table = button.closest(".tools").parentNode.querySelector("table"), content = csv(table);
  try {
    await navigator.clipboard.writeText(content);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy as CSV"; }, 1500);
  } catch {  // a browser may refuse: the text is selected, to be copied by hand
    const area = make("textarea", { readonly: "", "aria-label": "The table as CSV" }, content);
    button.closest(".tools").after(area);
    area.select();
    button.disabled = true;
  }
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.classList.contains("sort")) sort(button.closest("th"));
  else if (button.classList.contains("csv")) copy(button);
  else if (button.parentNode.classList.contains("tabs")) choose(button.dataset.task);
});

const filter = document.getElementById("filter");
function hide(root) {
  const wanted = filter.value.trim().toLowerCase();
  for (const row of all("tr[data-encoder]", root)) row.hidden = !row.dataset.encoder.toLowerCase().includes(wanted);
  return wanted;
}
filter.addEventListener("input", () => {
  const wanted = hide(document);
  const rows = [...document.getElementById("leaderboard").tBodies[0].rows];
  document.getElementById("found").textContent = wanted ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
});

/* One task at a time, all when printed. A browser reads the others as templates: that is four times as fast. */
function choose(task) {
  for (const button of all(".tabs button")) button.setAttribute("aria-pressed", String(button.dataset.task === task));
  for (const article of all("article")) article.hidden = article.dataset.task !== task;
  build(task);
}
const built = new Set();
function build(task) {
  if (built.has(task)) return;
  built.add(task);
  const template = document.querySelector(`#task${task} > template`);
  template?.replaceWith(template.content);
  pairs(document.querySelector(`.pairs[data-task="${task}"]`), DATA.tasks[task]);
  tracks(document.querySelector(`.tracks[data-task="${task}"]`), DATA.tasks[task].tracks);
  hide(document.getElementById(`task${task}`));
}
addEventListener("beforeprint", () => DATA.tasks.forEach((_, task) => build(String(task))));

function select(label, names, change) {
  const box = make("select", {}, ...names.map((name, value) => make("option", { value }, name)));
  box.addEventListener("change", () => change(+box.value));
  return make("label", {}, label + " ", box);
}
function head(names, texts) {
  return make("thead", {}, make("tr", {}, ...names.map(name => {
    const inside = name.startsWith("\u2212") ? name : make("button", { type: "button", class: "sort" }, name);
    return make("th", { scope: "col", "aria-sort": "none", class: texts.includes(name) ? "text" : "" }, inside);
  })));
}
function scroll(label, ...inside) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, ...inside);
}
const tool = (...inside) => make("div", { class: "tools" }, ...inside, make("button", { type: "button", class: "csv" }, "Copy as CSV"));
const signed = (value, digits = 3) => value === null ? "" : (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(digits);
function interval(low, high) {  // more digits where three would be equal
  if (low === null || high === null) return "";
  const digits = [3, 4, 5, 6].find(n => +low.toFixed(n) !== +high.toFixed(n));
  return digits ? `${signed(low, digits)} to ${signed(high, digits)}` : "no spread";
}

/* Differences of all encoders to the one that is chosen. */
function pairs(place, task) {
  if (!task.pairs.length) {
    place.append(make("p", {}, "No run has paired differences for this task: with one encoder, or with encoders of different runs, there is nothing to compare track by track."));
    return;
  }
  const holder = make("div");
  const widest = Math.max(...task.pairs.flatMap(pair => pair.slice(2, 5).map(x => Math.abs(x ?? 0))), 1e-6);
  const show = reference => {
    const rows = task.pairs.filter(pair => pair[0] === reference || pair[1] === reference).map(([one, other, d, low, high, n, p]) =>
      one === reference ? [other, -d, high === null ? null : -high, low === null ? null : -low, n, p] : [one, d, low, high, n, p]);
    rows.sort((a, b) => b[1] - a[1]);
    const missing = task.encoders.filter((_, index) => index !== reference && !rows.some(row => row[0] === index));
    const scale = value => 50 + 49 * value / widest;
    const names = ["encoder", "difference", "95 %", `\u2212${widest.toFixed(2)} to +${widest.toFixed(2)}`, "p", "verdict", "n"];
    const body = rows.map(([index, d, low, high, n, p]) => {
      const bar = make("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
        make("path", { class: "control", d: "M50 0V12" }));
      if (low !== null) bar.append(make("path", { class: "span", d: `M${scale(low)} 6H${scale(high)}` }));
      bar.append(make("path", { class: "value", d: `M${scale(d)} 1V11` }));
      const verdict = p === null ? "no interval" : p >= 0.05 ? "no significant difference" : d > 0 ? "better" : "worse";
      return make("tr", { "data-encoder": task.encoders[index] },
        make("th", { scope: "row" }, task.encoders[index]), make("td", {}, signed(d)),
        make("td", {}, interval(low, high)),
        make("td", { class: "bar forest", "data-skip": "" }, bar),
        make("td", {}, p === null ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3)),
        make("td", { class: "text" }, verdict), make("td", {}, String(n)));
    });
    const table = make("table", {}, head(names, ["encoder", "verdict"]), make("tbody", {}, ...body));
    hide(table);
    table.tHead.rows[0].cells[3].dataset.skip = "";
    holder.replaceChildren(scroll(`Differences to ${task.encoders[reference]}`, table));
    if (missing.length) holder.append(make("p", { class: "note" }, `No difference is known for ${missing.join(", ")}: scored in another run, without a score, or on other tracks.`));
  };
  place.append(tool(select("Difference to", task.encoders, show)), holder,
    make("p", { class: "note" }, `Difference in ${task.metric} on the same test tracks, with its paired 95 % interval. p is corrected (Holm) over all pairs of all tasks of this page; the interval is not.`));
  show(0);
}

/* Test tracks: a table of scores, worst first, and one track on a time axis. */
function tracks(place, data) {
  if (!data) {
    place.append(make("p", {}, "This run has no stored references, or predictions that a page cannot show on a time axis."));
    return;
  }
  const holder = make("div", { class: "track" });
  const time = data.kind !== "text";
  const names = ["track", ...(time ? data.encoders : ["reference", ...data.encoders])];
  const body = data.tracks.map((track, index) => {
    const name = time ? make("button", { type: "button", class: "pick" }, track.id) : track.id;
    if (time) name.addEventListener("click", () => show(index));
    const cells = time ? track.scores.map(score => make("td", {}, score === null ? "" : score.toFixed(3)))
      : [track.reference, ...track.estimates].map((value, column) =>
          make("td", { class: column && value !== track.reference ? "text other" : "text" }, value));
    return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
  });
  const table = make("table", { class: "tracks-table" }, head(names, time ? ["track"] : names), make("tbody", {}, ...body));
  const left = data.left_out ? ` ${data.left_out} tracks in the middle are left out.` : "";
  let zoom = 1, current = 0;
  const slider = make("input", { type: "range", min: "1", max: "12", step: "0.5", value: "1" });
  slider.addEventListener("input", () => { zoom = +slider.value; show(current); });
  function show(index) {
    current = index;
    const track = data.tracks[index];
    for (const [row, button] of all(".pick", table).entries()) button.setAttribute("aria-pressed", "false");
    all(".pick", table).find(button => button.textContent === track.id)?.setAttribute("aria-pressed", "true");
    const lines = [["reference", track.reference], ...data.encoders.map((name, at) => [name, track.estimates[at], track.scores[at]])];
    const end = Math.max(...lines.map(([, values]) => Math.max(0, ...values))) / 100;
    const wide = Math.round(860 * zoom), scale = seconds => seconds / 100 * wide / end;
    const drawn = lines.map(([name, values, score], at) => make("div", { class: "line" },
      make("span", { title: name }, score == null ? name : `${name} ${score.toFixed(3)}`),
      (data.kind === "beats" ? beats : segments)(values, track.reference, at > 0, scale, wide, data, name)));
    const step = [1, 2, 5, 10, 20, 30, 60].find(one => end / one * 45 < wide) ?? 120;
    const axis = make("svg", { class: "time", width: wide, height: 18, "aria-hidden": "true" });
    const ticks = make("g", { class: "axis" });
    for (let at = 0; at <= end; at += step) ticks.append(make("text", { x: Math.min(scale(at * 100) + 1, wide - 24), y: 12 }, `${at} s`));
    axis.append(ticks);
    holder.replaceChildren(make("h5", {}, track.id), scroll(`Track ${track.id}`, ...drawn, make("div", { class: "line" }, make("span"), axis)));
  }
  place.append(tool(), make("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Test tracks" }, table),
    make("p", { class: "note" }, (time ? "Score of each track, lowest mean first; choose a track to see it." : "Reference and prediction of each track.") + left));
  if (!time) return;
  const key = data.kind === "beats" ? "Solid: within 70 ms of a reference. Dashed: elsewhere." : "Strip below a segment: another chord or label than the reference.";
  place.append(make("div", { class: "tools" }, make("label", {}, "Zoom ", slider), make("span", { class: "note" }, key)), holder);
  show(0);
}

function beats(values, reference, judged, scale, wide, data, name) {
  const own = make("svg", { class: "time", width: wide, height: 24, role: "img", "aria-label": `${name}: ${values.length} times` });
  for (const at of values) {
    const right = !judged || reference.some(other => Math.abs(other - at) <= 7);
    own.append(make("path", { class: right ? "right" : "wrong", d: `M${scale(at).toFixed(1)} ${right ? 2 : 8}V22` }));
  }
  return own;
}

function segments(values, reference, judged, scale, wide, data, name) {
  const own = make("svg", { class: "time", width: wide, height: 26, role: "img", "aria-label": `${name}: ${values.length / 3} segments` });
  for (let at = 0; at < values.length; at += 3) {
    const [start, end, label] = values.slice(at, at + 3), x = scale(start), w = scale(end) - x;
    const box = make("rect", { x: x.toFixed(1), y: 1, width: Math.max(w, .4).toFixed(1), height: 19, fill: colour(data.labels[label]) });
    box.append(make("title", {}, `${data.labels[label]}, ${(start / 100).toFixed(2)} to ${(end / 100).toFixed(2)} s`));
    own.append(box);
    if (w > 7 * data.labels[label].length) own.append(make("text", { x: (x + 3).toFixed(1), y: 15 }, data.labels[label]));
    if (judged) for (let k = 0; k < reference.length; k += 3) {
      const from = Math.max(start, reference[k]), to = Math.min(end, reference[k + 1]), truth = data.classes[reference[k + 2]];
      if (to > from && truth >= 0 && truth !== data.classes[label])
        own.append(make("rect", { class: "wrong", x: scale(from).toFixed(1), y: 21, width: (scale(to) - scale(from)).toFixed(1), height: 4 }));
    }
  }
  return own;
}

/* Chords: hue by the place of the root on the circle of fifths, minor darker; other labels by their text. */
function colour(label) {
  const root = /^([A-G])([#b]*)(?=[:/]|$)/.exec(label);
  if (!root) return label === "N" || label === "X" ? "#c4c7cc" : `hsl(${[...label].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 7) % 360} 45% 72%)`;
  const fifths = "FCGDAEB".indexOf(root[1]) + 7 * (root[2].split("#").length - root[2].split("b").length);
  return `hsl(${((fifths % 12) + 12) % 12 * 30} 60% ${/:(min|dim)/.test(label) ? 62 : 78}%)`;
}

choose("0");
