"""A fitted model against held-out events: every figure, with its protocol and what to be careful about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.evaluation.beyond import beyond_figures
from likewise.evaluation.cautions import cautions, order_unknown
from likewise.evaluation.distribution import distribution_figures, levels_of
from likewise.evaluation.figures import Figure, by_name, mean_figure
from likewise.evaluation.held import Held, held_out, introduce
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.rating import rating_figures
from likewise.evaluation.result import Evaluation
from likewise.evaluation.scoring import Ranked, predict_held, predictive_held, rank_held
from likewise.evaluation.segments import segment_parts
from likewise.evaluation.top_n import list_metrics
from likewise.models.base import FittedModel
from likewise.shapes import Floats

MOST_CELLS = 50_000_000
"""Item features with more cells than this are not laid out to measure diversity; give `vectors` instead."""
SAMPLED_METRICS = ("hit", "ndcg", "mrr")
"""With one item to find, recall, precision and MAP say nothing more."""


@dataclass(frozen=True)
class Asked:
    """What to measure: predicted ratings, lists, the predicted distribution, parts of the test.

    `ratings=None` measures them where the model answers in ratings: its link limits its scores to a range or squeezes them into one.
    """

    ratings: bool | None = None
    lists: bool = True
    distribution: bool = True
    segments: bool = True


def evaluate(
    model: FittedModel[Any],
    train: Dataset,
    test: Dataset,
    protocol: Protocol | None = None,
    *,
    name: str = "model",
    asked: Asked | None = None,
    held: Held | None = None,
    vectors: Floats | None = None,
    threads: int | None = None,
) -> Evaluation:
    """Evaluate a fitted model.

    Parameters
    ----------
    model : FittedModel
        Fitted on `train`; nothing is fitted here.
    train, test : Dataset
        Each with vocabularies of its own.
    protocol : Protocol or None
        How lists are judged; None: all of the catalogue is ranked and every held-out item counts.
    name : str
        What the model is called in tables.
    asked : Asked or None
        None measures everything that fits; rating figures need ratings on both sides.
    held : Held or None
        The test in the model's rows, where the caller has encoded it (a model that knows more items than `train`).
    vectors : float32 [item, column] or None
        What diversity is measured in; None takes the encoded item features, and leaves diversity out where there are none
        or too many to lay out.
    threads : int or None

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        An empty test set, a threshold without ratings, a list length below 1.
    """
    protocol = protocol or Protocol()
    asked = asked or Asked()
    everything = held_out(train, test) if held is None else held
    given, held = (None, everything) if not protocol.given else introduce(everything, protocol.given, protocol.seed)
    figures: list[Figure] = []
    columns: dict[str, Floats] = {}
    if held.ratings is not None and train.explicit and (rates(model) if asked.ratings is None else asked.ratings):
        found, errors = _rating_part(model, train, held, asked)
        figures += found
        columns |= {"rmse": errors**2, "mae": np.abs(errors)}
    if asked.lists:
        found, ranks = _list_part(model, train.interactions, held, protocol, given, _vectors(model, train, vectors), threads)
        figures += found
        columns |= ranks
    parts = segment_parts(train.interactions, held, columns) if asked.segments and columns else []
    careful = [*order_unknown(model.config, train), *cautions(train, test, protocol)]
    return Evaluation(name, protocol, by_name(figures), tuple(parts), tuple(careful), held.ids, len(train), len(test))


def rates(model: FittedModel[Any]) -> bool:
    """Whether a model's responses are ratings."""
    return model.link.rates


def _rating_part(model: FittedModel[Any], train: Dataset, held: Held, asked: Asked) -> tuple[list[Figure], Floats]:
    learned, ratings = train.interactions.ratings, held.ratings
    if learned is None or ratings is None:
        return [], np.empty(0, np.float32)
    predicted = predict_held(model, held, train.rating_range)
    figures = rating_figures(predicted, ratings, held.people, held.n_people)
    predictive = predictive_held(model, held) if asked.distribution else None
    if predictive is not None:
        figures += distribution_figures(predictive, ratings, held.people, held.n_people, levels_of(learned))
    return figures, predicted - ratings


def _list_part(
    model: FittedModel[Any],
    train: Interactions,
    held: Held,
    protocol: Protocol,
    given: Histories | None,
    vectors: Floats | None,
    threads: int | None,
) -> tuple[list[Figure], dict[str, Floats]]:
    worth = protocol.positives(held.ratings, len(held))
    wanted = held if worth.all() else held.select(worth)
    ranked = rank_held(model, train, wanted, protocol, given, threads)
    k = 10 if 10 in protocol.ks else protocol.ks[0]
    found = np.full(len(held), np.nan, np.float32)
    found[np.flatnonzero(worth)[ranked.events]] = ranked.ranks < k
    column = {f"{protocol.prefix}found@{k}": found}
    if ranked.lists is None:
        return _sampled_figures(ranked, wanted, protocol), column
    metrics = list_metrics(ranked.indptr, ranked.ranks, ranked.candidates, protocol.ks)
    figures = [mean_figure(name, values) for name, values in metrics.items()]
    counts = np.bincount(train.items, minlength=model.n_items)
    asked = ranked.lists[np.diff(ranked.indptr) > 0]
    return figures + _spread(beyond_figures(asked, counts, train.n_users, protocol.ks, vectors), np.diff(ranked.indptr) > 0), column


def _spread(figures: list[Figure], asked: np.ndarray[Any, np.dtype[np.bool_]]) -> list[Figure]:
    """Figures of the people who were asked, laid out over all people, so that every figure has the same people."""

    def over_all(column: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        wide = np.zeros(len(asked))
        wide[asked] = column
        return wide

    return [Figure(figure.name, over_all(figure.totals), over_all(figure.counts), figure.root) for figure in figures]


def _sampled_figures(ranked: Ranked, held: Held, protocol: Protocol) -> list[Figure]:
    """Each held-out item is a list of its own; a person's figure is the mean over theirs."""
    n = len(ranked.ranks)
    metrics = list_metrics(np.arange(n + 1), ranked.ranks, ranked.candidates, protocol.ks)
    people = np.repeat(np.arange(held.n_people), np.diff(ranked.indptr))
    size = np.bincount(people, minlength=held.n_people)
    figures = []
    for name, values in metrics.items():
        if name.split("@")[0] in SAMPLED_METRICS:
            total = np.bincount(people, values, held.n_people)
            figures.append(mean_figure(f"sampled_{name}", np.where(size > 0, total / np.maximum(size, 1), np.nan)))
    return figures


def _vectors(model: FittedModel[Any], train: Dataset, vectors: Floats | None) -> Floats | None:
    """What diversity is measured in; None where the features do not cover every item the model knows."""
    if vectors is not None:
        if len(vectors) != model.n_items:
            raise InputError(f"vectors must have one row an item the model knows ({model.n_items:,}); they have {len(vectors):,}")
        return vectors
    if train.item_table is None or train.n_items != model.n_items:
        return None
    features = train.item_features
    design = None if features is None else features.design()
    return design.toarray() if design is not None and design.n_rows * design.width <= MOST_CELLS else None
