// A rating as radio buttons that look like stars, so that keys and screen readers know them.
import { h, icon, star } from "./dom.js";

let made = 0;

export function stars(title, steps, value, rate, { big = false } = {}) {
  if (steps.length === 1) {
    return h("button", { type: "button", class: value ? "icon" : "quiet icon", "aria-pressed": String(Boolean(value)), "data-hold": `${title}: like`, "aria-label": `Like ${title}`, onclick: () => rate(value ? null : 1) }, icon("heart"));
  }
  const name = `stars-${made += 1}`;
  const group = h("fieldset", { class: big ? "stars big" : "stars" }, h("legend", { class: "visually-hidden" }, `Your rating of ${title}`));
  for (const step of steps) {
    const input = h("input", { type: "radio", name, value: String(step), class: "visually-hidden", checked: step === value, "data-hold": `${title}: ${step}`, "aria-label": `${step} of ${steps.at(-1)}`, onchange: () => rate(step) });
    group.append(h("label", { class: value !== null && value !== undefined && step <= value ? "on" : "" }, input, star()));
  }
  return group;
}
