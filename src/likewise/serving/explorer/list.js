// A list of recommendations that shows how it moves: what rose, what fell, what is new.
import { facts, h, number, shown, tile } from "./dom.js";
import { reasonView, within } from "./reasons.js";
import { stars } from "./stars.js";
import { change, state, steps } from "./state.js";

export function moves(before, items) {
  const places = new Map((before ?? []).map((id, place) => [id, place + 1]));
  return new Map(items.map((item) => [item.item_id, !before?.length ? null : places.has(item.item_id) ? places.get(item.item_id) - item.rank : "new"]));
}

function arrow(move) {
  if (move === null || move === undefined || move === 0) return null;
  if (move === "new") return h("span", { class: "move new" }, "new");
  return h("span", { class: `move ${move > 0 ? "up" : "down"}` }, h("span", { "aria-hidden": "true" }, `${move > 0 ? "▲" : "▼"}${Math.abs(move)}`), h("span", { class: "visually-hidden" }, `${move > 0 ? "rose" : "fell"} ${Math.abs(move)}`));
}

export function scoreView(item, card) {
  if (!card.explicit) return h("span", { class: "score" }, number(item.score, 2));
  return h("span", { class: "score", title: "The rating that the model expects" }, within(item.score, card).toFixed(2), h("small", {}, `of ${card.range?.[1] ?? 5}`));
}

export function listView(items, card, { moved = new Map(), rate = null, openWhy = null, elsewhere = new Map() } = {}) {
  return h("ol", { class: "list", "aria-label": "Recommendations" }, items.map((item) => {
    const title = shown(item);
    const open = openWhy === item.item_id;
    const why = h("button", { type: "button", class: "plain small", "aria-expanded": String(open), "aria-label": `Why ${title}?`, onclick: () => change(() => { state.why = open ? "" : item.item_id; }) }, open ? "Hide why" : "Why?");
    const under = openWhy === null && !rate ? null : h("div", { class: rate ? "under" : "under alone" },
      rate ? stars(title, steps(card), state.ratings.get(item.item_id) ?? null, (value) => rate(item, value)) : null, openWhy !== null ? why : null);
    const row = h("li", { class: `item${elsewhere.has(item.item_id) ? " same" : ""}`, "data-item": item.item_id },
      h("span", { class: "place" }, h("b", {}, String(item.rank)), arrow(moved.get(item.item_id))), tile(item.title),
      h("span", { class: "what" }, h("button", { type: "button", class: "name", onclick: () => change(() => { state.item = item.item_id; }) }, title), facts(item.about), elsewhere.has(item.item_id) ? h("span", { class: "tag" }, `number ${elsewhere.get(item.item_id)} on the other list`) : null),
      h("span", { class: "says" }, scoreView(item, card)), under,
      open && item.reasons ? h("div", { class: "why" }, reasonView(item.reasons, card)) : null);
    return row;
  }));
}

// Rows glide from where they were to where they are.
export function glide(holder, draw) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const before = new Map([...holder.querySelectorAll("[data-item]")].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
  const held = document.activeElement?.closest?.("[data-item]")?.dataset.item;
  const focused = document.activeElement?.getAttribute?.("aria-label");
  draw();
  for (const row of holder.querySelectorAll("[data-item]")) {
    const from = before.get(row.dataset.item);
    if (calm || !before.size) continue;
    const shift = from === undefined ? null : from - row.getBoundingClientRect().top;
    if (shift === null) row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 420, easing: "ease-out" });
    else if (Math.abs(shift) > 2) row.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], { duration: 520, easing: "cubic-bezier(.2,.8,.2,1)" });
  }
  if (held && focused) [...holder.querySelectorAll("[data-item] [aria-label]")].find((node) => node.closest("[data-item]").dataset.item === held && node.getAttribute("aria-label") === focused)?.focus({ preventScroll: true });
}
