// The graph as a page that needs nothing but itself. The order of what stands in each block was found before; here blocks
// are folded, sized and placed as `place.rs` does it, searched, and shown beside the text they come from.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const { blocks, steps, arranged, sources } = data;
const PADDING = 14, TITLE = 26, GAP_X = 18, GAP_Y = 26, SWEEPS = 40, LARGE = 7.25, SMALL = 6.05;
const state = { open: new Set(), shapes: "symbolic", batch: data.batch, chosen: null, hits: [], hit: -1, colours: "kind", x: 0, y: 0, zoom: 1 };
const escape = (s) => String(s).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

// --- numbers -------------------------------------------------------------------------------------------------------
// A size such as `3 * B + (T / 2)`, for a batch; NaN where it has other unknowns.
function evaluate(text, batch) {
  const words = text.match(/[A-Za-z_#.][\w#.]*|\d+|[-+*\/%^()]/g) || [];
  let at = 0;
  const leaf = () => {
    const w = words[at++];
    if (w === "(") { const x = sum(); at++; return x; }
    if (w === "-") return -power();
    return /^\d/.test(w) ? Number(w) : w === "B" ? batch : NaN;
  };
  const power = () => { const x = leaf(); if (words[at] === "^") { at++; return x ** leaf(); } return x; };
  const product = () => {
    let x = power();
    while (["*", "/", "%"].includes(words[at])) {
      const o = words[at++], y = power();
      x = o === "*" ? x * y : o === "/" ? Math.floor(x / y) : x - y * Math.floor(x / y);
    }
    return x;
  };
  const sum = () => {
    let x = product();
    while (["+", "-"].includes(words[at])) { const o = words[at++], y = product(); x = o === "+" ? x + y : x - y; }
    return x;
  };
  return words.length ? sum() : 0;
}
const grouped = (text) => String(text).replace(/(?<![\w#.])\d+/g, (n) => n.replace(/\B(?=(\d{3})+$)/g, ","));
function short(x, unit) {
  if (!isFinite(x)) return "?";
  for (const [size, name] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (x >= size) { const n = x / size; return `${n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)} ${name}${unit}`; }
  }
  return `${Math.round(x)} ${unit}`;
}
function concrete(type) {
  return type.replace(/\[(.*)\]$/, (_, inside) => "[" + inside.split(", ").map((d) => { const n = evaluate(d, state.batch); return isNaN(n) ? d : n; }).join(", ") + "]");
}
const shape = (type) => (state.shapes === "numbers" ? concrete(type) : type);

// --- what is drawn -------------------------------------------------------------------------------------------------
const level = (b) => { let n = 0; while (blocks[b].parent !== null) { b = blocks[b].parent; n++; } return n; };
function few() {
  state.open = new Set([0]);
  blocks.forEach((b, i) => { if (!b.library && b.children.length) state.open.add(i); });
  let deep = 9;
  while (visible() > 90 && deep > 1) { deep--; [...state.open].forEach((b) => { if (level(b) > deep - 1) state.open.delete(b); }); }
}
function visible(b = 0) {
  return blocks[b].children.reduce((n, [k, i]) => n + (k === "b" && state.open.has(i) ? visible(i) : 1), 0);
}
function words(b) {
  const params = b.trained + b.frozen, list = [];
  if (params) list.push(params < 10000 ? `${grouped(params)} params` : `${short(params, "").trim()} params`);
  if (b.flops !== "0") list.push(short(evaluate(b.flops, state.batch), "FLOP"));
  return list.join(" · ");
}
const folded = (b) => [b.title, b.outputs.length ? shape(b.outputs[0]) : "", words(b)];
function box(lines, pad, least, height) {
  const width = Math.max(lines[0].length * LARGE, ...lines.slice(1).map((l) => l.length * SMALL)) + pad;
  const w = Math.max(width, least);
  return { w, h: height, above: w / 2, below: w / 2 };
}
const stepBox = (s) => box([s.label, shape(s.type)], 24, 64, 38);
const foldedBox = (b) => { const l = folded(b); return box(l, 28, 90, 30 + 14 * l.slice(1).filter(Boolean).length); };

function apart(wanted, ranked, sizes) {
  let offset = 0;
  const offsets = ranked.map((s) => { const o = offset; offset += sizes[s].w + GAP_X; return o; });
  const pools = [];
  wanted.forEach(([at, weight], i) => {
    let pool = [(at - offsets[i]) * weight, weight, 1];
    while (pools.length && pools.at(-1)[0] / pools.at(-1)[1] > pool[0] / pool[1]) {
      const before = pools.pop();
      pool = [pool[0] + before[0], pool[1] + before[1], pool[2] + before[2]];
    }
    pools.push(pool);
  });
  const out = [];
  pools.forEach(([sum, weight, n]) => { for (let k = 0; k < n; k++) out.push(sum / weight + offsets[out.length]); });
  return out;
}
function columns(a, sizes) {
  const next = sizes.map(() => []), bend = (s) => a.slots[s] === ".";
  for (const { path } of a.wires) for (let i = 0; i + 1 < path.length; i++) {
    const [p, q] = [path[i], path[i + 1]], weight = bend(p) && bend(q) ? 4 : 1;
    next[p].push([q, sizes[q].above - sizes[p].below, weight]);
    next[q].push([p, sizes[p].below - sizes[q].above, weight]);
  }
  const x = sizes.map(() => 0);
  for (const ranked of a.ranks) {
    let at = -(ranked.reduce((n, s) => n + sizes[s].w + GAP_X, 0) - GAP_X) / 2;
    for (const s of ranked) { x[s] = at; at += sizes[s].w + GAP_X; }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const ranks = sweep % 2 ? [...a.ranks].reverse() : a.ranks;
    for (const ranked of ranks) {
      const wanted = ranked.map((s) => {
        const weight = next[s].reduce((n, [, , w]) => n + w, 0);
        return weight ? [next[s].reduce((n, [o, d, w]) => n + (x[o] + d) * w, 0) / weight, weight] : [x[s], 0.1];
      });
      apart(wanted, ranked, sizes).forEach((at, i) => (x[ranked[i]] = at));
    }
  }
  return x;
}
// Places what is in a block; the result is kept in `placed`.
function place(b, placed) {
  const block = blocks[b], a = arranged[b], inner = {};
  for (const [k, i] of block.children) inner[k + i] = k === "s" ? stepBox(steps[i]) : state.open.has(i) ? place(i, placed) : foldedBox(blocks[i]);
  const none = { w: 0, h: 0, above: 0, below: 0 };
  const sizes = a.slots.map((s) => inner[s] || none);
  const x = columns(a, sizes), title = b ? TITLE + 8 : 0;
  const left = Math.min(0, ...x), right = Math.max(0, ...x.map((v, i) => v + sizes[i].w));
  const least = b ? block.title.length * LARGE + words(block).length * SMALL + 2 * PADDING + 24 : 0;
  const w = Math.max(right - left + 2 * PADDING, least), shift = (w - (right - left)) / 2 - left;
  for (let i = 0; i < x.length; i++) x[i] += shift;
  const y = sizes.map(() => 0);
  let top = title;
  const reach = sizes.map(() => [0, 0]);
  a.ranks.forEach((ranked, r) => {
    const h = Math.max(0, ...ranked.map((s) => sizes[s].h)), border = ranked.every((s) => a.slots[s] === "^" || a.slots[s] === "_");
    if (border && r > 0) top += PADDING - GAP_Y;
    ranked.forEach((s) => (y[s] = top + (h - sizes[s].h) / 2));
    ranked.forEach((s) => (reach[s] = [top, top + h]));
    top += h + (border ? 8 : GAP_Y);
  });
  const out = a.slots.indexOf("_"), into = a.slots.indexOf("^");
  const h = out >= 0 ? top - 8 : top - GAP_Y + PADDING;
  if (into >= 0) { y[into] = 0; reach[into] = [0, 0]; }
  if (out >= 0) { y[out] = h; reach[out] = [h, h]; }
  placed.set(b, { x, y, sizes, w, h, reach });
  return { w, h, above: into >= 0 ? x[into] : w / 2, below: out >= 0 ? x[out] : w / 2 };
}
// A line stays upright as long as it is in a rank, so that it passes what stands there.
function wirePoints(path, p) {
  const down = p.reach[path[0]][0] <= p.reach[path.at(-1)][0], out = [];
  path.forEach((s, i) => {
    const [top, bottom] = p.reach[s], above = p.x[s] + p.sizes[s].above, below = p.x[s] + p.sizes[s].below;
    if (i === 0) out.push([below, p.y[s] + p.sizes[s].h], [below, bottom]);
    else if (i === path.length - 1) out.push([above, top], [above, p.y[s]]);
    else if (down) out.push([p.x[s], top], [p.x[s], bottom]);
    else out.push([p.x[s], bottom], [p.x[s], top]);
  });
  return out.filter(([x, y], i) => !i || x !== out[i - 1][0] || y !== out[i - 1][1]);
}
function curve(points) {
  let d = `M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [x1, y1] = points[i - 1], [x2, y2] = points[i], pull = Math.max(6, Math.abs(y2 - y1) / 2) * (y2 < y1 ? -1 : 1);
    d += Math.abs(x1 - x2) < 0.5 ? `L${x2.toFixed(1)} ${y2.toFixed(1)}` : `C${x1.toFixed(1)} ${(y1 + pull).toFixed(1)} ${x2.toFixed(1)} ${(y2 - pull).toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
  }
  return d;
}
const texts = (lines, x, y) => lines.filter(Boolean).map((l, i) => `<text class="${i ? "small" : "name"}" x="${x}" y="${y + 14 * i}" text-anchor="middle">${escape(l)}</text>`).join("");
const figure = (it) => (state.colours === "params" ? (it.trained || 0) + (it.frozen || 0) : evaluate(it[state.colours] || "0", state.batch));
const most = () => Math.max(1, ...blocks.slice(1).filter((b) => b.library || !b.children.some(([k]) => k === "b")).map(figure));
const part = (it, top) => (state.colours === "kind" ? "" : ` style="--part:${Math.min(1, figure(it) / top).toFixed(3)}"`);

let boxes = new Map();
function render() {
  const placed = new Map(), whole = place(0, placed), top = most();
  boxes = new Map();
  const chosen = (key) => (state.chosen === key ? " chosen" : "") + (state.hits.includes(key) ? " hit" : "");
  const draw = (b, ox, oy) => {
    const p = placed.get(b), block = blocks[b], a = arranged[b];
    let out = "";
    if (b) {
      boxes.set("b" + b, [ox, oy, p.w, p.h]);
      out += `<g class="block open ${block.tone}${chosen("b" + b)}" data-key="b${b}" data-path="${escape(block.path)}"${part(block, top)}><rect class="body" x="${ox}" y="${oy}" width="${p.w}" height="${p.h}" rx="10"/><rect class="head" x="${ox}" y="${oy}" width="${p.w}" height="${TITLE + 2}" rx="10"/></g>`;
    }
    for (const wire of a.wires) {
      const points = wirePoints(wire.path, p);
      const ends = [a.slots[wire.path[0]], a.slots[wire.path.at(-1)]];
      out += `<path class="wire${ends.includes(state.chosen) ? " on" : ""}" d="${curve(points.map(([x, y]) => [x + ox, y + oy]))}"${ends[1] !== "_" ? ' marker-end="url(#tip)"' : ""}><title>${escape(shape(wire.type))}</title></path>`;
    }
    // Above the lines.
    if (b) out += `<text class="name over" x="${ox + PADDING}" y="${oy + 18}">${escape(block.title)}</text><text class="small over" text-anchor="end" x="${ox + p.w - PADDING}" y="${oy + 18}">${escape(words(block))}</text>`;
    a.slots.forEach((slot, i) => {
      if (!/^[bs]/.test(slot)) return;
      const n = Number(slot.slice(1)), x = ox + p.x[i], y = oy + p.y[i], s = p.sizes[i];
      if (slot[0] === "b" && state.open.has(n)) { out += draw(n, x, y); return; }
      boxes.set(slot, [x, y, s.w, s.h]);
      if (slot[0] === "b") {
        const inner = blocks[n];
        out += `<g class="block ${inner.tone}${chosen(slot)}" data-key="${slot}" data-path="${escape(inner.path)}"${part(inner, top)}><rect x="${x}" y="${y}" width="${s.w}" height="${s.h}" rx="8"/>${texts(folded(inner), x + s.w / 2, y + 19.5)}</g>`;
      } else {
        const step = steps[n];
        out += `<g class="step ${step.role}${chosen(slot)}" data-key="${slot}"${part(step, top)}><title>${escape(step.operations)}</title><rect x="${x}" y="${y}" width="${s.w}" height="${s.h}" rx="${step.role === "operation" ? 6 : s.h / 2}"/>${texts([step.label, shape(step.type)], x + s.w / 2, y + 16.5)}</g>`;
      }
    });
    return out;
  };
  $("view").innerHTML = draw(0, 0, 0);
  $("drawing").classList.toggle("searching", state.hits.length > 0);
  $("drawing").classList.toggle("heat", state.colours !== "kind");
  state.whole = whole;
  move();
}
function move() { $("view").setAttribute("transform", `translate(${state.x} ${state.y}) scale(${state.zoom})`); }
function fit() {
  const c = $("canvas").getBoundingClientRect();
  state.zoom = Math.max(0.15, Math.min(1.25, (c.width - 40) / state.whole.w, (c.height - 60) / state.whole.h));
  // A tall graph is read from its top.
  if (state.zoom < 0.6) state.zoom = Math.min(0.9, Math.max(0.6, (c.width - 40) / state.whole.w));
  state.x = (c.width - state.whole.w * state.zoom) / 2;
  state.y = Math.max(20, (c.height - state.whole.h * state.zoom) / 2);
  move();
}
function centre(key) {
  const b = boxes.get(key), c = $("canvas").getBoundingClientRect();
  if (!b) return;
  state.x = c.width / 2 - (b[0] + b[2] / 2) * state.zoom;
  state.y = c.height / 2 - (b[1] + Math.min(b[3], c.height / state.zoom) / 2) * state.zoom;
  move();
}
// Opens or closes a block; what was clicked stays where it is.
function toggle(b) {
  const before = boxes.get("b" + b);
  if (state.open.has(b)) state.open.delete(b); else if (blocks[b].children.length) state.open.add(b);
  render();
  const after = boxes.get("b" + b);
  if (before && after) { state.x += (before[0] + before[2] / 2 - after[0] - after[2] / 2) * state.zoom; state.y += (before[1] - after[1]) * state.zoom; move(); }
}

// --- details and text ----------------------------------------------------------------------------------------------
function both(symbolic, unit) {
  const n = evaluate(symbolic, state.batch);
  const number = isNaN(n) ? "" : unit === "bytes" ? (n < 1e4 ? `${grouped(n)} bytes` : short(n, "B")) : short(n, unit);
  return `<span class="value">${escape(grouped(symbolic))}</span>${/[A-Z]/i.test(symbolic) && number ? ` <span class="also">= ${number}</span>` : number && n >= 1000 ? ` <span class="also">= ${number}</span>` : ""}`;
}
const types = (list) => list.map((t) => `<code>${escape(t)}</code>${concrete(t) !== t ? ` <span class="also">${escape(concrete(t))}</span>` : ""}`).join("<br>");
function choose(key) {
  state.chosen = key;
  const it = key === null ? blocks[0] : key[0] === "b" ? blocks[+key.slice(1)] : steps[+key.slice(1)];
  const rows = [], row = (name, html) => html && rows.push(`<tr><td>${name}</td><td>${html}</td></tr>`);
  if (it.inputs && it.inputs.length) row("takes", types(it.inputs));
  if (it.outputs && it.outputs.length) row("gives", types(it.outputs));
  if (it.type) row("gives", types([it.type]));
  if (it.operations) row("operations", `<code>${escape(it.operations)}</code>`);
  if (it.trained) row("trained", `<span class="value">${grouped(it.trained)}</span>`);
  if (it.frozen) row("frozen", `<span class="value">${grouped(it.frozen)}</span>`);
  if (it.state) row("state", `<span class="value">${grouped(it.state)}</span>`);
  if (it.flops !== "0") row("FLOPs", both(it.flops, "FLOP"));
  if (it.kept !== "0") row("kept", both(it.kept, "bytes"));
  if (it.turns) row("turns", `<span class="value">${escape(it.turns)}</span>`);
  for (const [name, type, kind] of it.variables || []) row(escape(kind), `<code>${escape(name)}: ${escape(type)}</code>`);
  if (it.place) row("source", `<code>${escape(sources[it.place.file].name)}:${it.place.line}</code>`);
  const name = key === null ? data.title : it.title || it.label;
  $("details").innerHTML = `<h2 id="chosen">${escape(name)}</h2><div class="path">${escape(it.path || (key && key[0] === "s" ? blocks[it.block].path : ""))}</div><table>${rows.join("")}</table>`;
  if (it.place) show(it.place);
}
let shownFile = -1;
function show(at) {
  if (at.file !== shownFile) {
    shownFile = at.file;
    $("file").value = at.file;
    $("text").innerHTML = sources[at.file].text.split("\n").map((l, i) => `<div data-line="${i + 1}">${escape(l) || " "}</div>`).join("");
  }
  document.querySelectorAll("#text .on").forEach((e) => e.classList.remove("on"));
  for (let l = at.line; l <= (at.end || at.line); l++) { const e = $("text").children[l - 1]; if (e) e.classList.add("on"); }
  const e = $("text").children[Math.max(0, at.line - 1)];
  if (e) $("text").scrollTop = e.offsetTop - $("text").offsetTop - $("text").clientHeight / 3;
  const path = sources[at.file].path;
  $("editor").hidden = !path;
  if (path) $("editor").href = `vscode://file${path.startsWith("/") ? "" : "/"}${encodeURI(path)}:${at.line}:${at.column || 1}`;
}
// What a line of the text makes: the smallest thing that begins there or holds it.
function fromLine(file, line) {
  const all = [...steps.map((s, i) => ["s" + i, s]), ...blocks.map((b, i) => ["b" + i, b]).slice(1)];
  const holds = all.filter(([, it]) => it.place && it.place.file === file && it.place.line <= line && line <= it.place.end);
  holds.sort(([, a], [, b]) => a.place.end - a.place.line - (b.place.end - b.place.line));
  if (holds.length) { reveal(holds[0][0]); choose(holds[0][0]); render(); centre(holds[0][0]); }
}
function reveal(key) {
  let b = key[0] === "s" ? steps[+key.slice(1)].block : blocks[+key.slice(1)].parent;
  while (b) { state.open.add(b); b = blocks[b].parent; }
}

// --- search --------------------------------------------------------------------------------------------------------
function search() {
  const q = $("search").value.trim().toLowerCase();
  state.hits = []; state.hit = -1;
  if (q) {
    const match = (...list) => list.some((t) => t && String(t).toLowerCase().includes(q));
    blocks.forEach((b, i) => { if (i && match(b.name, b.kind, b.path, ...b.outputs)) state.hits.push("b" + i); });
    steps.forEach((s, i) => { if (match(s.label, s.operations, s.type)) state.hits.push("s" + i); });
  }
  $("found").textContent = q ? String(state.hits.length) : "";
  list();
  render();
}
function list() {
  $("hits").hidden = !state.hits.length || document.activeElement !== $("search");
  $("hits").innerHTML = state.hits.slice(0, 60).map((key, i) => {
    const it = key[0] === "b" ? blocks[+key.slice(1)] : steps[+key.slice(1)];
    return `<li data-hit="${i}"${i === state.hit ? ' class="on"' : ""}><span>${escape(it.title || it.label)}</span><small>${escape(key[0] === "b" ? it.path : blocks[it.block].path)}</small></li>`;
  }).join("");
}
function go(i) {
  if (!state.hits.length) return;
  state.hit = (i + state.hits.length) % state.hits.length;
  const key = state.hits[state.hit];
  reveal(key); choose(key); render(); centre(key); list();
}

// --- hands ---------------------------------------------------------------------------------------------------------
let drag = null, moved = false;
$("canvas").addEventListener("pointerdown", (e) => { drag = [e.clientX, e.clientY]; moved = false; });
addEventListener("pointermove", (e) => {
  if (!drag) return;
  const [dx, dy] = [e.clientX - drag[0], e.clientY - drag[1]];
  if (!moved && Math.hypot(dx, dy) < 4) return;
  moved = true; $("canvas").classList.add("drag");
  state.x += dx; state.y += dy; drag = [e.clientX, e.clientY]; move();
});
addEventListener("pointerup", () => { drag = null; $("canvas").classList.remove("drag"); });
$("canvas").addEventListener("click", (e) => {
  if (moved) return;
  const g = e.target.closest("[data-key]");
  if (!g) { choose(null); render(); return; }
  const key = g.dataset.key, n = +key.slice(1);
  choose(key);
  if (key[0] === "b" && (!state.open.has(n) || e.target.classList.contains("head"))) toggle(n); else render();
});
$("canvas").addEventListener("wheel", (e) => {
  e.preventDefault();
  if (e.ctrlKey || e.metaKey) {
    const c = $("canvas").getBoundingClientRect(), x = e.clientX - c.left, y = e.clientY - c.top;
    const zoom = Math.max(0.1, Math.min(4, state.zoom * Math.exp(-e.deltaY / 300)));
    state.x = x - ((x - state.x) * zoom) / state.zoom; state.y = y - ((y - state.y) * zoom) / state.zoom; state.zoom = zoom;
  } else { state.x -= e.shiftKey ? e.deltaY : e.deltaX; state.y -= e.shiftKey ? 0 : e.deltaY; }
  move();
}, { passive: false });
$("search").addEventListener("input", search);
$("search").addEventListener("focus", list);
$("search").addEventListener("blur", () => setTimeout(() => ($("hits").hidden = true), 150));
$("search").addEventListener("keydown", (e) => {
  if (e.key === "Enter") { go(state.hit + (e.shiftKey ? -1 : 1)); e.preventDefault(); }
  if (e.key === "ArrowDown") { go(state.hit + 1); e.preventDefault(); }
  if (e.key === "ArrowUp") { go(state.hit - 1); e.preventDefault(); }
  if (e.key === "Escape") { $("search").value = ""; search(); $("canvas").focus(); }
});
$("hits").addEventListener("mousedown", (e) => { const li = e.target.closest("[data-hit]"); if (li) { go(+li.dataset.hit); e.preventDefault(); } });
$("batch").addEventListener("input", () => { const n = Math.floor(Number($("batch").value)); if (n >= 1) { state.batch = n; choose(state.chosen); render(); } });
$("shapes").addEventListener("click", (e) => {
  if (!e.target.dataset.shapes) return;
  state.shapes = e.target.dataset.shapes;
  for (const b of $("shapes").children) b.classList.toggle("on", b === e.target);
  render();
});
$("colours").addEventListener("change", () => { state.colours = $("colours").value; render(); });
const unfold = () => { blocks.forEach((b, i) => b.children.length && state.open.add(i)); render(); };
const fold = () => { state.open = new Set([0]); render(); fit(); };
$("unfold").onclick = unfold; $("fold").onclick = fold; $("fit").onclick = fit;
$("text").addEventListener("click", (e) => { const d = e.target.closest("[data-line]"); if (d && !String(getSelection())) fromLine(shownFile, +d.dataset.line); });
$("file").addEventListener("change", () => show({ file: +$("file").value, line: 1, end: 0 }));
addEventListener("keydown", (e) => {
  if (/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) return;
  const keys = { "/": () => { $("search").focus(); e.preventDefault(); }, e: unfold, c: fold, f: fit };
  if (keys[e.key] && !e.ctrlKey && !e.metaKey) keys[e.key]();
});
addEventListener("resize", fit);

$("title").innerHTML = `${escape(data.title)}<small>${escape(words(blocks[0]))}</small>`;
$("batch").value = state.batch;
$("file").innerHTML = sources.map((s, i) => `<option value="${i}">${escape(s.name)}</option>`).join("");
few(); choose(null); render(); fit();
// `#Net.dense_1` goes to a layer.
const wanted = decodeURIComponent(location.hash.slice(1));
const at = wanted ? blocks.findIndex((b) => b.path === wanted) : -1;
if (at > 0) { reveal("b" + at); state.open.add(at); choose("b" + at); render(); fit(); if (state.zoom < 0.7) centre("b" + at); }
