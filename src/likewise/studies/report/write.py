"""The page put together: one HTML file with its style, its script and its numbers inside, and nothing that asks a network."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from likewise.data.dataset import Dataset
from likewise.errors import InputError, LikewiseError
from likewise.insight.drawing import draw
from likewise.recommender import Recommender
from likewise.studies.report import measured, taste
from likewise.studies.report.judge import Judged, judge
from likewise.studies.report.marks import text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def write_report(rec: Recommender, path: str | Path, test: Dataset | None = None, judged: Judged | None = None) -> Path:
    """Write everything a recommender learned as one HTML page that needs no network.

    Parameters
    ----------
    rec : Recommender, fitted
    path : file to write; an older one is replaced when the new one is whole
    test : Dataset or None
        Events the recommender has not seen, to measure it on. None holds a tenth of its data out and fits the same settings again.
    judged : Judged or None
        The outcome of `judge`, where the caller has measured already.

    Returns the path. Raises InputError where the file cannot be written.
    """
    path = Path(path)
    page = _page(rec, test, judged)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise InputError(f"could not write the report to {path}: {error.strerror or error}; give a file that can be written") from error
    return path


def _page(rec: Recommender, test: Dataset | None, judged: Judged | None) -> str:
    sections = _sections(rec, test, judged)
    links = "".join(f'<a href="#{key}">{text(title)}</a>' for key, title, _ in sections)
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{text(title)}</h2>{inside}</section>'
        for key, title, inside in sections
    )
    name = rec.notes.get("preset", rec.model.name)
    tiles = "".join(f"<div><dt>{text(label)}</dt><dd>{text(value)}</dd></div>" for label, value in measured.facts(rec.data))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="color-scheme" content="light dark">'
        f"<title>What {text(name)} learned</title><style>{_asset('page.css')}</style></head><body>"
        f'<a class="skip" href="#main">Skip to the report</a><header><div class="inner"><p class="kicker">A report by Likewise</p>'
        f"<h1>What <em>{text(name)}</em> learned from {len(rec.data):,} {'ratings' if rec.data.explicit else 'events'}</h1>"
        f'<dl class="tiles">{tiles}</dl></div></header><nav aria-label="Sections"><div class="inner">{links}'
        f'<button type="button" id="theme" aria-label="Switch between light and dark">◐</button></div></nav>'
        f'<main id="main">{body}</main><footer><div class="inner">Made {datetime.now(UTC):%d %B %Y} by Likewise {text(_version())}. '
        f"This page is one file; it asks nothing of any network.</div></footer><script>{_asset('page.js')}</script></body></html>"
    )


def _sections(rec: Recommender, test: Dataset | None, judged: Judged | None) -> list[tuple[str, str, str]]:
    """Key, title and HTML of each section; one that this model or this data cannot have says why in a line."""
    outcome: list[Judged] = [judged] if judged is not None else []

    def accuracy() -> str:
        if not outcome:
            outcome.append(judge(rec, test))
        return measured.accuracy_section(outcome[0])

    def after(section: Callable[[Judged], str]) -> str:
        if not outcome:
            raise InputError("nothing was held out to measure it on")
        return section(outcome[0])

    plan: list[tuple[str, str, Callable[[], str]]] = [
        ("accuracy", "Accuracy", accuracy),
        ("data", "Data", lambda: measured.data_section(rec.data)),
        ("loved", "Loved and not", lambda: taste.bias_section(rec.insight.items())),
        ("axes", "Axes of taste", lambda: taste.axes_section(rec)),
        ("map", "Map", lambda: taste.explore_section(rec, rec.insight.items())),
        ("groups", "Groups", lambda: taste.clusters_section(rec)),
        ("people", "People", lambda: taste.people_section(rec)),
        ("training", "Training", lambda: measured.training_section(rec)),
        ("calibration", "Calibration", lambda: after(measured.calibration_section)),
        ("weak", "Weak spots", lambda: after(measured.weak_section)),
        ("shown", "What is shown", lambda: measured.coverage_section(rec)),
        ("effects", "Effects", lambda: measured.effects_section(rec)),
        ("settings", "Settings", lambda: settings_section(rec)),
    ]
    return [(key, title, _told(section)) for key, title, section in plan]


def _told(section: Callable[[], str]) -> str:
    try:
        return section()
    except LikewiseError as error:
        return f'<p class="none">Not here: {text(error)}.</p>'


def settings_section(rec: Recommender) -> str:
    """The model drawn, every setting, and the commands that make it again."""
    notes = rec.notes
    drawing = f'<div class="wide drawing" tabindex="0" role="group" aria-label="The model drawn">{draw(rec.answers).svg}</div>'
    rows: list[tuple[str, Any]] = [("model", rec.model.name), *rec.model.settings.items(), ("solver", rec.solver.name)]
    rows += list(rec.solver.settings.items())
    rows += [
        ("seed", notes.get("seed", 0)),
        ("fitted in", f"{notes.get('fit_seconds', 0):.1f} s"),
        ("fingerprint of the data", rec.data.fingerprint),
    ]
    rows += [("remark", remark) for remark in notes.get("remarks", [])]
    table = "".join(f"<tr><th scope='row'>{text(label)}</th><td>{text(value)}</td></tr>" for label, value in rows)
    preset = notes.get("preset")
    again = f"likewise fit TABLE --preset {preset} --seed {notes.get('seed', 0)} --out model" if preset else "rec.fit(train, seed=...)"
    return (
        f"{drawing}<h3>Again</h3><pre tabindex='0'><code>{text(again)}\nlikewise report model -o report.html</code></pre>"
        f"<p>The same table, seed and kind of processor give the same model.</p><details><summary>Every setting</summary>"
        f'<div class="wide" tabindex="0" role="group" aria-label="Every setting"><table class="facts">{table}</table></div></details>'
    )


def _asset(name: str) -> str:
    return (files("likewise.studies.report") / name).read_text(encoding="utf-8")


def _version() -> str:
    from likewise import __version__

    return str(__version__)
