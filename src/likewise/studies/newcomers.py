"""Studies of how a preset meets people it was not trained on: whether reasons are true, what questions are worth, what answers cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.data.synthetic import zipf
from likewise.errors import InputError
from likewise.people.questions import Questionnaire
from likewise.people.visitor import visitor
from likewise.people.visitors import Visitors, visitors
from likewise.shapes import Floats, Rows
from likewise.studies.fit import fit

KINDS = ("reasons", "questions", "speed")
PAIRS, QUESTIONS, PEOPLE, ENTRIES, AT_ONCE, REPEATS = 1000, 10, 200, 20, 1000, 100


def study(kind: str, train: Any, everybody: Any, preset: str, changes: Mapping[str, Any] | None = None, seed: int = 0) -> dict[str, float]:
    """Fit a preset on `train` and study it with the people of `everybody` whom it does not know.

    Parameters
    ----------
    kind : "reasons", "questions" or "speed"
        "speed" makes data of its own: 10,000 items.
    """
    if kind not in KINDS:
        raise InputError(f"the study must be one of {', '.join(KINDS)}; got {kind!r}")
    rng = np.random.default_rng(seed)
    if kind == "speed":
        return speed(fit(zipf(1_000_000, 4_000, 10_000, exponent=0.8, seed=seed), preset, changes=changes, seed=seed).answers, rng)
    rec = fit(train, preset, changes=changes, seed=seed)
    frame = everybody.frame() if isinstance(everybody, Dataset) else pl.read_parquet(everybody)
    new = frame.filter(pl.Series(rec.data.users.rows(frame["user_id"]) < 0))
    if not len(new):
        raise InputError("every user of the second table is in the first; the study needs people whom the model does not know")
    crowd = visitors(rec.answers, new)
    return (faithfulness if kind == "reasons" else questionnaire)(rec.answers, crowd, rng)


def faithfulness(answers: Answers, crowd: Visitors, rng: np.random.Generator) -> dict[str, float]:
    """The strongest reason of 1,000 pairs taken away: predicted change against that of folding in again."""
    fitted = answers.fitted
    told = np.flatnonzero(crowd.histories.counts > 1).astype(np.int32)
    popular = np.argsort(-np.bincount(answers.data.interactions.items, minlength=fitted.n_items), kind="stable")[:1000]
    predicted, actual, residual = [], [], []
    for _ in range(PAIRS):
        one, item = crowd.histories.take(rng.choice(told, 1)), int(rng.choice(popular))
        parts = fitted.explain(fitted.fold_in(one), one, item)[0]
        strongest = int(np.abs(parts.influence).argmax())
        without = fitted.fold_in(one.keep(np.arange(len(one.rows)) != strongest))
        predicted.append(-float(parts.influence[strongest]))
        actual.append(float(fitted.score_pairs(without, np.array([item], np.int32))[0]) - parts.score)
        residual.append(abs(parts.residual) / max(abs(float(parts.taste.sum())), 1e-6))
    return {"correlation": float(np.corrcoef(predicted, actual)[0, 1]), "residual": float(np.median(residual)), "pairs": float(PAIRS)}


def questionnaire(answers: Answers, crowd: Visitors, rng: np.random.Generator) -> dict[str, float]:
    """Ten questions chosen one after another, or the ten most popular items; error on the ratings that neither asked for."""
    asker, fitted = Questionnaire(answers), answers.fitted
    popular = np.argsort(-asker.popularity, kind="stable")[:QUESTIONS]
    errors: dict[str, list[Floats]] = {"nothing": [], "popular": [], "chosen": []}
    answered = {"popular": 0, "chosen": 0}
    for person in rng.permutation(len(crowd))[:PEOPLE]:
        own = crowd.histories.take(np.array([person], np.int32))
        known = {
            "nothing": np.empty(0, np.int32),
            "popular": np.intersect1d(own.rows, popular).astype(np.int32),
            "chosen": _interview(asker, own),
        }
        left = own.keep(~np.isin(own.rows, np.concatenate(list(known.values()))))
        for name, rows in known.items():
            folded = fitted.fold_in(own.keep(np.isin(own.rows, rows)))
            score = fitted.score(folded, left.rows)[0]
            limits = answers.data.rating_range or (-np.inf, np.inf)
            errors[name].append((np.clip(fitted.link.respond(score), *limits) - np.asarray(left.ratings)) ** 2)
            if name != "nothing":
                answered[name] += len(rows)
    rmse = {name: float(np.sqrt(np.concatenate(e).mean())) for name, e in errors.items()}
    n = min(PEOPLE, len(crowd))
    ratio = (rmse["nothing"] - rmse["chosen"]) / (rmse["nothing"] - rmse["popular"])
    return {**{f"rmse_{name}": value for name, value in rmse.items()}, "ratio": ratio, **{f"known_{k}": v / n for k, v in answered.items()}}


def speed(answers: Answers, rng: np.random.Generator) -> dict[str, float]:
    """Milliseconds from 20 ratings to a list of ten for one visitor, and how much cheaper each of a thousand is in one call."""
    items = np.stack([rng.choice(len(answers.data.items), ENTRIES, replace=False) for _ in range(AT_ONCE)])
    ids, given = answers.data.items.take(items.ravel().astype(np.int32)), rng.integers(1, 6, items.size)
    frame = pl.DataFrame({"user_id": np.repeat(np.arange(AT_ONCE), ENTRIES), "item_id": ids, "rating": given.astype(np.float32)})
    said = [dict(zip(part["item_id"], part["rating"], strict=True)) for part in frame.partition_by("user_id", maintain_order=True)]
    one = _median_seconds([lambda ratings=ratings: visitor(answers, ratings).recommend(10) for ratings in said[:REPEATS]])  # type: ignore[misc]
    many = _median_seconds([lambda: visitors(answers, frame).recommend(10)] * 3)
    return {"one_ms": one * 1e3, "each_of_many_ms": many / AT_ONCE * 1e3, "times_cheaper": one / (many / AT_ONCE)}


def _interview(asker: Questionnaire, own: Histories) -> Rows:
    """What the person turns out to know of ten questions."""
    known: list[int] = []
    unseen: list[int] = []
    mine = set(own.rows.tolist())
    for _ in range(QUESTIONS):
        said = own.keep(np.isin(own.rows, known))
        item = int(asker.ask(said, np.array(unseen, np.int32), 1)[0][0])
        (known if item in mine else unseen).append(item)
    return np.array(known, np.int32)


def _median_seconds(calls: list[Callable[[], object]]) -> float:
    calls[0]()
    seconds = []
    for call in calls:
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return float(np.median(seconds))
