// The map of items: near means alike to the model. The visitor stands on it.
import { ask, query } from "./api.js";
import { bare, ghosts, h, icon, readable, tile, trouble } from "./dom.js";
import { searchBox } from "./search.js";
import { change, said, state } from "./state.js";

const COLOURS = ["#5a4fe0", "#e08a00", "#1f9d6b", "#d6455d", "#2b8fd0", "#a24cc4", "#8a7a1f", "#d9608f"];
let chart, card, points, side, drawn = false;

export async function map(view, model) {
  card = model;
  drawn = false;
  chart = h("div", { id: "chart", role: "group", "aria-label": "Map of items; the list beside it says the same in words" });
  side = h("div", { class: "stack" });
  const find = searchBox("Find an item on the map", (item) => point(item));
  view.replaceChildren(h("h1", {}, "The map"), h("p", { class: "lead" }, "Every dot is an item; near means alike to the model. Draw around dots with the lasso to see what they are. The star is you."),
    h("div", { class: "split" }, h("div", { class: "stack" }, find, h("div", { class: "stack later" }, side)), h("section", { class: "card", "aria-label": "Map" }, chart)));
  if (!card.factors) return chart.replaceWith(h("div", { class: "empty" }, icon("map"), h("strong", {}, "This model has no map"), h("span", {}, "It knows no directions of taste. Serve a model of vectors, such as dot.")));
  chart.replaceChildren(ghosts(5));
  try {
    const [found] = await Promise.all([ask(query("/map", { n: 1000 })), bundle()]);
    points = found.points;
    await draw(found);
  } catch (problem) { chart.replaceChildren(h("div", { class: "pad" }, trouble(problem, () => map(view, model)))); }
}

export async function refreshMap() { if (drawn && chart.isConnected) { restyle(); await stand(); } }

function bundle() {
  if (window.Plotly) return Promise.resolve();
  return new Promise((done, fail) => {
    // The bundle brings styles for street maps, which the content policy refuses and nothing here needs: they are left out.
    const add = document.head.appendChild;
    document.head.appendChild = (node) => node.tagName === "STYLE" ? node : add.call(document.head, node);
    const end = (work) => (given) => { delete document.head.appendChild; work(given); };
    const missing = { title: "The plots are missing", detail: "Plotly's Python package is not installed where the service runs: pip install 'likewise[serve]'" };
    document.head.append(h("script", { src: "/explore/plotly.min.js", onload: end(done), onerror: end(() => fail(missing)) }));
  });
}

const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// The ends of an axis with room at its sides for names.
function room(axis, share) {
  const values = points.map((one) => one[axis]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [low - share * (high - low), high + share * (high - low)];
}

function layout() {
  const probe = h("span", { vars: { color: "var(--ink)" } });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  const axis = { showgrid: false, zeroline: false, showticklabels: false, ticks: "" };
  return { margin: { l: 12, r: 12, t: 12, b: 12 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color, family: css("font-family") || "sans-serif", size: 13 }, hovermode: "closest", dragmode: innerWidth < 720 ? "pan" : "lasso", showlegend: true,
    legend: { orientation: "h", y: -0.01, yanchor: "top", x: 0, itemsizing: "constant" }, xaxis: { ...axis, range: room("x", innerWidth < 720 ? .16 : .08) }, yaxis: { ...axis, range: room("y", .06) }, modebar: { bgcolor: "rgba(0,0,0,0)", color, activecolor: COLOURS[0] } };
}

async function draw(found) {
  const count = new Map();
  for (const one of points) count.set(one.group, (count.get(one.group) ?? 0) + 1);
  const groups = [...count].filter(([name]) => name).sort((a, b) => b[1] - a[1]).slice(0, COLOURS.length).map(([name]) => name);
  const traces = [...groups, "Other"].map((group, n) => {
    const of = points.filter((one) => group === "Other" ? !groups.includes(one.group) : one.group === group);
    return { type: "scatter", mode: "markers", name: group, x: of.map((one) => one.x), y: of.map((one) => one.y), text: of.map((one) => readable(one.title)), customdata: of.map((one) => one.item_id), hovertemplate: "%{text}<extra></extra>", marker: { size: 8, opacity: .78, color: COLOURS[n] ?? "#8b8a98", line: { width: .6, color: "rgba(255,255,255,.5)" } } };
  }).filter((trace) => trace.x.length);
  traces.push({ type: "scatter", mode: "text", name: "Names", ...apart(points.slice(0, 120)), textposition: "top center", textfont: { size: 12 }, showlegend: false, hoverinfo: "skip" });
  traces.push({ type: "scatter", mode: "markers+text", name: "Found", x: [], y: [], text: [], textposition: "top center", showlegend: false, hoverinfo: "skip", marker: { size: 18, symbol: "circle-open", color: "#e08a00", line: { width: 3 } } });
  traces.push({ type: "scatter", mode: "markers+text", name: "You", x: [], y: [], text: ["You"], textposition: "top center", showlegend: false, hoverinfo: "skip", marker: { size: 22, symbol: "star", color: "#ffb454", line: { width: 1.6, color: "#5b3a00" } } });
  chart.replaceChildren();
  await window.Plotly.newPlot(chart, traces, layout(), { responsive: true, displaylogo: false, scrollZoom: true, modeBarButtons: [["lasso2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] });
  drawn = true;
  chart.on("plotly_click", (event) => { const id = event.points[0]?.customdata; if (id) change(() => { state.item = id; }); });
  chart.on("plotly_selected", (event) => chosen(event?.points?.map((one) => one.customdata).filter(Boolean) ?? []));
  chosen([]);
  await stand();
  const share = found.explained.map((part) => `${Math.round(100 * part)} %`);
  side.append(h("p", { class: "small soft" }, `The ${points.length} best known items. The two directions hold ${share.join(" and ")} of what the model tells items apart by; the rest is not on a flat map.`));
}

// The best known names that do not lie on one another.
function apart(best) {
  const [most, wide, high] = innerWidth < 720 ? [8, 6, .9] : [16, 2.4, .55];
  const kept = [];
  for (const one of best) if (kept.length < most && kept.every((other) => Math.abs(other.x - one.x) > wide || Math.abs(other.y - one.y) > high)) kept.push(one);
  return { x: kept.map((one) => one.x), y: kept.map((one) => one.y), text: kept.map((one) => bare(one.title).replace(/ \(.*|: .*$/, "").slice(0, 28)) };
}

function restyle() { const { xaxis, yaxis, ...colours } = layout(); window.Plotly.relayout(chart, colours); }

async function stand() {
  const person = state.who === "user" && state.user ? { user_id: state.user } : said(card);
  const { place } = await ask("/map", person).catch(() => ({ place: null }));
  const last = chart.data.length - 1;
  await window.Plotly.restyle(chart, { x: [place ? [place.x] : []], y: [place ? [place.y] : []], text: [[state.who === "user" ? `User ${state.user}` : "You"]] }, [last]);
  document.getElementById("said").textContent = place ? "Your place is marked on the map." : "";
  side.querySelector("[data-you]")?.remove();
  side.prepend(h("p", { class: "pill own", "data-you": "" }, place ? "The star shows where your taste points" : "Rate something to stand on the map"));
}

function point(item) {
  const known = points?.find((one) => one.item_id === item.item_id);
  if (!known) { chosen([]); change(() => { state.item = item.item_id; }); return; }
  window.Plotly.restyle(chart, { x: [[known.x]], y: [[known.y]], text: [[readable(known.title)]] }, [chart.data.length - 2]);
  const near = [...points].sort((a, b) => Math.hypot(a.x - known.x, a.y - known.y) - Math.hypot(b.x - known.x, b.y - known.y));
  chosen(near.slice(0, 12).map((one) => one.item_id), `Nearest to ${readable(known.title)}`);
}

function chosen(ids, title = `${ids.length} inside the lasso`) {
  const found = ids.map((id) => points.find((one) => one.item_id === id)).filter(Boolean);
  const groups = Object.entries(Object.groupBy ? Object.groupBy(found, (one) => one.group || "Other") : {}).sort((a, b) => b[1].length - a[1].length).slice(0, 3);
  const box = h("section", { class: "card pad stack", "aria-label": "Chosen on the map", "data-chosen": "" }, h("h2", {}, ids.length ? title : "Choose on the map"),
    ids.length ? h("p", { class: "small soft" }, groups.map(([name, of]) => `${name} ${Math.round(100 * of.length / found.length)} %`).join(" · ")) : h("p", { class: "small soft" }, "Nothing is chosen yet: circle dots with the lasso, or search for an item."),
    h("ul", { class: "mini" }, found.slice(0, 12).map((one) => h("li", {}, tile(one.title), h("span", { class: "what" }, h("button", { type: "button", class: "name", onclick: () => change(() => { state.item = one.item_id; }) }, readable(one.title)), h("span", { class: "facts" }, one.group))))));
  side.querySelector("[data-chosen]")?.remove();
  side.append(box);
}
