// Why a score is what it is: parts that add up, as one bar and step by step.
import { bare, h, number } from "./dom.js";
import { state } from "./state.js";

const LABELS = { mean: "Everybody's average", item: "How well liked it is", taste: "Taste", residual: "Everything else" };

// A model may expect a little more than the scale has.
export function within(score, card) {
  const [low, high] = card.explicit && card.range ? card.range : [-Infinity, Infinity];
  return Math.min(high, Math.max(low, score));
}

const kind = (part) => part.contribution < 0 ? "minus" : ["mean", "user", "item", "taste"].includes(part.part) ? part.part : "other";
const label = (part) => part.title ? `${bare(part.title)}${part.rating === null || part.rating === undefined ? "" : ` · you gave ${part.rating}`}` : part.part === "user" ? (state.who === "user" ? "How this person rates" : "How you rate") : LABELS[part.part] ?? part.part;

export function reasonView(reason, card) {
  const parts = reason.parts.filter((part) => Math.abs(part.contribution) >= 5e-5 || part.part === "mean");
  const ups = parts.filter((part) => part.contribution > 0);
  const total = ups.reduce((sum, part) => sum + part.contribution, 0) || 1;
  const bar = h("div", { class: "reason-bar", "aria-hidden": "true" }, ups.map((part) => h("i", { class: `part-${kind(part)}`, title: `${label(part)}: ${number(part.contribution, 3)}`, vars: { "flex-grow": String(part.contribution / total) } })));
  let at = 0, low = 0, high = 0;
  for (const part of parts) { at += part.contribution; low = Math.min(low, at); high = Math.max(high, at); }
  const span = high - low || 1;
  at = 0;
  const steps = parts.map((part) => {
    const [from, to] = part.contribution < 0 ? [at + part.contribution, at] : [at, at + part.contribution];
    at += part.contribution;
    const mark = h("i", { class: `part-${kind(part)}`, vars: { left: `${100 * (from - low) / span}%`, width: `${100 * (to - from) / span}%` } });
    return h("li", { class: "step" }, h("span", { title: label(part) }, label(part)), h("span", { class: "track", "aria-hidden": "true" }, mark), h("span", { class: "value" }, `${part.contribution < 0 ? "−" : "+"}${number(Math.abs(part.contribution), 3)}`));
  });
  const said = within(reason.response, card);
  const linked = Math.abs(said - reason.score) > 5e-3;
  const sum = h("li", { class: "step total" }, h("span", {}, "Sum"), h("span", { class: "small soft" }, linked ? `on the model's own scale; ${number(said, 2)} on that of the ratings` : ""), h("span", { class: "value", "data-sum": String(reason.score) }, number(reason.score, 3)));
  const keys = h("p", { class: "keys", "aria-hidden": "true" }, ["mean", "user", "item", "taste"].map((name) => h("span", { class: `k-${name}` }, { mean: "average", user: state.who === "user" ? "this person" : "how you rate", item: "the item", taste: `${state.who === "user" ? "own" : "your"} ${card.explicit ? "ratings" : "likes"}` }[name])));
  const words = reason.sentence ? reason.sentence[0].toUpperCase() + reason.sentence.slice(1) + "." : "";
  return h("div", { class: "reason" }, h("p", {}, words), bar, keys, h("ol", { class: "steps" }, steps, sum));
}
