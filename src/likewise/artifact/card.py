"""The model card: what a saved model is, as a README in Hugging Face's format (Mitchell et al. 2019).

A YAML head that machines read, then Markdown. Everything that came from outside (sources, titles, names of columns) is escaped: quoted
as JSON in the head, and without its markup in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
LOADING = """```python
import likewise as lw

rec = lw.load("path/to/this/folder")
rec.recommend(user, k=10)
```"""
_LOWER = ("rmse", "mae", "crps", "ece")
"""Figures of which less is better."""


def card(manifest: Mapping[str, Any]) -> str:
    """The text of the card for a manifest with model, solver, data and notes."""
    model, solver, data, notes = (manifest[part] for part in ("model", "solver", "data", "notes"))
    title = plain(notes.get("preset") or model["name"])
    parts = [
        _head(manifest),
        f"# {title}",
        f"A recommender made by Likewise {plain(manifest['likewise'])} on {plain(manifest['created'])}.",
        "## Data",
        _table(("", ""), _data_rows(data)),
        "## Model",
        _table(("setting", "value"), [*_settings("model", model), *_settings("solver", solver)]),
        *_fit_lines(notes),
        "## How good it is",
        *_figures(notes.get("evaluation")),
        "## What it is for",
        _intended(data),
        "## How to load it",
        LOADING,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(value: Any) -> str:
    """Text from outside as Markdown shows it letter by letter, on one line.

    >>> plain("a|b <script>")
    'a\\\\|b \\\\<script\\\\>'
    """
    one_line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return _MARKUP.sub(r"\\\1", one_line)


def _head(manifest: Mapping[str, Any]) -> str:
    """The YAML head; JSON strings are YAML strings, so nothing can leave its quotes."""
    model, data, notes = manifest["model"], manifest["data"], manifest["notes"]
    task = str(notes.get("task") or ("rating" if data["range"] else "list"))
    lines = [
        "library_name: likewise",
        "tags:",
        *(f"- {json.dumps(tag)}" for tag in ("recommender", "collaborative-filtering", model["name"])),
    ]
    figures = _own_figures(notes.get("evaluation"))
    if figures:
        lines += ["model-index:", f"- name: {json.dumps(str(notes.get('preset') or model['name']))}", "  results:", "  - task:"]
        lines += [f"      type: {json.dumps('recommendation-' + task)}", "    dataset:", f"      name: {json.dumps(_shown_source(data))}"]
        lines += [f"      type: {json.dumps(str(data['fingerprint']))}", "    metrics:"]
        for name, found in figures:
            lines += [f"    - type: {json.dumps(name)}", f"      value: {json.dumps(round(float(found['value']), 6))}"]
    return "\n".join(["---", *lines, "---"])


def _data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("source", _shown_source(data)), ("fingerprint", data["fingerprint"])]
    rows += [(name, f"{data[name]:,}") for name in ("events", "users", "items")]
    rows += [("ratings", f"{data['range'][0]:g} to {data['range'][1]:g}" if data["range"] else "none: likes")]
    if data.get("span"):
        rows.append(("span", " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in data["span"])))
    rows += [("contexts", ", ".join(data["contexts"]))] if data["contexts"] else []
    return rows + [("dropped", f"{count:,} rows: {reason}") for reason, count in data["dropped"].items()]


def _shown_source(data: Mapping[str, Any]) -> str:
    """Where the data came from: the last part of a path, and nothing of a URL that may hold a password."""
    source = str(data["source"])
    return re.sub(r"//[^/@\s]*@", "//", source) if "://" in source else source.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _settings(what: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(what, table["name"]), *((f"{what}.{name}", json.dumps(value)) for name, value in table["settings"].items())]


def _fit_lines(notes: Mapping[str, Any]) -> list[str]:
    said = [f"Fitted in {notes['fit_seconds']:.2f} s with seed {notes['seed']}."] if "fit_seconds" in notes else []
    return said + [f"- {plain(remark)}" for remark in notes.get("remarks", [])]


def _own_figures(evaluation: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The figures of the model itself: the first of those evaluated."""
    if not isinstance(evaluation, Mapping) or not evaluation.get("models"):
        return []
    first: Mapping[str, Any] = next(iter(evaluation["models"].values()))
    return [(name, found) for name, found in first["figures"].items() if found["value"] is not None]


def _figures(evaluation: Any) -> list[str]:
    if not _own_figures(evaluation):
        return ["Not measured: `rec.evaluate(test)` before `rec.save(...)` puts its figures here, with intervals and beside baselines."]
    models: Mapping[str, Any] = evaluation["models"]
    own = next(iter(models.values()))
    names = list(dict.fromkeys(name for found in models.values() for name in found["figures"]))
    rows = [(model, *(_cell(found["figures"].get(name)) for name in names)) for model, found in models.items()]
    held = f"Measured on {own['n_test']:,} held-out events; intervals are of 95 % over people."
    weak = _weakest(own.get("segments", []))
    return [
        held,
        _table(("model", *names), rows),
        *(["Where it is weakest:", _table(("part", "figure", "value", "events"), weak)] if weak else []),
    ]


def _weakest(segments: Iterable[Mapping[str, Any]], most: int = 5) -> list[tuple[str, ...]]:
    """The parts of the test with the worst leading figure, errors or NDCG."""
    told = [s for s in segments if s.get("value") is not None]
    leading = next((name for name in ("rmse", "ndcg@10") if any(s["figure"] == name for s in told)), None)
    chosen = sorted((s for s in told if s["figure"] == leading), key=lambda s: -s["value"] if leading in _LOWER else s["value"])
    return [(f"{s['segment']}: {s['part']}", s["figure"], f"{s['value']:.4f}", f"{s['events']:,}") for s in chosen[:most]]


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return ""
    interval = f" ({found['low']:.4f} to {found['high']:.4f})" if found.get("low") is not None and found.get("high") is not None else ""
    return f"{found['value']:.4f}{interval}"


def _intended(data: Mapping[str, Any]) -> str:
    what = "ratings that people would give, and lists ranked by them" if data["range"] else "lists of what people would take next"
    return (
        f"It predicts {what}, for the people and items of the data above and for newcomers described in the same way. It knows nothing "
        "but that data: its gaps and tastes are the model's. It is not for decisions about people. This folder holds the events that it "
        "was fitted on: share it only where they may be shared."
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head)]
    body = [tuple(plain(cell) for cell in row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *body])
