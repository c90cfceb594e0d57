// The page: which view, in which colours, and what happens to a change.
import { ask } from "./api.js";
import { busy } from "./busy.js";
import { compare } from "./compare.js";
import { discover, refresh } from "./discover.js";
import { ghosts, h, icon, number, trouble } from "./dom.js";
import { item } from "./item.js";
import { map, refreshMap } from "./map.js";
import { model } from "./model.js";
import { address, change, onChange, readAddress, state } from "./state.js";

const VIEWS = { discover: ["Discover", "compass"], map: ["Map", "map"], compare: ["Compare", "scales"], model: ["Model", "pulse"] };
const view = document.getElementById("view");
let card = null, last = "";

function tabs() {
  const held = document.activeElement?.getAttribute?.("data-tab");
  document.getElementById("tabs").replaceChildren(...Object.entries(VIEWS).map(([name, [label, picture]]) => h("a", { href: address().replace(/^#\/\w*/, `#/${name === "discover" ? "" : name}`), "data-tab": name, "aria-current": name === state.view ? "page" : null, onclick: (event) => { event.preventDefault(); change(() => { state.view = name; }); } }, icon(picture), label)));
  if (held) document.querySelector(`[data-tab="${held}"]`)?.focus();
}

function render(fresh = false) { return busy(drawn(fresh)); }

async function drawn(fresh) {
  tabs();
  document.title = `${VIEWS[state.view][0]} · Likewise Explorer`;
  if (!card) return;
  const changed = fresh || last !== state.view;
  last = state.view;
  if (state.view === "discover") await (changed ? discover(view, card) : refresh());
  else if (state.view === "map") await (changed ? map(view, card) : refreshMap());
  else if (changed && state.view === "model") model(view, card);
  else if (state.view === "compare" && (changed || !state.item)) await compare(view, card);
  if (changed && !fresh) { scrollTo(0, 0); view.focus({ preventScroll: true }); }
}

function foot() {
  document.getElementById("foot").replaceChildren(h("span", {}, h("b", {}, card.preset ?? card.name), ` · ${number(card.data.events, 0)} events, ${number(card.data.users, 0)} people, ${number(card.data.items, 0)} items`), h("span", {}, "version ", h("code", {}, card.version)), h("span", {}, "Press ", h("b", {}, "/"), " to search"), h("span", {}, h("a", { href: "/openapi.json" }, "REST API")));
}

function theme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => button.replaceChildren(icon(dark() ? "sun" : "moon"));
  if (localStorage.getItem("likewise-theme")) document.documentElement.dataset.theme = localStorage.getItem("likewise-theme");
  button.addEventListener("click", () => { const next = dark() ? "light" : "dark"; document.documentElement.dataset.theme = next; localStorage.setItem("likewise-theme", next); show(); if (state.view === "map") refreshMap(); });
  show();
}

async function begin() {
  view.replaceChildren(h("h1", {}, "One moment"), h("section", { class: "card" }, ghosts()));
  try {
    card = await ask("/model");
    foot();
    await Promise.all([render(true), item(card)]);
  } catch (problem) { view.replaceChildren(h("h1", {}, "Not here yet"), trouble(problem, begin)); }
}

document.body.append(h("p", { id: "said", class: "visually-hidden", role: "status", "aria-live": "polite" }));
const drawer = document.getElementById("drawer");
const leave = () => { if (state.item) change(() => { state.item = ""; }); };
// At once: `close` is told a task later, and a key pressed in between would find the item still chosen.
drawer.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
drawer.addEventListener("click", (event) => { if (event.target === drawer) leave(); });
drawer.addEventListener("close", () => { if (!drawer.open) leave(); });
addEventListener("popstate", () => { readAddress(); render(); item(card); });
addEventListener("hashchange", () => { if (address() !== location.hash) { readAddress(); render(true); item(card); } });
addEventListener("keydown", (event) => { if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName) ) { const field = document.querySelector("[data-search]"); if (field) { event.preventDefault(); field.focus(); } } });
onChange(() => { render(); if (card) item(card); });
readAddress();
theme();
tabs();
busy(begin());
