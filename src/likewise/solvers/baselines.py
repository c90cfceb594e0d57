"""The baselines that stand beside every model: what it has to beat to be worth its time."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.evaluation.comparison import Comparison, alone, references_of
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.on_disk import evaluate_on_disk
from likewise.evaluation.protocol import Protocol, protocol as named_protocol
from likewise.models.base import FittedModel
from likewise.models.registry import MODELS, model_settings

MOST_ITEMS = 12_000
"""Catalogues larger than this leave out the baselines that hold a matrix [item, item]."""
SQUARE = {"neighbours", "ease"}


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline and the seconds it took."""

    name: str
    model: FittedModel[Any]
    seconds: float


def baseline_names(data: Dataset, ratings: bool, lists: bool) -> list[str]:
    """Popularity and EASE for lists, biases and neighbours for ratings; the costly ones only where the catalogue allows."""
    wanted = ["bias", "neighbours"] if ratings and data.explicit else []
    wanted += ["popularity", "ease"] if lists else []
    return [name for name in wanted if name in MODELS and (name not in SQUARE or data.n_items <= MOST_ITEMS)]


def fit_baseline(name: str, data: Dataset) -> Baseline:
    """A baseline with its default settings, solved in closed form."""
    start = perf_counter()
    model = model_settings(name)().solve(data)
    return Baseline(name, model, perf_counter() - start)


def beside_baselines(
    model: FittedModel[Any],
    train: Dataset,
    test: Dataset,
    protocol: Protocol,
    *,
    name: str,
    seconds: float | None = None,
    asked: Asked | None = None,
    baselines: bool = True,
    threads: int | None = None,
) -> Comparison:
    """Evaluate a model and, on the same test, the baselines fitted on its training data; the strongest is the reference.

    Parameters
    ----------
    name : str
        What the model is called in the table.
    seconds : float or None
        How long the model's fit took.
    """
    asked = asked or Asked()
    found = {name: evaluate(model, train, test, protocol, name=name, asked=asked, threads=threads)}
    took = {} if seconds is None else {name: seconds}
    wanted = baseline_names(train, asked.ratings is not False, asked.lists) if baselines else []
    itself = [other for other in wanted if model.config == model_settings(other)()]  # a baseline is not fitted twice
    others = [fit_baseline(other, train) for other in wanted if other not in itself]
    for other in others:
        found[other.name] = evaluate(other.model, train, test, protocol, name=other.name, asked=asked, threads=threads)
        took[other.name] = other.seconds
    rivals = tuple(other for other in ([name] if itself else []) + [other.name for other in others] if found[other].figures)
    told = {key: value for key, value in found.items() if value.figures}
    if not told:
        raise InputError(f"{name} has nothing to be measured by here: it predicts no ratings, and lists were not asked for")
    return Comparison(told, references_of(told, rivals), rivals, took)


def judged(
    model: FittedModel[Any],
    train: Dataset,
    test: Dataset | Shards,
    protocol: str | Protocol,
    *,
    name: str,
    seconds: float | None,
    lists: bool,
    baselines: bool,
) -> Comparison:
    """A model beside its baselines on a test in memory; alone on events held out on disk. `lists=False` leaves lists out."""
    how = named_protocol(protocol) if isinstance(protocol, str) else protocol
    asked = Asked(lists=lists)
    if isinstance(test, Shards):
        return alone(evaluate_on_disk(model, train, test, how, name=name, asked=asked))
    return beside_baselines(model, train, test, how, name=name, seconds=seconds, asked=asked, baselines=baselines)
