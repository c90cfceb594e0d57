// Elements, icons and small habits that every view shares.
import { begun } from "./busy.js";

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "vars") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (name in node && !name.includes("-") && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const PATHS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z",
  close: "M6 6l12 12M18 6 6 18",
  tune: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  code: "M9 8l-4 4 4 4M15 8l4 4-4 4",
  compass: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM15.5 8.5l-2 5-5 2 2-5z",
  map: "M9 4 3 6.5v13L9 17l6 3 6-2.5v-13L15 7 9 4zM9 4v13M15 7v13",
  scales: "M12 4v16M7 20h10M5 8h14M5 8l-3 6h6zM19 8l-3 6h6z",
  pulse: "M3 12h4l3-8 4 16 3-8h4",
  heart: "M12 20s-7-4.4-9-9a5 5 0 0 1 9-3.5A5 5 0 0 1 21 11c-2 4.6-9 9-9 9z",
  spark: "M12 3l1.9 5.6L19.5 10.5l-5.6 1.9L12 18l-1.9-5.6L4.5 10.5l5.6-1.9z",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1",
};

export function icon(name, label = null) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "glyph");
  if (label) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label); } else svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function star() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M12 2.6l2.9 6 6.6.9-4.8 4.6 1.2 6.6-5.9-3.2-5.9 3.2 1.2-6.6L2.500 9.5l6.6-.9z");
  svg.append(path);
  return svg;
}

// A picture for a title: the same title has the same colours everywhere.
export function tile(title, big = false) {
  let hash = 7;
  for (const letter of title ?? "") hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  const words = (title ?? "?").replace(/\(.*?\)/g, "").replace(/^(.*), (The|A|An)\b/, "$1").split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words[1][0] : (words[0] ?? "?").slice(0, 2);
  return h("span", { class: big ? "tile big" : "tile", "aria-hidden": "true", vars: { "--h": String(hash % 360) } }, letters);
}

export function readable(title) {
  return (title ?? "").replace(/^(.*), (The|A|An)( \(.*)?$/, "$2 $1$3");
}

export function bare(title) {
  return readable(title).replace(/ \(\d{4}\)$/, "");
}

// The year stands beside the title where it is known, so it need not stand in it.
export function shown(item) {
  return item.about?.year ? bare(item.title) : readable(item.title);
}

export function facts(about) {
  const parts = [];
  for (const [name, value] of Object.entries(about ?? {})) {
    if (value === null || value === "" || parts.length > 3) continue;
    if (name === "year" || typeof value === "string" && value.length < 30) parts.push(String(value));
    else if (Array.isArray(value)) parts.push(value.slice(0, 3).join(", "));
  }
  parts.sort((a, b) => Number(/^\d{4}$/.test(b)) - Number(/^\d{4}$/.test(a)));
  return h("span", { class: "facts" }, parts.join(" · "));
}

export function toast(text) {
  const note = h("div", { class: "toast" }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 2600);
}

export function debounce(work, wait = 180) {
  let timer, end = () => {};
  return (...given) => {
    clearTimeout(timer);
    end();
    const done = end = begun();
    timer = setTimeout(async () => { try { await work(...given); } finally { done(); } }, wait);
  };
}

export function ghosts(n = 6) {
  return h("div", { "aria-busy": "true", "aria-label": "Loading" }, Array.from({ length: n }, () => h("div", { class: "ghost" }, h("i"), h("i"), h("i"))));
}

export function trouble(problem, again) {
  return h("div", { class: "trouble", role: "alert" }, h("strong", {}, problem.title ?? "Something went wrong"), h("span", {}, problem.detail ?? String(problem)),
    problem.request_id ? h("span", { class: "small soft" }, "Request ", h("code", {}, problem.request_id)) : null,
    again ? h("button", { class: "quiet", type: "button", onclick: again }, "Try again") : null);
}

export function number(value, digits = 2) {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : Number(value).toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: Math.min(digits, Number.isInteger(value) ? 0 : digits) });
}
