"""Lists that are more than the best scores: diversity, popularity, novelty, freshness, calibration, exploration.

Among a pool of the best candidates, with r the score scaled to [0, 1] over the pool:

    worth(i)  = r(i) + popularity * pop(i) + novelty * rare(i) + freshness * fresh(i) + exploration * sd(i) / (span of the scores)
    gain(i)   = (1 - calibration) * ((1 - diversity) * worth(i) - diversity * max cosine(i, chosen)) - calibration * KL(p, q)

and the item with the largest gain is chosen next. pop(i) and rare(i) are the popularity's rank and the self-information, in
[0, 1]; fresh(i) = 2^(-age / half life); MMR is Carbonell and Goldstein 1998; p is the spread of kinds in the person's history
and q that of the list with i (Steck 2018, alpha = 0.01). A knob at zero takes its term away, all at zero return the plain list.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, empty_csr
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.ranking.similar import unit_rows
from likewise.ranking.stages import taken
from likewise.ranking.topk import TopK
from likewise.shapes import NO_TIME, Floats

DAY = 86_400.0
PAIRS = 1 << 14
"""Pairs whose spread is asked at once; a posterior holds every draw of each."""
SMOOTHING = 0.01
"""Share of the history's spread mixed into the list's, so that a kind not there yet costs something finite."""


@dataclass(frozen=True, eq=False)
class Signals:
    """What the knobs know of items; a knob whose signal is missing is refused.

    Parameters
    ----------
    vectors : float32 [item, factor] or None
        What diversity is measured in, by cosine.
    popularity : float32 [item] or None
        How many took each item.
    age : float32 [item] or None
        Days since each item was new; NaN where not known, which counts as old.
    kinds : CSR [item, kind] or None
        Genres, or whatever lists should be calibrated in.
    """

    vectors: Floats | None = None
    popularity: Floats | None = None
    age: Floats | None = None
    kinds: CSR | None = None

    @classmethod
    def of(cls, events: Interactions, vectors: Floats | None = None, kinds: CSR | None = None) -> Signals:
        """From what happened: popularity by events, age since an item's first event as of the last."""
        popularity = np.bincount(events.items, minlength=events.n_items).astype(np.float32)
        age = None
        if events.times is not None and (events.times != NO_TIME).any():
            dated = events.times != NO_TIME
            first = np.full(events.n_items, np.inf)
            np.minimum.at(first, events.items[dated], events.times[dated].astype(np.float64))
            age = np.where(np.isfinite(first), (float(events.times.max()) - first) / DAY, np.nan).astype(np.float32)
        return cls(vectors, popularity, age, kinds)


@dataclass(frozen=True)
class Rerank:
    """The knobs; each at zero takes its term away.

    Parameters
    ----------
    diversity : float in [0, 1]
        Unlike what is on the list already (MMR).
    popularity, novelty : float in [0, 1]
        What many took; what few took.
    freshness : float in [0, 1]
        What is new.
    calibration : float in [0, 1]
        Kinds in the proportions of the person's history.
    exploration : float, 0 or more
        Standard deviations of the score added to it (needs a model with a posterior).
    half_life : float
        Days in which an item's freshness halves.
    pool : int
        Candidates that are considered, at least k.

    Examples
    --------
    >>> Rerank(diversity=0.3).plain, Rerank().plain
    (False, True)
    """

    diversity: float = 0.0
    popularity: float = 0.0
    novelty: float = 0.0
    freshness: float = 0.0
    calibration: float = 0.0
    exploration: float = 0.0
    half_life: float = 90.0
    pool: int = 200

    def __post_init__(self) -> None:
        for field in fields(self)[:5]:
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise InputError(f"{field.name} must lie in [0, 1]; got {value}. 0 takes it away")
        if not (np.isfinite(self.exploration) and self.exploration >= 0):
            raise InputError(f"exploration must be 0 or more standard deviations; got {self.exploration}")
        if not (np.isfinite(self.half_life) and self.half_life > 0):
            raise InputError(f"half_life must be a positive number of days; got {self.half_life}")
        if self.pool < 1:
            raise InputError(f"pool must be at least 1; got {self.pool}")

    @property
    def plain(self) -> bool:
        """Whether every knob is at zero."""
        return not any(getattr(self, field.name) for field in fields(self)[:6])

    def unsure(self, model: FittedModel[Any], people: Floats | Histories, lists: TopK) -> Floats | None:
        """The model's standard deviation at each place [batch, k], if exploration needs it.

        Raises InputError for a model without a posterior.
        """
        if not self.exploration:
            return None
        batch, width = lists.items.shape
        items = np.where(lists.items < 0, 0, lists.items).astype(np.int32)
        sd = np.zeros((batch, width), np.float32)
        step = max(1, PAIRS // max(width, 1))
        for start in range(0, batch, step):
            block = np.arange(start, min(start + step, batch), dtype=np.int32)
            predictive = model.predictive(taken(people, np.repeat(block, width)), items[block].reshape(-1))
            if predictive is None:
                raise InputError(
                    f"exploration needs a model that knows how unsure it is; {type(model).__name__} gives a point: fit Dot by Gibbs"
                )
            sd[block] = predictive.sd_mean.reshape(len(block), width)
        return sd

    def apply(
        self, lists: TopK, k: int, signals: Signals | None = None, histories: Histories | None = None, sd: Floats | None = None
    ) -> TopK:
        """The first k of each list in the new order; scores stay the model's.

        Parameters
        ----------
        lists : TopK
            Candidates, best first.
        histories : Histories or None
            What each person did; calibration needs it.
        sd : float32 [batch, candidate] or None
            Exploration needs it.

        Raises
        ------
        InputError
            A knob without its signal.
        """
        if self.plain or not len(lists):
            return TopK(lists.items[:, :k], lists.scores[:, :k], np.minimum(lists.counts, k))
        signals = signals or Signals()
        worth = self._worth(lists, signals, sd)
        vectors = unit_rows(_needed("diversity", signals.vectors, "item vectors")) if self.diversity else np.zeros((1, 0), np.float32)
        kinds, spread = empty_csr(1, 0), np.zeros((len(lists), 0))
        if self.calibration:
            kinds = _needed("calibration", signals.kinds, "kinds of items such as genres")
            spread = spread_of(_needed("calibration", histories, "the people's histories"), kinds)
        places = np.full((len(lists), min(k, lists.items.shape[1])), -1, np.int64)
        _choose(lists.items, worth, vectors, self.diversity, kinds.indptr, kinds.columns, spread, self.calibration, places)
        found = places >= 0
        items = np.where(found, np.take_along_axis(lists.items, places, 1), np.int32(-1))
        scores = np.where(found, np.take_along_axis(lists.scores, places, 1), np.float32(-np.inf))
        return TopK(items, scores, found.sum(1))

    def _worth(self, lists: TopK, signals: Signals, sd: Floats | None) -> NDArray[np.float64]:
        """What each candidate is worth by itself, float64 [batch, candidate]."""
        there = lists.items >= 0
        scores = np.where(there, lists.scores, 0).astype(np.float64)
        high = np.where(there, scores, -np.inf).max(1, initial=-np.inf, keepdims=True)
        low = np.where(there, scores, np.inf).min(1, initial=np.inf, keepdims=True)
        span = np.where(there.any(1, keepdims=True) & (high > low), high - low, 1.0)
        worth = (scores - np.where(np.isfinite(low), low, 0.0)) / span
        items = np.where(there, lists.items, 0)
        if self.popularity:
            worth += self.popularity * rank_share(_needed("popularity", signals.popularity, "the items' popularity"))[items]
        if self.novelty:
            worth += self.novelty * rarity(_needed("novelty", signals.popularity, "the items' popularity"))[items]
        if self.freshness:
            age = _needed("freshness", signals.age, "times, or the items' ages")[items].astype(np.float64)
            worth += self.freshness * np.nan_to_num(np.exp2(-np.maximum(age, 0) / self.half_life), nan=0.0)
        if self.exploration:
            worth += self.exploration * _needed("exploration", sd, "the scores' standard deviations") / span
        return np.where(there, worth, -np.inf)


def rank_share(popularity: Floats) -> NDArray[np.float64]:
    """Share of items that are less popular, in [0, 1]; float64 [item]."""
    ordered = np.sort(popularity)
    return np.asarray(np.searchsorted(ordered, popularity) / max(len(popularity) - 1, 1))


def rarity(popularity: Floats) -> NDArray[np.float64]:
    """Self-information -log p of each item, scaled to [0, 1]; float64 [item]. An item that nobody took counts as taken once."""
    taken = np.maximum(popularity.astype(np.float64), 1)
    surprise = np.log(taken.max(initial=1) / taken)
    top = surprise.max(initial=0)
    return np.asarray(surprise / top if top > 0 else surprise)


def spread_of(histories: Histories, kinds: CSR) -> NDArray[np.float64]:
    """Share of each kind in each history, float64 [batch, kind]; an item of several kinds is shared among them.

    Entries count by their weight. A history without kinds gives zeros, which calibrate nothing.
    """
    weights = np.ones(len(histories.rows)) if histories.weights is None else histories.weights.astype(np.float64)
    per_item = kinds.counts[histories.rows] if len(histories.rows) else np.zeros(0, np.int64)
    people = np.repeat(np.arange(len(histories)), histories.counts)
    members = kinds.take(histories.rows)
    share = np.repeat(np.divide(weights, per_item, out=np.zeros(len(weights)), where=per_item > 0), members.counts)
    spread = np.zeros((len(histories), kinds.width))
    np.add.at(spread, (np.repeat(people, members.counts), members.columns), share)
    total = spread.sum(1, keepdims=True)
    return np.asarray(np.divide(spread, total, out=np.zeros_like(spread), where=total > 0))


def _needed(knob: str, signal: Any, what: str) -> Any:
    if signal is None:
        raise InputError(f"{knob} needs {what}, and there are none; give them in Signals, or leave {knob} at 0")
    return signal


@njit(cache=True, nogil=True)
def _choose(items, worth, vectors, diversity, indptr, kinds, spread, calibration, places):  # type: ignore[no-untyped-def]
    """Greedy choice; equal gains go to the earlier candidate. Writes places in the lists, -1 behind the end."""
    batch, width = items.shape
    n_kinds, n_factors = spread.shape[1], vectors.shape[1]
    like, free = np.empty(width), np.empty(width, np.bool_)
    held = np.zeros(n_kinds)
    for r in range(batch):
        for c in range(width):
            like[c] = 0.0
            free[c] = items[r, c] >= 0
        held[:] = 0
        for place in range(places.shape[1]):
            best, chosen = -np.inf, -1
            for c in range(width):
                if not free[c]:
                    continue
                gain = (1 - diversity) * worth[r, c] - diversity * like[c]
                if calibration > 0:
                    i = items[r, c]
                    gain = (1 - calibration) * gain - calibration * _divergence(spread[r], held, place, kinds[indptr[i] : indptr[i + 1]])
                if chosen < 0 or gain > best:
                    best, chosen = gain, c
            if chosen < 0:
                break
            free[chosen] = False
            places[r, place] = chosen
            i = items[r, chosen]
            if calibration > 0:
                for e in range(indptr[i], indptr[i + 1]):
                    held[kinds[e]] += 1.0 / (indptr[i + 1] - indptr[i])
            if diversity > 0:
                for c in range(width):
                    if free[c]:
                        cosine = 0.0
                        for f in range(n_factors):
                            cosine += vectors[i, f] * vectors[items[r, c], f]
                        like[c] = cosine if place == 0 else max(like[c], cosine)


@njit(cache=True, nogil=True)
def _divergence(spread, held, n_held, more):  # type: ignore[no-untyped-def]
    """KL(history, list with one more item), with the list smoothed towards the history."""
    total = 0.0
    for kind in range(len(spread)):
        p = spread[kind]
        if p > 0:
            q = held[kind]
            for other in more:
                if other == kind:
                    q += 1.0 / len(more)
            total += p * np.log(p / ((1 - SMOOTHING) * q / (n_held + 1) + SMOOTHING * p))
    return total
