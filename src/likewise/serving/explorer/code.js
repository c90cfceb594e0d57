// The request behind the list, as curl and as Python.
import { asCurl, asPython } from "./api.js";
import { h, icon, toast } from "./dom.js";
import { state } from "./state.js";

export function showCode(path, body, asked) {
  const dialog = document.getElementById("take");
  const texts = { curl: asCurl(path, body), Python: asPython(state, asked), Link: location.href };
  const block = (name) => h("section", { class: "stack" }, h("div", { class: "spread" }, h("h3", {}, name), h("button", { type: "button", class: "plain", "aria-label": `Copy ${name}`, onclick: () => copy(texts[name]) }, "Copy")), h("div", { class: "code" }, h("pre", { tabindex: "0", "aria-label": name }, texts[name])));
  dialog.replaceChildren(h("div", { class: "drawer" }, h("div", { class: "spread" }, h("h2", { id: "take-title" }, "Take this with you"), h("button", { type: "button", class: "quiet icon", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"))), block("curl"), block("Python"), block("Link")));
  dialog.showModal();
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); toast("Copied"); } catch { toast("The browser did not allow copying; select the text instead"); }
}
