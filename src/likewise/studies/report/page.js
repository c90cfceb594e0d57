"use strict";
(() => {
  const $ = (id) => document.getElementById(id), root = document.documentElement;
  const dark = () => (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  $("theme").addEventListener("click", () => { root.style.colorScheme = dark() ? "light" : "dark"; redraw(); });
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const e of entries) if (e.isIntersecting) {
      for (const a of links.values()) a.removeAttribute("aria-current");
      const link = links.get(e.target.id);
      link.setAttribute("aria-current", "true");
      link.parentNode.scrollTo({ left: link.offsetLeft - link.parentNode.clientWidth / 2 });
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main > section").forEach((s) => seen.observe(s));
  let opened = [];
  let redraw = () => {};
  addEventListener("beforeprint", () => { opened = [...document.querySelectorAll("details:not([open])")]; opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
  if (!$("items")) return;

  const T = JSON.parse($("items").textContent);
  const unpack = (text, Kind) => { const b = atob(text), a = new Uint8Array(b.length); for (let i = 0; i < b.length; i++) a[i] = b.charCodeAt(i); return new Kind(a.buffer); };
  const kinds = { x: Int16Array, y: Int16Array, count: Int32Array, group: Uint8Array, neighbours: Uint16Array, alike: Uint8Array, shared: Int32Array,
    mean: Int16Array, low: Int16Array, high: Int16Array, stands: Int8Array };
  for (const [name, Kind] of Object.entries(kinds)) T[name] = unpack(T[name], Kind);
  const plain = (s) => s.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  let keys = null;
  const most = Math.max(1, T.count[0] || 1), canvas = $("points"), pen = canvas.getContext("2d"), tip = $("tip");
  const radius = (i) => (1.4 + 6 * Math.sqrt(T.count[i] / most)) * Math.min(1, 0.45 + size.w / 1100);
  let view = { x: 0, y: 0, k: 1 }, chosen = -1, only = -1, near = [], size = { w: 1, h: 1 }, colours = [], ink = "", back = "";
  const probe = document.createElement("span"); probe.hidden = true; document.body.append(probe);
  const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const at = (i) => [size.w / 2 + view.k * ((T.x[i] / 31000) * size.w * 0.5 - view.x), size.h / 2 - view.k * ((T.y[i] / 31000) * size.h * 0.5 - view.y)];
  const paint = () => {
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, size.w, size.h);
    const spots = new Float32Array(2 * T.n), lit = new Set(near);
    for (let i = T.n - 1; i >= 0; i--) {
      const [x, y] = at(i); spots[2 * i] = x; spots[2 * i + 1] = y;
      if (x < -9 || y < -9 || x > size.w + 9 || y > size.h + 9) continue;
      const out = (only >= 0 && T.group[i] !== only) || (chosen >= 0 && i !== chosen && !lit.has(i));
      pen.globalAlpha = out ? 0.13 : 0.72;
      pen.fillStyle = colours[T.group[i]] || colours[255];
      pen.beginPath(); pen.arc(x, y, radius(i) * Math.min(1.8, Math.sqrt(view.k)), 0, 7); pen.fill();
    }
    pen.globalAlpha = 1;
    const boxes = [[size.w - 56, size.h - 150, size.w, size.h]], write = (i, strong) => {
      const x = spots[2 * i] + radius(i) + 3, y = spots[2 * i + 1] + 4, name = T.names[i].length > 34 ? T.names[i].slice(0, 33) + "…" : T.names[i];
      if (x < 0 || y < 10 || x > size.w - 20 || y > size.h - 4) return;
      pen.font = `${strong ? 700 : 500} 12px system-ui,sans-serif`;
      const w = pen.measureText(name).width, box = [x - 2, y - 12, x + w + 2, y + 3];
      if (x + w > size.w || boxes.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) return;
      boxes.push(box); pen.lineWidth = 3.5; pen.strokeStyle = back; pen.strokeText(name, x, y); pen.fillStyle = ink; pen.fillText(name, x, y);
    };
    if (chosen >= 0) {
      const [x, y] = at(chosen);
      pen.strokeStyle = ink; pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, radius(chosen) + 4, 0, 7); pen.stroke();
      write(chosen, true); near.forEach((i) => write(i, false));
    } else for (let i = 0, tried = 0; i < T.n && boxes.length < 8 + size.w / 18 && tried < 600; i++) if (only < 0 || T.group[i] === only) { tried++; write(i, false); }
  };
  let asked = false;
  const later = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; paint(); }); } };
  redraw = () => {
    const r = canvas.getBoundingClientRect(); size = { w: r.width, h: r.height };
    canvas.width = r.width * devicePixelRatio; canvas.height = r.height * devicePixelRatio;
    for (let g = 0; g < 7; g++) colours[g] = colour(`c${g}`);
    colours[255] = colour("c255"); ink = colour("ink"); back = colour("card"); paint();
  };
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", redraw);
  const zoom = (f, px = size.w / 2, py = size.h / 2) => {
    const k = Math.min(60, Math.max(0.8, view.k * f)), dx = px - size.w / 2, dy = size.h / 2 - py;
    view.x += dx / view.k - dx / k; view.y += dy / view.k - dy / k; view.k = k; later();
  };
  const nearest = (px, py, reach = 14) => {
    let best = -1, d0 = reach * reach;
    for (let i = 0; i < T.n; i++) { const [x, y] = at(i), d = (x - px) ** 2 + (y - py) ** 2; if (d < d0 && (only < 0 || T.group[i] === only)) { d0 = d; best = i; } }
    return best;
  };
  const make = (tag, text, parent) => { const e = document.createElement(tag); if (text) e.textContent = text; if (parent) parent.append(e); return e; };
  const stands = (i, j) => {
    const both = [];
    T.axes.forEach((ends, a) => { const p = T.stands[i * T.axes.length + a], q = T.stands[j * T.axes.length + a]; if (p * q > 0 && Math.min(Math.abs(p), Math.abs(q)) >= 10) both.push([Math.abs(p * q), ends[p > 0 ? 1 : 0]]); });
    return both.sort((a, b) => b[0] - a[0]).slice(0, 2).map((b) => b[1]);
  };
  const show = (i) => {
    const found = [], panel = $("like"); panel.replaceChildren();
    make("h3", T.names[i], panel);
    const mean = T.explicit ? `, mean ${(T.mean[i] / 100).toFixed(2)}; beyond what taste explains ${(T.low[i] / 100).toFixed(2)} to ${(T.high[i] / 100).toFixed(2)}` : "";
    make("p", `${T.kinds[i] ? T.kinds[i] + ". " : ""}${T.count[i].toLocaleString("en")} ${T.explicit ? "ratings" : "people"}${mean}`, panel);
    const list = make("ol", "", panel);
    for (let n = 0; n < T.near; n++) {
      const j = T.neighbours[i * T.near + n], b = make("button", "", make("li", "", list)), why = stands(i, j);
      found.push(j); b.type = "button"; make("span", T.names[j], b); make("b", `${T.alike[i * T.near + n]} %`, b);
      make("small", `${T.shared[i * T.near + n].toLocaleString("en")} people had both${why.length ? "; both " + why.join("; ") : ""}`, b);
      b.addEventListener("click", () => choose(j, true));
    }
    return found;
  };
  const choose = (i, move) => {
    chosen = i; near = i < 0 ? [] : show(i);
    if (move) { view.k = Math.max(view.k, 2.2); view.x = (T.x[i] / 31000) * size.w * 0.5; view.y = (T.y[i] / 31000) * size.h * 0.5; }
    later();
  };
  const fingers = new Map(); let start = null;
  canvas.addEventListener("pointerdown", (e) => { fingers.set(e.pointerId, [e.offsetX, e.offsetY]); start = [e.offsetX, e.offsetY]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    const old = fingers.get(e.pointerId), now = [e.offsetX, e.offsetY];
    if (old) {
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== e.pointerId)[1], far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
        zoom(far(now) / Math.max(far(old), 1), other[0], other[1]); start = null;
      } else { view.x -= (now[0] - old[0]) / view.k; view.y += (now[1] - old[1]) / view.k; later(); }
      fingers.set(e.pointerId, now); tip.hidden = true; return;
    }
    const i = nearest(...now); tip.hidden = i < 0;
    if (i >= 0) { tip.textContent = T.names[i]; tip.style.left = Math.min(now[0] + 12, size.w - 190) + "px"; tip.style.top = Math.max(now[1] - 34, 4) + "px"; }
  });
  const up = (e) => { fingers.delete(e.pointerId); if (start && Math.hypot(e.offsetX - start[0], e.offsetY - start[1]) < 6) choose(nearest(e.offsetX, e.offsetY, 20), false); start = null; };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", (e) => { fingers.delete(e.pointerId); start = null; });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("wheel", (e) => { if (e.ctrlKey || document.activeElement === canvas) { e.preventDefault(); zoom(Math.exp(-e.deltaY / 300), e.offsetX, e.offsetY); } }, { passive: false });
  canvas.addEventListener("dblclick", (e) => zoom(1.8, e.offsetX, e.offsetY));
  const all = () => { view = { x: 0, y: 0, k: 1 }; choose(-1); };
  canvas.addEventListener("keydown", (e) => {
    const step = 50 / view.k, act = { ArrowLeft: () => { view.x -= step; }, ArrowRight: () => { view.x += step; }, ArrowUp: () => { view.y += step; }, ArrowDown: () => { view.y -= step; },
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), Escape: all, Enter: () => choose(nearest(size.w / 2, size.h / 2, 60), false) }[e.key];
    if (act) { e.preventDefault(); act(); later(); }
  });
  document.querySelectorAll("[data-zoom]").forEach((b) => b.addEventListener("click", () => ({ in: () => zoom(1.6), out: () => zoom(1 / 1.6), all })[b.dataset.zoom]()));
  document.querySelectorAll("[data-group]").forEach((b) => b.addEventListener("click", () => {
    const g = Number(b.dataset.group); only = only === g ? -1 : g;
    document.querySelectorAll("[data-group]").forEach((o) => o.setAttribute("aria-pressed", String(Number(o.dataset.group) === only))); later();
  }));
  const box = $("find"), list = $("found"); let hits = [], place = -1;
  const close = () => { list.hidden = true; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); };
  const mark = () => { [...list.children].forEach((li, n) => li.setAttribute("aria-selected", String(n === place))); const li = list.children[place]; if (li) { box.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); } };
  const take = (i) => { box.value = T.names[i]; close(); choose(i, true); };
  box.addEventListener("input", () => {
    keys = keys || T.names.map(plain);
    const words = plain(box.value).split(/\s+/).filter(Boolean); hits = [];
    if (words.length) for (let i = 0; i < T.n && hits.length < 10; i++) if (words.every((w) => keys[i].includes(w))) hits.push(i);
    list.replaceChildren(...hits.map((i, n) => { const li = make("li"); li.id = `hit${n}`; li.setAttribute("role", "option"); make("span", T.names[i], li); make("small", T.count[i].toLocaleString("en"), li); li.addEventListener("pointerdown", (e) => { e.preventDefault(); take(i); }); return li; }));
    place = hits.length ? 0 : -1; list.hidden = !hits.length; box.setAttribute("aria-expanded", String(!!hits.length)); mark();
  });
  box.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); if (hits.length) { place = (place + (e.key === "ArrowDown" ? 1 : hits.length - 1)) % hits.length; mark(); } }
    else if (e.key === "Enter" && place >= 0 && !list.hidden) { e.preventDefault(); take(hits[place]); }
    else if (e.key === "Escape") close();
  });
  box.addEventListener("blur", close);
  if (T.n) show(0);
})();
