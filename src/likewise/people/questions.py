"""What to ask a newcomer: the items whose answers would tell most, times the chance that they know them.

For models in which a person is a row, x ~ N(mu, S) given what they said so far, an answer about item j with design d_j leaves

    S' = S - S d_j d_j' S / (noise + d_j' S d_j)

and the mean variance of their predictions, sum_i p_i d_i' S d_i, falls by d_j' S M S d_j / (noise + d_j' S d_j) with
M = sum_i p_i d_i d_i'. That is the gain of an answer; p_i is the popularity of item i. For other models the
gain is the entropy of the item's ratings. "I have not seen it" is an answer as well: whoever knows some items and not others is
compared with the people of the training data, which tells what else they may know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.rows import RowModel
from likewise.shapes import Floats, Rows

DRAWS = 8
"""Draws of a posterior that are asked; their gains are averaged."""
LIKELY = 500
"""Items most likely known, among which questions are chosen."""
OWN = 0.8
"""Weight of a person's own knowledge beside everybody's, when people are compared by what they know."""
EVIDENCE = 40
"""Answers that count in full when people are compared; more are tempered to as many, or one person alone would be left."""


@dataclass(frozen=True, eq=False)
class Questionnaire:
    """Chooses questions for people who answer one after another.

    Parameters
    ----------
    answers : Answers
    """

    answers: Answers

    @cached_property
    def rows(self) -> list[RowModel]:
        """What ratings tell of a person's row; a few draws of a posterior."""
        models = self.answers.fitted.row_models()
        return models[:: max(1, len(models) // DRAWS)][:DRAWS]

    @cached_property
    def entropy(self) -> NDArray[np.float64]:
        """Of each item's ratings, in nats, drawn to what is usual where there are few; of "liked it" for likes."""
        events, n_items = self.answers.data.interactions, len(self.answers.data.items)
        if events.ratings is None:
            p = np.clip(self.popularity, 1e-9, 1 - 1e-9)
            return np.asarray(-p * np.log(p) - (1 - p) * np.log(1 - p), np.float64)
        levels, level = np.unique(events.ratings, return_inverse=True)
        counts = np.bincount(events.items.astype(np.int64) * len(levels) + level, minlength=n_items * len(levels)).reshape(n_items, -1)
        shares = (counts + counts.sum(0) / counts.sum()) / (counts.sum(1, keepdims=True) + 1)
        return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(1), np.float64)

    @cached_property
    def popularity(self) -> NDArray[np.float64]:
        """Share of the people who know each item, with one person more who knows one."""
        n_items = len(self.answers.data.items)
        counts = np.bincount(self.answers.data.interactions.items, minlength=n_items)
        return np.asarray((counts + 1 / max(n_items, 1)) / (len(self.answers.data.users) + 1), np.float64)

    @cached_property
    def met(self) -> list[Floats]:
        """M of each row model: the mean outer product of the designs of what people meet."""
        shares = (self.popularity / self.popularity.sum()).astype(np.float32)[:, None]
        return [np.asarray((model.design * shares).T @ model.design, np.float32) for model in self.rows]

    def ask(self, history: Histories, unseen: Rows, n: int) -> tuple[Rows, Floats, Floats]:
        """The n best items to ask, their gains, and the chances that they are known.

        Parameters
        ----------
        history : of one person, what they know
        unseen : int32 [item], what they were asked about and do not know
        """
        rated = history.rows[history.rows >= 0]
        chance = self.chance(rated, unseen)
        open_ = np.ones(len(chance), np.bool_)
        open_[rated], open_[unseen] = False, False
        spreads = [self._spread(model, rated) for model in self.rows]
        likely = np.argsort(-np.where(open_, chance, -1.0), kind="stable")[: min(LIKELY + n, int(open_.sum()))]
        asked: list[int] = []
        gains: list[float] = []
        for _ in range(min(n, len(likely))):
            gain = np.where(open_[likely], self._gain(spreads, likely) * chance[likely], -np.inf)
            place = int(gain.argmax())
            best = int(likely[place])
            asked.append(best)
            gains.append(float(gain[place]))
            open_[best] = False
            spreads = [_answered(s, m, best, chance[best]) for s, m in zip(spreads, self.rows, strict=True)]
        rows = np.array(asked, np.int32)
        return rows, np.array(gains, np.float32), chance[rows].astype(np.float32)

    def chance(self, known: Rows, unseen: Rows) -> NDArray[np.float64]:
        """Chance that somebody who knows these items and not those knows each item, [item]."""
        everybody = self.popularity
        said = len(known) + len(unseen)
        events = self.answers.data.interactions
        if not said or not len(events):
            return everybody
        by_item = events.by_item
        doubt = np.zeros(len(self.answers.data.users))
        for items, knows in ((known, True), (unseen, False)):
            for item in items:
                p = (1 - OWN) * everybody[item]
                has = by_item.rows[by_item.indptr[item] : by_item.indptr[item + 1]]
                ratio = np.log((p + OWN) / p) if knows else np.log((1 - p - OWN) / (1 - p))
                doubt[has] += ratio
        doubt *= min(1.0, EVIDENCE / said)
        weight = np.exp(doubt - doubt.max())
        weight /= weight.sum()
        alike = np.bincount(events.items, weight[events.users], len(everybody))
        return np.asarray(OWN * alike + (1 - OWN) * everybody, np.float64)

    def _gain(self, spreads: list[Floats], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """What an answer about each of the items would tell."""
        if not self.rows:
            return self.entropy[items]
        total = np.zeros(len(items))
        for model, spread, m in zip(self.rows, spreads, self.met, strict=True):
            design = model.design[items]
            reach = design @ spread
            told = np.einsum("ik,ik->i", reach @ m, reach)
            total += told / (model.noise + np.einsum("ik,ik->i", reach, design))
        return total / len(self.rows)

    def _spread(self, model: RowModel, rated: Rows) -> Floats:
        design = model.design[rated].astype(np.float64)
        return np.linalg.inv(model.prior.precision + design.T @ design / model.noise).astype(np.float32)


def questions(answers: Answers, history: Histories, unseen: Rows, n: int) -> pl.DataFrame:
    """The n items to ask next: item_id title gain chance rank; see `Visitor.questions`."""
    if n < 1:
        raise InputError(f"n must be at least 1; got {n}")
    rows, gains, chances = Questionnaire(answers).ask(history, unseen, n)
    return answers.item_frame(rows, gain=gains, chance=chances)


def _answered(spread: Floats, model: RowModel, item: int, chance: float) -> Floats:
    """The covariance after an answer that comes with this chance."""
    reach = spread @ model.design[item]
    share = np.float32(chance / (model.noise + float(model.design[item] @ reach)))
    return np.asarray(spread - share * np.outer(reach, reach), np.float32)
