// The public REST API, and the same requests as curl and Python.
import { busy } from "./busy.js";

let key = sessionStorage.getItem("likewise-key") ?? "";

export class Problem extends Error {
  constructor(document) { super(document.detail); Object.assign(this, document); }
}

export function ask(path, body = undefined, signal = undefined) { return busy(asked(path, body, signal)); }

async function asked(path, body, signal) {
  const headers = { accept: "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The service cannot be reached", detail: "It may have been stopped, or the network is down." });
  }
  if (answer.status === 401 && await askForKey()) return asked(path, body, signal);
  const found = await answer.json().catch(() => ({ title: answer.statusText, detail: "The answer could not be read." }));
  if (!answer.ok) throw new Problem(found);
  return found;
}

export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== 0 && value !== false);
  return given.length ? `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : path;
}

let asking = null;

function askForKey() {
  asking ??= new Promise((done) => {
    const dialog = document.getElementById("ask-key");
    dialog.innerHTML = "";
    const form = document.createElement("form");
    form.method = "dialog";
    form.className = "drawer";
    const title = Object.assign(document.createElement("h2"), { id: "ask-key-title", textContent: "This service asks for an API key" });
    const field = Object.assign(document.createElement("input"), { type: "password", autocomplete: "off" });
    field.setAttribute("aria-label", "API key with the scope read");
    const go = Object.assign(document.createElement("button"), { textContent: "Continue" });
    form.append(title, field, go);
    dialog.append(form);
    dialog.addEventListener("close", () => {
      key = field.value.trim();
      sessionStorage.setItem("likewise-key", key);
      asking = null;
      done(Boolean(key));
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(path, body) {
  const url = new URL(path, location.href).href;
  const header = key ? " \\\n  -H \"Authorization: Bearer $LIKEWISE_KEY\"" : "";
  return body === undefined ? `curl ${quoted(url)}${header}` : `curl ${quoted(url)}${header} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

const literal = (value) => value === true ? "True" : value === false ? "False" : value === null ? "None" : JSON.stringify(value);

export function asPython(state, asked) {
  const id = (raw) => /^-?\d+$/.test(raw) ? raw : JSON.stringify(raw);
  const lines = ["import likewise as lw", "", "rec = lw.load(\"model/\")"];
  const knobs = Object.entries(state.knobs).filter(([, value]) => value > 0).map(([name, value]) => `${name}=${value}`);
  const options = [`${asked.n ?? 10}`];
  if (asked.where) options.push(`where=${literal(asked.where)}`);
  if (knobs.length) options.push(`rerank=lw.Rerank(${knobs.join(", ")})`);
  if (state.who === "user" && state.user) lines.push(`print(rec.recommend(${id(state.user)}, ${options.join(", ")}))`);
  else {
    const said = [...state.ratings].map(([item, value]) => `${id(item)}: ${value}`).join(", ");
    lines.push(`me = rec.visitor({${said}})`, `print(me.recommend(${options.join(", ")}, explain=True))`);
  }
  return lines.join("\n");
}
