// A search field with suggestions, as a combobox that keys can use.
import { ask, query } from "./api.js";
import { debounce, facts, h, icon, shown, tile } from "./dom.js";
import { remember } from "./state.js";

let made = 0;

export function searchBox(label, choose, { users = false } = {}) {
  const id = `options-${made += 1}`;
  const list = h("ul", { id, role: "listbox", class: "options", "aria-label": label, hidden: true });
  let found = [], active = -1, running = null;
  const input = h("input", { type: "search", role: "combobox", placeholder: label, "aria-label": label, "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", "data-search": "" });

  function close() { list.hidden = true; active = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); }
  function mark(n) {
    active = n;
    [...list.children].forEach((node, place) => node.setAttribute("aria-selected", String(place === n)));
    if (n >= 0) { input.setAttribute("aria-activedescendant", `${id}-${n}`); list.children[n].scrollIntoView({ block: "nearest" }); }
  }
  function take(n) { const item = found[n]; if (!item) return; input.value = ""; close(); choose(item); }
  function show() {
    list.replaceChildren(...(found.length ? found.map((item, n) => h("li", { id: `${id}-${n}`, role: "option", "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); take(n); } }, tile(item.title), h("span", { class: "what" }, h("span", {}, shown(item)), facts(item.about))))
      : [h("li", { class: "none", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing is called so. Try fewer letters.")]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(found.length ? 0 : -1);
  }
  const look = debounce(async () => {
    running?.abort();
    running = new AbortController();
    if (!input.value.trim()) return close();
    try {
      found = (await ask(query("/items", { query: input.value.slice(0, 200), n: 8 }), undefined, running.signal)).items;
      found.forEach(remember);
      show();
    } catch (error) { if (error.name !== "AbortError") { found = []; close(); } }
  }, 120);

  input.addEventListener("input", users ? () => {} : look);
  input.addEventListener("keydown", (event) => {
    if (users && event.key === "Enter" && input.value.trim()) { event.preventDefault(); choose(input.value.trim()); return; }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); const n = found.length; if (n) mark((active + (event.key === "ArrowDown" ? 1 : n - 1)) % n); }
    if (event.key === "Enter") { event.preventDefault(); take(Math.max(active, 0)); }
    if (event.key === "Escape") close();
  });
  input.addEventListener("blur", () => setTimeout(close, 120));
  return h("div", { class: "search" }, icon("search"), input, list);
}
