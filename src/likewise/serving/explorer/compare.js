// Two models side by side: the same person, two lists.
import { ask } from "./api.js";
import { ghosts, h, icon, trouble } from "./dom.js";
import { listRequest } from "./discover.js";
import { listView } from "./list.js";
import { change, remember, request, said, state } from "./state.js";

let view, cards;

export async function compare(root, card) {
  view = root;
  const whom = state.who === "user" && state.user ? `user ${state.user}` : state.ratings.size ? `you, by ${state.ratings.size} ${card.explicit ? "rating" : "like"}${state.ratings.size > 1 ? "s" : ""}` : "a stranger";
  root.replaceChildren(h("h1", {}, "Two models, one person"), h("p", { class: "lead" }, `The same request to both models, for ${whom}.`));
  if (!card.slots.includes("beside")) {
    root.append(h("div", { class: "card empty" }, icon("scales"), h("strong", {}, "There is one model here"), h("span", {}, "Start the service with a second one to compare them:"), h("code", {}, "likewise explore model/ --beside other/")));
    return;
  }
  const columns = [h("section", { class: "card" }, ghosts()), h("section", { class: "card" }, ghosts())];
  root.append(h("div", { class: "two" }, columns));
  try {
    cards ??= await Promise.all(["main", "beside"].map((slot) => ask(`/model?model=${slot}`)));
    const lists = await Promise.all(cards.map((one) => ask(...asked(one))));
    if (view !== root) return;
    lists.forEach((list) => list.items.forEach(remember));
    const ranks = lists.map((list) => new Map(list.items.map((one) => [one.item_id, one.rank])));
    const both = [...ranks[0].keys()].filter((id) => ranks[1].has(id));
    root.querySelector(".lead").append(` ${both.length} of ${lists[0].items.length} are in both lists.`);
    columns.forEach((column, n) => column.replaceChildren(h("div", { class: "head" }, h("div", {}, h("h2", {}, `${cards[n].preset ?? cards[n].name}`), h("p", {}, `${cards[n].name} by ${cards[n].solver.name} · version ${cards[n].version.slice(0, 8)}`)), h("span", { class: n ? "pill" : "pill own" }, n ? "beside" : "main")), listView(lists[n].items, cards[n], { elsewhere: new Map(both.map((id) => [id, ranks[1 - n].get(id)])) })));
  } catch (problem) { root.append(trouble(problem, () => compare(root, card))); }
  if (!state.ratings.size && state.who === "visitor") root.append(h("p", { class: "lead" }, "Both see a stranger. ", h("button", { type: "button", class: "plain", onclick: () => change(() => { state.view = "discover"; }) }, "Rate something first"), " to see them differ."));
}

function asked(card) {
  if (state.who === "user" && state.user) { const [path] = listRequest() ?? []; return [`${path}&model=${card.slot}`.replace("explain=true&", "").replace("&explain=true", "")]; }
  return ["/recommendations", { ...request(card), ...said(card), model: card.slot }];
}
