// What the page shows, kept in the address so that a link brings it back.

export const state = {
  view: "discover", who: "visitor", user: "", ratings: new Map(), skipped: [], chosen: {}, from: {}, to: {}, knobs: {}, n: 15, item: "", why: "", tools: false,
};
export const names = new Map();
const VIEWS = ["discover", "map", "compare", "model"];
const listeners = new Set();

export function onChange(work) { listeners.add(work); }

export function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const given = new URLSearchParams(query);
  state.view = VIEWS.includes(path) ? path : "discover";
  state.user = given.get("user") ?? "";
  state.who = given.has("user") ? "user" : "visitor";
  state.ratings = new Map();
  for (const pair of (given.get("me") ?? "").split(",").filter(Boolean)) {
    const at = pair.lastIndexOf(":");
    const value = Number(pair.slice(at + 1));
    if (at > 0 && Number.isFinite(value)) state.ratings.set(decodeURIComponent(pair.slice(0, at)), value);
  }
  state.chosen = {}; state.from = {}; state.to = {}; state.knobs = {};
  for (const [name, value] of given) {
    const [kind, column] = [name.slice(0, 2), name.slice(2)];
    if (kind === "f." && column) state.chosen[column] = value.split("|");
    if (kind === "a." && column) state.from[column] = value;
    if (kind === "z." && column) state.to[column] = value;
    if (kind === "k." && column && Number(value) > 0) state.knobs[column] = Math.min(1, Number(value));
  }
  state.n = Math.min(100, Math.max(5, Number(given.get("n")) || 15));
  state.item = given.get("item") ?? "";
  state.why = given.get("why") ?? "";
  state.tools = given.get("tools") === "1";
}

export function address() {
  const parts = new URLSearchParams();
  if (state.who === "user") parts.set("user", state.user);
  if (state.ratings.size) parts.set("me", [...state.ratings].map(([id, value]) => `${encodeURIComponent(id)}:${value}`).join(","));
  for (const [name, values] of Object.entries(state.chosen)) if (values.length) parts.set(`f.${name}`, values.join("|"));
  for (const [name, value] of Object.entries(state.from)) if (value) parts.set(`a.${name}`, value);
  for (const [name, value] of Object.entries(state.to)) if (value) parts.set(`z.${name}`, value);
  for (const [name, value] of Object.entries(state.knobs)) if (value > 0) parts.set(`k.${name}`, String(value));
  if (state.n !== 15) parts.set("n", String(state.n));
  if (state.item) parts.set("item", state.item);
  if (state.why) parts.set("why", state.why);
  if (state.tools) parts.set("tools", "1");
  const text = parts.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#/${state.view === "discover" ? "" : state.view}${text ? `?${text}` : ""}`;
}

export function change(work, { quietly = false } = {}) {
  const before = state.view;
  work(state);
  const next = address();
  if (next !== location.hash) history[before === state.view ? "replaceState" : "pushState"](null, "", next);
  if (!quietly) for (const one of listeners) one();
}

export function remember(item) { names.set(item.item_id, { title: item.title, about: item.about ?? {} }); }

const text = (value) => `'${String(value).replaceAll("'", "''")}'`;
const column = (name) => /^[^\W\d]\w*$/u.test(name) ? name : `\`${name}\``;

export function where(card) {
  const parts = [];
  for (const filter of card?.filters ?? []) {
    const chosen = state.chosen[filter.name] ?? [];
    if (chosen.length) {
      const tests = chosen.map((value) => filter.kind === "set" ? `${column(filter.name)} has ${text(value)}` : `${column(filter.name)} = ${text(value)}`);
      parts.push(tests.length > 1 ? `(${tests.join(" or ")})` : tests[0]);
    }
    if (state.from[filter.name]) parts.push(`${column(filter.name)} >= ${Number(state.from[filter.name])}`);
    if (state.to[filter.name]) parts.push(`${column(filter.name)} <= ${Number(state.to[filter.name])}`);
  }
  return parts.join(" and ");
}

export function steps(card) {
  if (!card.explicit) return [1];
  const [low, high] = card.range ?? [1, 5];
  if (high === 5) return [1, 2, 3, 4, 5].filter((value) => value >= low);
  if (card.levels.length > 1 && card.levels.length <= 10) return card.levels;
  return [0, 1, 2, 3, 4].map((n) => Number((low + (high - low) * n / 4).toFixed(2)));
}

export function request(card, extra = {}) {
  const knobs = Object.fromEntries(Object.entries(state.knobs).filter(([name, value]) => value > 0 && card.knobs.includes(name)));
  const asked = { n: state.n, ...knobs, ...extra };
  const condition = where(card);
  if (condition) asked.where = condition;
  return asked;
}

export function said(card) {
  return card.explicit ? { ratings: Object.fromEntries(state.ratings) } : { likes: [...state.ratings.keys()] };
}
