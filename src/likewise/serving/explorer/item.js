// One item: how it was rated, by how much its raters favour it, what is like it, what its fans also like.
import { ask, query } from "./api.js";
import { bare, facts, ghosts, h, icon, number, readable, shown, tile, trouble } from "./dom.js";
import { rate } from "./discover.js";
import { stars } from "./stars.js";
import { change, remember, state, steps } from "./state.js";

let current = "";

export async function item(card) {
  const dialog = document.getElementById("drawer");
  if (!state.item) { if (dialog.open) dialog.close(); current = ""; return; }
  if (current === state.item && dialog.open) return;
  current = state.item;
  const id = encodeURIComponent(state.item);
  dialog.replaceChildren(h("div", { class: "drawer" }, ghosts(3)));
  if (!dialog.open) dialog.showModal();
  try {
    const [page, alike] = await Promise.all([ask(`/items/${id}`), card.factors ? ask(query(`/items/${id}/similar`, { n: 6 })) : null]);
    if (current !== page.item.item_id) return;
    remember(page.item);
    alike?.items.forEach(remember);
    dialog.setAttribute("aria-label", readable(page.item.title));
    dialog.replaceChildren(drawn(page, alike, card));
    dialog.scrollTop = 0;
  } catch (problem) {
    dialog.replaceChildren(h("div", { class: "drawer" }, h("div", { class: "spread" }, h("h1", { class: "title" }, "This cannot be shown"), closer()), trouble(problem)));
  }
}

const closer = () => h("button", { type: "button", class: "quiet icon", "aria-label": "Close", onclick: () => change(() => { state.item = ""; }) }, icon("close"));

function drawn(page, alike, card) {
  const about = page.item;
  const genres = Object.values(about.about ?? {}).find(Array.isArray) ?? [];
  const title = readable(about.title);
  const top = h("div", { class: "drawer-top" }, tile(about.title, true), h("div", {}, h("h1", { class: "title" }, bare(about.title)), h("span", { class: "facts" }, [about.about?.year, `id ${about.item_id}`].filter(Boolean).join(" · ")), h("div", { class: "chips" }, genres.slice(0, 6).map((genre) => h("span", { class: "pill" }, genre)))), closer());
  const mine = state.who === "visitor" ? h("div", { class: "question" }, h("div", { class: "spread" }, h("strong", {}, state.ratings.has(about.item_id) ? "Your rating" : "Do you know it?"), stars(title, steps(card), state.ratings.get(about.item_id) ?? null, (value) => { rate(about, value); change(() => { state.item = ""; }); }, { big: true }))) : null;
  return h("div", { class: "drawer" }, top, mine, h("div", { class: "cells" }, rated(page, card), effect(page)), section("Alike to the model", alike?.items, (one) => `${Math.round(100 * one.score)} %`, "Nothing: the model has no vectors of items."),
    section("Its fans also like", page.fans, (one) => `${number(one.lift, 1)}× as often`, "Too few fans to say without telling on anybody."));
}

function rated(page, card) {
  const { count, mean, histogram } = page.ratings;
  const most = Math.max(1, ...histogram.map((one) => one.count));
  const bars = histogram.length ? h("div", { class: "bars", role: "img", "aria-label": histogram.map((one) => `${one.count} times ${one.rating}`).join(", ") }, histogram.map((one) => h("span", { title: `${one.count} × ${one.rating}` }, h("i", { vars: { height: `${100 * one.count / most}%` } }), histogram.length > 6 && !Number.isInteger(one.rating) ? "\u00a0" : String(one.rating)))) : null;
  return h("div", { class: "cell" }, h("h2", {}, card.explicit ? "Rated" : "Taken"), h("span", { class: "big" }, mean === null ? number(count, 0) : number(mean, 2), " "), h("span", { class: "small soft" }, mean === null ? "times" : `on average, ${number(count, 0)} ratings`), bars);
}

function effect(page) {
  const cell = h("div", { class: "cell" }, h("h2", {}, "Liked beyond the usual"));
  if (!page.effect) { cell.append(h("span", { class: "small soft" }, "Without ratings, nothing can be said.")); return cell; }
  const { value, low, high } = page.effect;
  const reach = Math.max(1, Math.abs(low), Math.abs(high)) * 1.1;
  const at = (x) => `${50 + 50 * x / reach}%`;
  const words = low > 0 ? "Its raters give it more than they usually give." : high < 0 ? "Its raters give it less than they usually give." : "Within what its raters usually give.";
  cell.append(h("span", { class: "big" }, `${value >= 0 ? "+" : "−"}${number(Math.abs(value), 2)}`), h("div", { class: "whisker", role: "img", "aria-label": `${value}, 95 percent interval ${low} to ${high}` }, h("span", { class: "zero", vars: { left: "50%" } }), h("span", { class: "span", vars: { left: at(low), right: `${100 - (50 + 50 * high / reach)}%` } }), h("span", { class: "dot", vars: { left: at(value) } })),
    h("span", { class: "small soft" }, `95 % interval ${number(low, 2)} to ${number(high, 2)}. ${words}`));
  return cell;
}

function section(name, items, says, nothing) {
  return h("section", { class: "stack" }, h("h2", {}, name), items?.length ? h("ul", { class: "mini" }, items.map((one) => h("li", {}, tile(one.title), h("span", { class: "what" }, h("button", { type: "button", class: "name", onclick: () => change(() => { state.item = one.item_id; }) }, shown(one)), facts(one.about)), h("span", { class: "soft small num" }, says(one))))) : h("p", { class: "soft small" }, nothing));
}
