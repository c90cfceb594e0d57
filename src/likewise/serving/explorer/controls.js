// Conditions and knobs of the list, live.
import { debounce, h } from "./dom.js";
import { change, state } from "./state.js";

const KNOBS = {
  diversity: ["Diversity", "Unlike what is on the list already"], popularity: ["Popularity", "What many people took"], novelty: ["Discovery", "What few people took"],
  freshness: ["Freshness", "What is new"], calibration: ["Balance", "Genres in the proportions of the history"], exploration: ["Adventure", "Where the model is unsure"],
};
const PLAIN = (name) => name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

export function used() {
  const lists = Object.values(state.chosen).reduce((sum, values) => sum + values.length, 0);
  return lists + Object.values(state.from).filter(Boolean).length + Object.values(state.to).filter(Boolean).length + Object.values(state.knobs).filter((value) => value > 0).length;
}

export function controls(card) {
  const parts = [];
  for (const filter of card.filters) {
    if (filter.kind === "number") {
      const field = (side, label) => h("input", { type: "number", "aria-label": `${PLAIN(filter.name)} ${label}`, placeholder: String(side === "from" ? filter.low : filter.high), value: state[side][filter.name] ?? "",
        oninput: debounce((event) => change(() => { state[side][filter.name] = event.target.value; }), 350) });
      if (Number.isInteger(filter.low) && Number.isInteger(filter.high)) parts.push(h("div", {}, h("p", { class: "group-label" }, PLAIN(filter.name)), h("div", { class: "between" }, field("from", "from"), "to", field("to", "to"))));
      continue;
    }
    const chosen = state.chosen[filter.name] ?? [];
    const chips = filter.values.filter(({ value }) => !/^\(.*\)$/.test(value)).slice(0, 20).map(({ value }) => {
      const on = chosen.includes(value);
      return h("button", { type: "button", class: "chip", "aria-pressed": String(on), onclick: () => change(() => { state.chosen[filter.name] = on ? chosen.filter((one) => one !== value) : [...chosen, value]; }) }, value);
    });
    parts.push(h("div", { role: "group", "aria-label": PLAIN(filter.name) }, h("p", { class: "group-label" }, PLAIN(filter.name)), h("div", { class: "chips" }, chips)));
  }
  const knobs = card.knobs.filter((name) => KNOBS[name]).map((name) => {
    const out = h("output", {}, Number(state.knobs[name] ?? 0).toFixed(1));
    const set = debounce((value) => change(() => { state.knobs[name] = value; }), 160);
    const slider = h("input", { type: "range", id: `knob-${name}`, min: "0", max: "1", step: "0.1", value: String(state.knobs[name] ?? 0), oninput: (event) => { out.textContent = Number(event.target.value).toFixed(1); set(Number(event.target.value)); } });
    return h("div", { class: "knob", title: KNOBS[name][1] }, h("label", { for: `knob-${name}` }, KNOBS[name][0], out), slider);
  });
  parts.push(h("div", {}, h("p", { class: "group-label" }, "Trade score for"), h("div", { class: "knobs" }, knobs)));
  if (used()) parts.push(h("div", {}, h("button", { type: "button", class: "plain", onclick: () => change(() => { state.chosen = {}; state.from = {}; state.to = {}; state.knobs = {}; }) }, "Clear all")));
  return parts;
}
