// How the model is: what it learned from, how good it is and how surely, what it is compared with.
import { h, icon, number } from "./dom.js";

const SHOWN = { rmse: ["RMSE", "low"], mae: ["MAE", "low"], "ndcg@10": ["NDCG@10", "high"], "recall@20": ["Recall@20", "high"], "hit@10": ["Hit@10", "high"], auc: ["AUC", "high"], "coverage@10": ["Coverage@10", "high"], crps: ["CRPS", "low"] };

export function model(root, card) {
  const day = new Date(card.created).toLocaleDateString("en", { dateStyle: "medium" });
  const figures = [["Events", card.data.events], ["People", card.data.users], ["Items", card.data.items]];
  const facts = [["Preset", card.preset], ["Why", card.why], ["Solver", card.solver.name], ["Fitted in", card.fit_seconds === null ? null : `${number(card.fit_seconds, 2)} s, seed ${card.seed}`], ["Ratings", card.range ? `${card.range[0]} to ${card.range[1]}` : "likes alone"], ["Made", `${day} by likewise ${card.likewise}`], ["Version", card.version], ["Generation", card.generation], ["Data", card.data.fingerprint], ["Remarks", (card.remarks ?? []).join("; ")]];
  const [intervals, figured] = quality(card.evaluation);
  root.replaceChildren(h("div", { class: "spread" }, h("div", {}, h("h1", {}, "How good is it?"), h("p", { class: "lead" }, "What it learned from, how good it is, and how sure that is.")), h("div", { class: "row" }, h("span", { class: "pill good" }, "answering"), h("span", { class: card.feedback === "kept" ? "pill good" : "pill bad" }, card.feedback === "kept" ? "feedback kept" : "feedback database away"))),
    h("div", { class: "figures", vars: { "margin-top": "24px" } }, figures.map(([name, value]) => h("div", { class: "card figure" }, h("span", { class: "big num" }, number(value, 0)), h("span", { class: "soft small" }, name))), h("div", { class: "card figure" }, h("span", { class: "big" }, card.name), h("span", { class: "soft small" }, Object.entries(card.settings).filter(([, value]) => ["number", "boolean"].includes(typeof value)).slice(0, 2).map(([name, value]) => `${name} ${value}`).join(" · ") || "model"))),
    h("div", { class: "two" }, h("div", { class: "stack" }, intervals), h("div", { class: "stack" }, h("section", { class: "card pad stack", "aria-label": "Card" }, h("h2", {}, "Card"), h("dl", { class: "facts-list" }, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]))), training(card))), figured ?? "");
}

function models(report) {
  if (!report) return [];
  if (report.models) return Object.entries(report.models).map(([name, one]) => ({ name, baseline: one.baseline, figures: one.figures ?? {} }));
  return report.figures ? [{ name: report.name ?? "model", baseline: false, figures: report.figures }] : [];
}

function quality(report) {
  const all = models(report);
  if (!all.length) return [h("section", { class: "card" }, h("div", { class: "empty" }, icon("pulse"), h("strong", {}, "Nobody has measured it yet"), h("span", {}, "Measure it on held-out events and give the result to the service:"), h("code", {}, "likewise evaluate model/ --test held-out.csv --json > model/evaluation.json"))), null];
  const names = Object.keys(SHOWN).filter((name) => all.some((one) => one.figures[name]));
  const lead = names.filter((name) => ["rmse", "ndcg@10", "coverage@10"].includes(name));
  return [lead.map((name) => interval(name, all)), table(all, names, report)];
}

function interval(name, all) {
  const [label, better] = SHOWN[name];
  const rows = all.filter((one) => one.figures[name]);
  const ends = rows.flatMap((one) => { const { value, low, high } = one.figures[name]; return [low ?? value, high ?? value]; });
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const at = (x) => `${4 + 92 * (x - low) / (high - low || 1)}%`;
  return h("section", { class: "card pad stack", "aria-label": label }, h("div", { class: "spread" }, h("h2", {}, label), h("span", { class: "pill" }, better === "low" ? "lower is better" : name.startsWith("coverage") ? "share of the catalogue shown" : "higher is better")),
    rows.map((one) => {
      const { value, low: from, high: to } = one.figures[name];
      const text = from === null || from === undefined ? "" : `${number(from, 3)} to ${number(to, 3)}`;
      return h("div", { class: one.baseline ? "versus" : "versus own" }, h("span", {}, one.baseline ? one.name : h("strong", {}, one.name), one.baseline ? h("span", { class: "soft small" }, " baseline") : null), h("div", { class: "whisker", role: "img", "aria-label": `${one.name}: ${number(value, 4)}, 95 percent interval ${text}` }, text ? h("span", { class: "span", vars: { left: at(from), width: `calc(${at(to)} - ${at(from)})` } }) : null, h("span", { class: "dot", vars: { left: at(value) } })), h("span", { class: "num" }, number(value, 4), h("span", { class: "soft small" }, text ? ` ± ${number((to - from) / 2, 3)}` : "")));
    }));
}

function table(all, names, report) {
  const cautions = report.cautions ?? [];
  return h("section", { class: "card wide", "aria-label": "All figures" }, h("div", { class: "head" }, h("h2", {}, "All figures")), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures of every model" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), names.map((name) => h("th", { scope: "col" }, SHOWN[name][0])))),
    h("tbody", {}, all.map((one) => h("tr", { class: one.baseline ? "" : "own" }, h("th", { scope: "row" }, one.name), names.map((name) => h("td", {}, number(one.figures[name]?.value, 4)))))))), cautions.length ? h("ul", { class: "pad stack small soft" }, cautions.map((text) => h("li", {}, text))) : null);
}

function training(card) {
  const steps = (card.history ?? []).map((one) => Object.entries(one).find(([name, value]) => /valid.*rmse|train_rmse|loss|rmse/.test(name) && Number.isFinite(value))).filter(Boolean);
  if (steps.length < 3) return null;
  const values = steps.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 400 120"); svg.setAttribute("role", "img"); svg.setAttribute("width", "100%"); svg.setAttribute("class", "curve");
  svg.setAttribute("aria-label", `${steps[0][0]} from ${number(values[0], 4)} to ${number(values.at(-1), 4)} in ${values.length} steps`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((value, n) => `${(6 + 388 * n / (values.length - 1)).toFixed(1)},${(8 + 104 * (high - value) / (high - low || 1)).toFixed(1)}`).join(" "));
  line.setAttribute("fill", "none"); line.setAttribute("stroke", "currentColor"); line.setAttribute("stroke-width", "2.5"); line.setAttribute("stroke-linejoin", "round");
  svg.append(line);
  return h("section", { class: "card pad stack", "aria-label": "Training" }, h("div", { class: "spread" }, h("h2", {}, "How it learned"), h("span", { class: "pill own num" }, `${steps[0][0].replaceAll("_", " ")} ${number(values[0], 3)} → ${number(values.at(-1), 3)}`)), svg);
}
