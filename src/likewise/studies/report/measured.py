"""The sections on data, accuracy, training and failings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset
from likewise.insight.calibration import calibration
from likewise.insight.effects import effects
from likewise.insight.weak import Weak, errors, served
from likewise.recommender import Recommender
from likewise.shapes import NO_TIME
from likewise.studies.report.judge import Judged
from likewise.studies.report.marks import Line, Mark, bars, chart, marks, text

SHOWN = {
    "rmse": "Error of predicted ratings (RMSE): less is better",
    "ndcg@10": "Quality of the first ten of a list (NDCG@10): more is better",
    "recall@20": "Share of what people went on to choose that is among their first twenty: more is better",
}
SEGMENTS = {"item age": "days since the item's first rating", "item": "item", "user": "person", "activity": "person's ratings"}
TONES = {"better": "good", "worse": "bad"}


def facts(data: Dataset) -> list[tuple[str, str]]:
    """The data in numbers: what it is, how much."""
    found = [("ratings" if data.explicit else "events", f"{len(data):,}"), ("people", f"{data.n_users:,}"), ("items", f"{data.n_items:,}")]
    found.append(("of the table filled", f"{100 * len(data) / max(data.n_users * data.n_items, 1):.2g} %"))
    span = span_of(data)
    return [*found, ("time", span)] if span else found


def span_of(data: Dataset) -> str:
    """The first and the last year, or the days where they are of one year."""
    times = data.interactions.times
    known = np.empty(0) if times is None else times[times != NO_TIME]
    if not len(known):
        return ""
    first, last = (datetime.fromtimestamp(int(t), UTC) for t in (known.min(), known.max()))
    return f"{first:%Y} to {last:%Y}" if first.year != last.year else f"{first:%d %b} to {last:%d %b %Y}"


def data_section(data: Dataset) -> str:
    """How ratings are spread over levels and over items, and how the table was read."""
    parts = []
    ratings = data.interactions.ratings
    if ratings is not None:
        levels, counts = np.unique(ratings, return_counts=True)
        if len(levels) > 20:
            counts, edges = np.histogram(ratings, 10)
            levels = (edges[1:] + edges[:-1]) / 2
        share = counts / counts.sum()
        words = [f"{100 * s:.0f} %" for s in share]
        parts.append(f"<div><h3>Ratings given</h3>{bars([f'{v:g}' for v in levels], share.tolist(), words)}</div>")
    counts = np.sort(np.bincount(data.interactions.items, minlength=data.n_items))[::-1]
    shares = np.cumsum(counts) / max(counts.sum(), 1)
    at = np.unique(np.linspace(0, len(counts) - 1, 60).astype(int))
    tenth = shares[max(int(len(counts) * 0.1) - 1, 0)]
    said = f"The tenth of the items that is rated most has {100 * tenth:.0f} % of all ratings"
    line = Line("items, most rated first", [0, *((at + 1) / len(counts))], [0, *shares[at]])
    flat = Line("if all were rated alike", [0, 1], [0, 1], "quiet")
    picture = chart([line, flat], "share of the items", "share of the ratings", said, percent=True)
    parts.append(f"<div><h3>Who gets them</h3><p>{text(said)}.</p>{picture}</div>")
    lines = "".join(f"<tr><th scope='row'>{text(a)}</th><td>{text(b)}</td></tr>" for a, b in data.report.lines())
    return (
        f'<div class="two">{"".join(parts)}</div><details><summary>How the table was read</summary>'
        f'<div class="wide" tabindex="0" role="group" aria-label="How the table was read">'
        f'<table class="facts">{lines}</table></div></details>'
    )


def accuracy_section(judged: Judged) -> str:
    """The model beside baselines, one picture a figure; all figures in a table."""
    comparison = judged.comparison
    blocks = []
    for figure, title in SHOWN.items():
        able = {name: found for name, found in comparison.evaluations.items() if figure in found}
        if not able:
            continue
        rows = []
        for name, found in able.items():
            interval, gap = found.intervals[figure], comparison.differences[name].get(figure)
            verdict = "the one to beat" if gap is None else gap.verdict
            own = name == judged.own.name
            tone = TONES.get(verdict, "") if own else "quiet"
            rows.append(Mark(name, interval.value, interval.low, interval.high, f"{interval.value:.4f}", tone, verdict))
        blocks.append(f"<div><h3>{text(title)}</h3>{marks(rows)}</div>")
    heads = "".join(f"<th scope='col'>{text(name)}</th>" for name in ("model", *comparison.figures))
    lines = "".join(
        f"<tr><th scope='row'>{text(name)}</th>"
        + "".join(f"<td>{found[figure]:.4f}</td>" if figure in found else "<td></td>" for figure in comparison.figures)
        + "</tr>"
        for name, found in comparison.evaluations.items()
    )
    cautions = "".join(f"<li>{text(note)}</li>" for note in comparison.notes)
    return (
        f"<p>Measured on {text(judged.how)}. Lines are 95 % intervals over people.</p>{''.join(blocks)}"
        f'<details><summary>All figures, the protocol, and what to be careful about</summary><div class="wide" tabindex="0" role="group" '
        f'aria-label="All figures"><table class="numbers"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'
        f"<ul>{cautions}</ul></details>"
    )


def training_section(rec: Recommender) -> str:
    """The learning curve."""
    curve = rec.insight.training()
    lines = []
    for n, name in enumerate(curve.figures[:3]):
        frame = curve.frame.filter(pl.col(name).is_not_null())
        if "chain" in frame.columns:
            frame = frame.filter(pl.col("chain") == frame["chain"][0])
        steps = frame[curve.step].to_list() if curve.step else list(range(frame.height))
        lines.append(Line(_words(name), steps, frame[name].to_list(), ("one", "two", "three")[n]))
    last = curve.frame[curve.figures[0]].drop_nulls()
    said = f"{_words(curve.figures[0])} from {last[0]:.3f} to {last[-1]:.3f} in {len(last)} {curve.step or 'row'}s"
    return f"<p>{text(said[0].upper() + said[1:])}.</p>{chart(lines, curve.step or 'row', ', '.join(line.name for line in lines), said)}"


def calibration_section(judged: Judged) -> str:
    """Predicted against given ratings."""
    found = calibration(judged.rec.answers, judged.test)
    frame = found.frame
    ends = [min(frame["predicted"].min(), frame["actual"].min()), max(frame["predicted"].max(), frame["actual"].max())]  # type: ignore[type-var]
    x, y, low, high = (frame[name].to_list() for name in ("predicted", "actual", "low", "high"))
    own = Line("mean rating given", x, y, dots=True, low=low, high=high)
    right = Line("as it should be", [float(v) for v in ends], [float(v) for v in ends], "quiet")  # type: ignore[arg-type]
    off = float(np.average(np.abs(frame["residual"].to_numpy()), weights=frame["events"].to_numpy()))
    said = f"A prediction is off by {off:.2f} on average over ten bins; the slope is {found.slope:.2f}, and 1 would be right"
    return f"<p>{text(said)}.</p>{chart([own, right], 'predicted rating', 'mean rating given, with 95 % interval', said)}"


def weak_section(judged: Judged) -> str:
    """Where it errs, and who is served worse."""
    answers, test, own = judged.rec.answers, judged.test, judged.own
    blocks = []
    if "rmse" in own:
        blocks.append(_parts(errors(answers, test, own), "rmse", "Error by part of the test (RMSE)"))
    groups = served(answers, test, own)
    if "ndcg@10" in set(groups.frame["figure"]):
        blocks.append(_parts(groups, "ndcg@10", "Quality of lists by group of people (NDCG@10)"))
    return "".join(blocks)


def _parts(weak: Weak, figure: str, title: str) -> str:
    frame = weak.frame.filter(pl.col("figure") == figure)
    worst = weak.worst.filter(pl.col("figure") == figure)
    named = ", ".join(f"{SEGMENTS.get(row['segment'], row['segment'])}: {row['part']}" for row in worst.head(3).iter_rows(named=True))
    line = (
        f"Worse than the whole, the 95 % interval apart from it: {named}." if named else "No part is worse than the whole by its interval."
    )
    rows = [
        Mark(f"{SEGMENTS.get(row['segment'], row['segment'])}: {row['part']}", row["value"], row["low"], row["high"], f"{row['value']:.3f}",
             "bad" if row["worse"] else "", f"{row['events']:,} events")
        for row in frame.iter_rows(named=True)
    ]  # fmt: skip
    line += " The upright line is the whole; of forty parts one stands apart by chance."
    return f"<div><h3>{text(title)}</h3><p>{text(line)}</p>{marks(rows, frame['overall'][0])}</div>"


def coverage_section(rec: Recommender) -> str:
    """What is recommended against what there is."""
    found = rec.insight.coverage()
    frame = found.frame
    words = [f"{100 * s:.0f} %" for s in frame["shown"]]
    value = found.figures.row(by_predicate=pl.col("figure") == f"coverage@{found.k}", named=True)["value"]
    said = f"Lists of {found.k} for {found.people:,} people show {100 * value:.1f} % of the catalogue"
    legend = '<ul class="legend"><li class="one">places in the lists</li><li class="quiet">ratings</li></ul>'
    labels = [f"{n}." for n in frame["tenth"]]
    picture = bars(labels, frame["shown"].to_list(), words, frame["ratings"].to_list())
    return f"<p>{text(said)}. Tenths of the catalogue, the most rated tenth first:</p>{legend}{picture}"


def effects_section(rec: Recommender, most: int = 12) -> str:
    """What moves predictions."""
    frame = effects(rec.answers).frame
    parts = frame.filter(pl.col("kind") == "part")
    others = frame.filter(pl.col("kind") != "part").sort(pl.col("effect").abs(), descending=True, maintain_order=True).head(most)
    words = {"user": "the person's level", "item": "the item's level", "taste": "taste", "residual": "left over"}
    rows = [
        Mark(words.get(r["name"], r["name"]), r["effect"], r["low"], r["high"], f"{r['effect']:.2f}") for r in parts.iter_rows(named=True)
    ]
    blocks = f"<div><h3>How far each part moves a prediction</h3>{marks(rows, 0.0, 'standard deviation over pairs')}</div>" if rows else ""
    if others.height:
        rows = [_feature(row) for row in others.iter_rows(named=True)]
        note = "mean prediction for those who have it, minus those who have not: what is predicted, not what it causes"
        blocks += f"<div><h3>What is predicted for features</h3>{marks(rows, 0.0, note)}</div>"
    return f'<div class="two">{blocks}</div>'


def _feature(row: dict[str, Any]) -> Mark:
    tone = "good" if row["low"] > 0 else "bad" if row["high"] < 0 else ""
    return Mark(row["name"].replace("=", ": "), row["effect"], row["low"], row["high"], f"{row['effect']:+.2f}", tone, f"{row['rows']:,}")


def _words(name: str) -> str:
    return name.replace("_", " ").replace("rmse", "RMSE")
