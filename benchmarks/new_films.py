"""How well films without a rating are ranked for people, by a two-tower model of their genres and year: `python -m benchmarks.new_films`.

A tenth of the films of MovieLens 1M is withheld. Prints the mean AUC over people of the model and of the popularity of genres in the
other films, and the lower end of a 95 % interval of their difference, as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from benchmarks.suites import data_home
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.data.readers import read
from likewise.solvers.base import Run
from likewise.studies.presets import load_preset

CHANGES = {"solver.loss": "bpr", "solver.epochs": 6, "solver.batch_size": 4096, "solver.penalty.l2": 0.005}
"""Of the preset `two-tower`; the choice of `benchmarks.studies.inner_choices new-films`."""


@dataclass(frozen=True, eq=False)
class NewFilms:
    """Events of films kept, and of films withheld.

    Parameters
    ----------
    train : Dataset
    films : Series, the ids withheld
    held : frame of their events
    """

    train: Dataset
    films: pl.Series
    held: pl.DataFrame

    def truth(self) -> np.ndarray:
        """Who rated which film, bool [user, film]."""
        place = {film: n for n, film in enumerate(self.films.to_list())}
        users = self.train.users.rows(self.held["user_id"])
        found = np.zeros((self.train.n_users, len(self.films)), bool)
        found[users[users >= 0], np.array([place[film] for film in self.held["item_id"].to_list()])[users >= 0]] = True
        return found

    def aucs(self, scores: np.ndarray) -> np.ndarray:
        """AUC of each person who rated some of the films but not all, from scores [user, film]."""
        truth = self.truth()
        some = truth.any(1) & ~truth.all(1)
        order, wanted = np.argsort(np.argsort(scores[some], 1, kind="stable"), 1) + 1.0, truth[some]
        n = wanted.sum(1)
        return np.asarray(((order * wanted).sum(1) - n * (n + 1) / 2) / (n * (wanted.shape[1] - n)))

    def scores(self, changes: Mapping[str, Any]) -> np.ndarray:
        """Of the model, which knows the films by their features alone."""
        preset = load_preset("two-tower", changes)
        model = preset.solver.fit(preset.model, self.train, Run(threads=1)).model
        rows = np.arange(self.train.n_items, self.train.n_items + len(self.films), dtype=np.int32)
        grown = model.with_items(rows, Histories(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32)), self._features().design())
        return np.asarray(grown.score(grown.people(np.arange(self.train.n_users, dtype=np.int32)), rows))

    def popularity(self) -> np.ndarray:
        """The mean number of ratings of a film's genres, for everybody alike."""
        genres, counts = self.train.item_features["genres"].matrix.toarray(), self.train.interactions.by_item.counts
        liked = (genres * counts[:, None]).sum(0) / np.maximum(genres.sum(0), 1)
        of_new = self._features()["genres"].matrix.toarray()
        return np.broadcast_to(of_new @ liked / np.maximum(of_new.sum(1), 1), (self.train.n_users, len(self.films)))

    def _features(self) -> Any:
        table = pl.DataFrame({"item_id": self.films}).join(self.train.item_table, on="item_id", how="left", maintain_order="left")
        return self.train.item_features.encode(table.drop("item_id"))


def withheld(times: int = 1) -> NewFilms:
    """A tenth of the films put away; twice for choices, which must not see the films that are tested on."""
    draw = np.random.default_rng(0)
    home = data_home() / "ml-1m"
    events = pl.read_parquet(home / "ratings.parquet").select("user_id", "item_id", "rating")
    for _ in range(times):
        known = np.sort(events["item_id"].unique().to_numpy())
        films = pl.Series(draw.choice(known, len(known) // 10, replace=False))
        new = events["item_id"].is_in(films.implode())
        held, events = events.filter(new), events.filter(~new)
    return NewFilms(read(events, items=str(home / "movies.dat"), users=str(home / "users.dat")), films, held)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    found, draw = withheld(), np.random.default_rng(1)
    popular = found.popularity()
    ours, theirs = found.aucs(found.scores(CHANGES)), found.aucs(popular + 1e-9 * draw.random(popular.shape))
    change = ours - theirs
    lower = float(np.quantile([draw.choice(change, len(change)).mean() for _ in range(2000)], 0.025))
    print(json.dumps({"auc": float(ours.mean()), "popularity": float(theirs.mean()), "lower": lower}))


if __name__ == "__main__":
    main()
