// The first view: who you are on the left, what the recommender makes of it on the right.
import { ask, query } from "./api.js";
import { showCode } from "./code.js";
import { controls, used } from "./controls.js";
import { facts, ghosts, h, icon, readable, shown, tile, toast, trouble } from "./dom.js";
import { glide, listView, moves } from "./list.js";
import { searchBox } from "./search.js";
import { stars } from "./stars.js";
import { change, names, remember, request, said, state, steps } from "./state.js";

let card, root, title, lead, side, holder, tools, head, before = null, last = "", turn = 0, question = null, asked = "";

export async function discover(view, model) {
  card = model;
  root = view;
  before = null; last = ""; asked = ""; question = null;
  side = h("div", { class: "stack" });
  tools = h("div", { class: "controls" });
  head = h("div", { class: "head" });
  holder = h("div", {}, ghosts());
  root.replaceChildren(title = h("h1"), lead = h("p", { class: "lead" }),
    h("div", { class: "split" }, side, h("section", { class: "card", "aria-label": "List" }, head, tools, holder)));
  await refresh();
}

export async function refresh() {
  if (!root?.isConnected) return;
  title.textContent = state.who === "user" ? "What would they love next?" : "What would you love next?";
  lead.textContent = state.who === "user" ? "What somebody did, beside what the model would give them, and why." : card.explicit ? "Rate a few things you know. The list is made anew at every star, and says why." : "Say what you like. The list is made anew every time, and says why.";
  drawSide();
  drawHead();
  tools.hidden = !state.tools;
  if (state.tools && !tools.contains(document.activeElement)) tools.replaceChildren(...controls(card));
  await Promise.all([drawList(), drawQuestion()]);
}

export function listRequest() {
  const wanted = request(card);
  if (state.who === "user") {
    if (!state.user) return null;
    return [query(`/users/${encodeURIComponent(state.user)}/recommendations`, { ...wanted, explain: true }), undefined, wanted];
  }
  return ["/recommendations", { ...wanted, ...said(card), explain: true }, wanted];
}

async function drawList() {
  const mine = turn += 1;
  const wanted = listRequest();
  if (!wanted) return holder.replaceChildren(h("div", { class: "empty" }, icon("compass"), h("strong", {}, "Whose list?"), h("span", {}, "Give a user's id to see their history beside what is recommended.")));
  const [path, body] = wanted;
  const key = `${path} ${JSON.stringify(body)}`;
  if (!last && !holder.querySelector(".stale")) holder.replaceChildren(ghosts());
  try {
    const found = key === last && holder.found ? holder.found : await ask(path, body);
    if (mine !== turn) return;
    found.items.forEach(remember);
    const ids = found.items.map((item) => item.item_id);
    if (key !== last) { holder.moved = moves(before, found.items); if (before) announce(found, holder.moved); before = ids; }
    last = key; holder.found = found;
    glide(holder, () => holder.replaceChildren(found.items.length ? listView(found.items, card, { moved: holder.moved, rate: state.who === "visitor" ? rate : null, openWhy: state.why })
      : h("div", { class: "empty" }, icon("tune"), h("strong", {}, "Nothing passes these filters"), h("span", {}, "Loosen one of them, or clear all."), h("button", { type: "button", class: "quiet", onclick: () => change(() => { state.chosen = {}; state.from = {}; state.to = {}; }) }, "Clear the filters"))));
    drawHead(found);
  } catch (problem) {
    if (mine !== turn) return;
    const note = h("div", { class: "pad" }, trouble(problem, () => { last = ""; drawList(); drawQuestion(true); }));
    const old = holder.querySelector(".list");
    old?.classList.add("stale");
    holder.replaceChildren(note, ...(old ? [old] : []));
  }
}

function announce(found, moved) {
  const rose = [...moved.values()].filter((move) => move === "new" || move > 0).length;
  document.getElementById("said").textContent = `The list has changed: ${rose} of ${found.items.length} rose or are new. First is ${readable(found.items[0]?.title ?? "nothing")}.`;
}

function drawHead(found = holder.found) {
  const status = found?.user?.status;
  const basis = state.who === "user" ? (!state.user ? "By the id in your data" : status === "cold" ? "This id is not known: what everybody likes" : status === "folded" ? `Their history and ${found.user.feedback} new events` : `From ${found?.user?.history ?? "…"} entries of their history`)
    : state.ratings.size ? `From your ${state.ratings.size} ${card.explicit ? "rating" : "like"}${state.ratings.size > 1 ? "s" : ""}` : "Best known first, until you say something";
  head.replaceChildren(h("div", {}, h("h2", {}, state.who !== "user" ? "For you" : state.user ? `For user ${state.user}` : "For somebody"), h("p", {}, basis)),
    h("div", { class: "row" }, h("button", { type: "button", class: "quiet", "aria-expanded": String(state.tools), onclick: () => change(() => { state.tools = !state.tools; }) }, used() ? `Filters and knobs (${used()})` : "Filters and knobs"),
      h("button", { type: "button", class: "quiet icon", "aria-label": "Copy as curl or Python", title: "Copy as curl or Python", onclick: () => { const wanted = listRequest(); if (wanted) showCode(wanted[0], wanted[1], wanted[2]); } }, icon("code"))));
}

export function rate(item, value) {
  remember(item);
  change(() => { if (value === null) state.ratings.delete(item.item_id); else state.ratings.set(item.item_id, value); });
}

function drawSide() {
  const held = side.contains(document.activeElement) ? document.activeElement.getAttribute("data-hold") : null;
  const seg = h("div", { class: "seg", role: "group", "aria-label": "Whose list" },
    h("button", { type: "button", "aria-pressed": String(state.who === "visitor"), "data-hold": "visitor", onclick: () => change(() => { state.who = "visitor"; }) }, "Me, a visitor"),
    h("button", { type: "button", "aria-pressed": String(state.who === "user"), "data-hold": "user", onclick: () => change(() => { state.who = "user"; }) }, "A user"));
  side.replaceChildren(seg, ...(state.who === "visitor" ? visitorSide() : userSide()));
  // An answered question stands among what was said below it: the keys go on there.
  if (held) [...side.querySelectorAll("[data-hold]")].findLast((one) => one.dataset.hold === held)?.focus();
}

function visitorSide() {
  const box = searchBox("Find something you know", (item) => { remember(item); change(() => { state.item = item.item_id; }); });
  const entries = [...state.ratings].reverse();
  const missing = entries.map(([id]) => id).filter((id) => !names.has(id));
  if (missing.length) fill(missing);
  const list = entries.length ? h("ul", { class: "mine" }, entries.map(([id, value]) => {
    const title = shown(names.get(id) ?? { title: id });
    return h("li", {}, h("button", { type: "button", class: "name", onclick: () => change(() => { state.item = id; }) }, title), stars(title, steps(card), value, (next) => rate({ item_id: id, ...(names.get(id) ?? { title: id }) }, next)),
      h("button", { type: "button", class: "quiet icon cross", "aria-label": `Take back ${title}`, onclick: () => change(() => { state.ratings.delete(id); }) }, icon("close")));
  })) : h("p", { class: "soft small" }, `Nothing yet. Answer the question, search, or ${card.explicit ? "give stars" : "give hearts"} in the list.`);
  const mine = h("section", { class: "card pad stack later", "aria-label": "What you said" }, h("div", { class: "spread" }, h("h2", {}, card.explicit ? "Your ratings" : "Your likes"), entries.length ? h("button", { type: "button", class: "plain small", onclick: () => { change(() => { state.ratings = new Map(); state.skipped = []; }); toast("Started over"); } }, "Start over") : null), list);
  return [box, questionCard(), mine];
}

function questionCard() {
  if (!question) return asked === "none" ? "" : h("div", { class: "question", "aria-busy": "true" }, h("p", { class: "soft" }, "Thinking of a good question…"));
  const title = shown(question);
  return h("section", { class: "question", "aria-label": "A question for you" }, h("span", { class: "row small soft" }, icon("spark"), state.ratings.size ? "Your answer would tell me most" : "To begin with"),
    h("div", { class: "who" }, tile(question.title), h("span", { class: "what" }, h("button", { type: "button", class: "name", onclick: () => change(() => { state.item = question.item_id; }) }, title), facts(question.about))),
    h("div", { class: "spread" }, stars(title, steps(card), null, (value) => rate(question, value), { big: true }), h("button", { type: "button", class: "plain small", "data-hold": "skip", onclick: () => { state.skipped.push(question.item_id); question = null; drawQuestion(true); } }, "Don't know it")));
}

async function drawQuestion(again = false) {
  if (state.who !== "visitor") return;
  const key = `${[...state.ratings.keys()].join()}|${state.skipped.join()}`;
  if (key === asked && !again && question) return;
  asked = key;
  try {
    const skip = state.skipped.slice(-200);
    const found = await ask("/questions", { ...said(card), n: 1, asked: skip }).catch(async () => {
      const popular = await ask(query("/items", { n: 60 }));
      return { items: popular.items.filter((item) => !state.ratings.has(item.item_id) && !skip.includes(item.item_id)) };
    });
    if (asked !== key) return;
    question = found.items[0] ?? null;
    if (question) remember(question); else asked = "none";
  } catch { question = null; asked = "none"; }
  drawSide();
}

async function fill(ids) {
  for (const id of ids.slice(0, 40)) {
    names.set(id, { title: id, about: {} });
    ask(`/items/${encodeURIComponent(id)}`).then((page) => { names.set(id, page.item); drawSide(); }).catch(() => {});
  }
}

function userSide() {
  const field = searchBox("User id, then Enter", (id) => change(() => { state.user = id; last = ""; before = null; }), { users: true });
  field.querySelector("input").value = state.user;
  field.querySelector("input").setAttribute("data-hold", "user-id");
  const history = h("section", { class: "card pad stack", "aria-label": "History" }, h("h2", {}, "What they did"), ghosts(3));
  const alike = h("section", { class: "card pad stack later", "aria-label": "Alike" }, h("h2", {}, "People of like taste"));
  if (!state.user) return [field];
  past(encodeURIComponent(state.user), history, alike).catch((problem) => history.replaceChildren(h("h2", {}, "What they did"), h("p", { class: "soft small" }, problem.detail)));
  return [field, history, alike];
}

async function past(id, history, alike) {
  const { user } = await ask(query(`/users/${id}/recommendations`, { n: 1 }));
  if (user.status === "cold") { history.replaceChildren(h("h2", {}, "What they did"), h("p", { class: "soft small" }, "Nothing: this id is not known. The list shows what everybody likes.")); alike.remove(); return; }
  const found = await ask(query(`/users/${id}`, { n: 30 }));
  found.items.forEach(remember);
  history.replaceChildren(h("div", { class: "spread" }, h("h2", {}, "What they did"), h("span", { class: "pill" }, `${user.history} entries`)),
    h("ul", { class: "mini" }, found.items.slice(0, innerWidth < 720 ? 5 : 12).map((item) => h("li", {}, tile(item.title), h("span", { class: "what" }, h("button", { type: "button", class: "name small", onclick: () => change(() => { state.item = item.item_id; }) }, shown(item))), h("span", { class: "stars-shown small" }, card.explicit ? `★ ${item.score}` : "♥")))));
  if (!card.factors || user.history <= user.feedback) { alike.remove(); return; }
  const { users } = await ask(query(`/users/${id}/similar`, { n: 6 }));
  alike.append(h("div", { class: "chips" }, users.map((one) => h("button", { type: "button", class: "chip", onclick: () => change(() => { state.user = one.user_id; last = ""; before = null; }) }, one.user_id))));
}
