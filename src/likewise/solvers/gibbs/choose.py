"""Which blocks help: looks at inner splits of the training ratings before the chains start.

A random inner split says what a block is worth between ratings of the same time. Where ratings have times, the latest are held
out as well: most of their people are new, and what tells of the past may mislead there. A block must help in the first look and
must not hurt in the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.data.splits import held_out_events
from likewise.data.vocabulary import Vocabulary
from likewise.models.base import Side
from likewise.models.dot import Dot
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Rows
from likewise.solvers.base import Run
from likewise.solvers.gibbs.blocks import BLOCKS, blocks_of
from likewise.solvers.gibbs.hyper import Doubles

if TYPE_CHECKING:
    from likewise.solvers.gibbs.settings import Gibbs

HELD, MOST_RATINGS, FEWEST_RATINGS = 0.1, 50_000, 500
PAIRS_AT_ONCE = 4096
FACTORS = 8
SHORT = {"draws": 30, "burn_in": 10, "draws_kept": 15, "chains": 1, "choose": False, "seconds": None}
HURTS = 1.0
"""Standard errors, over people, by which the error of later ratings may be larger: less than that is chance."""


@dataclass(frozen=True, eq=False)
class Look:
    """One inner split: what is learned from, what is held out, and the settings of short fits."""

    solver: Gibbs
    model: Dot
    data: Dataset
    held: NDArray[np.bool_]
    run: Run
    known: dict[tuple[str, ...], Doubles] = field(default_factory=dict)

    def look(self, blocks: tuple[str, ...]) -> None:
        """Fit with these blocks, unless that was done."""
        if blocks not in self.known:
            self.known[blocks] = self._errors(blocks)

    def errors(self, blocks: tuple[str, ...]) -> Doubles:
        """Squared error of each rating held out."""
        self.look(blocks)
        return self.known[blocks]

    def gain(self, blocks: tuple[str, ...]) -> float:
        """How much lower the mean squared error is with these blocks than with none."""
        return float((self.errors(()) - self.errors(blocks)).mean())

    def hurts(self, blocks: tuple[str, ...]) -> bool:
        """Whether the error is larger with these blocks than with none, by more than chance would have it."""
        people, where = np.unique(self.data.interactions.users[self.held], return_inverse=True)
        worse = np.bincount(where, self.errors(blocks) - self.errors(()))
        apart = worse - worse.sum() / len(where) * np.bincount(where)
        return bool(worse.sum() > HURTS * np.sqrt((apart**2).sum() * len(people) / max(len(people) - 1, 1)))

    def _errors(self, blocks: tuple[str, ...]) -> Doubles:
        short = replace(self.solver, blocks=blocks, **SHORT)  # type: ignore[arg-type]
        inner, events = self.data.select(~self.held), self.data.interactions
        fitted = short.fit(self.model, inner, Run(seed=self.run.seed, threads=self.run.threads)).model
        fitted, users = _with_strangers(fitted, inner, "user", self.data.users, events.users[self.held])
        fitted, items = _with_strangers(fitted, inner, "item", self.data.items, events.items[self.held])
        contexts = {
            name: _rows_in(inner.contexts[name], self.data.contexts[name], rows[self.held]) for name, rows in events.context.items()
        }
        ratings, found = np.asarray(events.ratings)[self.held], np.empty(len(users))
        for start in range(0, len(found), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            context = {name: rows[part] for name, rows in contexts.items()}
            score = fitted.score_pairs(fitted.people(users[part]), items[part], context)
            found[part] = (fitted.link.respond(score) - ratings[part]) ** 2
        return found


def helpful_blocks(solver: Gibbs, model: Dot, data: Dataset, run: Run) -> tuple[tuple[str, ...], str]:
    """The blocks that lower the error on ratings held out from training, and a line that says how that was found.

    All together are compared with none; only if they do not help are they taken one by one, the most helpful first, while each
    helps those before it. Of large data a sample of people is taken.
    """
    offered = tuple(name for name in BLOCKS if name in solver.blocks and blocks_of(data, (name,)))
    if not offered or data.interactions.ratings is None or len(data) < FEWEST_RATINGS:
        return offered, "too few ratings to check that blocks help; all that the data have are used" if offered else ""
    sampled = _some_people(data, run.seed)
    small = replace(model, factors=min(model.factors, FACTORS))
    alone = replace(run, threads=1)
    random = Look(solver, small, sampled, np.random.default_rng(run.seed).random(len(sampled)) < HELD, alone)
    later = [Look(solver, small, sampled, held, alone) for held in _latest(sampled)]
    looks = (random, *later)

    def look(*wanted: tuple[Look, tuple[str, ...]]) -> None:
        """Short fits side by side: alone, each is too small to share."""
        in_threads(lambda n: wanted[n][0].look(wanted[n][1]), len(wanted), run.threads)

    look(*((one, blocks) for one in looks for blocks in ((), offered)))
    where = "on inner splits at random and by time" if later else "on an inner split"

    def good(blocks: tuple[str, ...]) -> bool:
        return random.gain(blocks) > 0 and not any(one.hurts(blocks) for one in later)

    if good(offered):
        return offered, f"{where} these blocks help together: {', '.join(offered)}"
    kept: tuple[str, ...] = ()
    look(*((random, (name,)) for name in offered))
    for name in sorted(offered, key=lambda name: -random.gain((name,))) if len(offered) > 1 else ():
        more = tuple(block for block in offered if block in (*kept, name))
        if thread_count(run.threads) > 1:  # else only what the first look leaves open
            look(*((one, more) for one in looks))
        if random.gain(more) > random.gain(kept) and good(more):
            kept = more
    return kept, f"{where} {', '.join(kept) or 'no block'} helped, of {', '.join(offered)}; the others are left out"


def _with_strangers(fitted: Any, inner: Dataset, side: Side, ids: Vocabulary, rows: Rows) -> tuple[Any, Rows]:
    """A model that also knows, by their features alone, those who have no rating; and the rows under its numbers, -1 for unknown."""
    asked = _rows_in(inner.users if side == "user" else inner.items, ids, rows)
    fresh = np.unique(rows[asked < 0])
    features = inner.strangers(side, ids.take(fresh)) if len(fresh) else None
    if features is None:
        return fitted, asked
    size = fitted.n_users if side == "user" else fitted.n_items
    nothing = Histories(np.zeros(len(fresh) + 1, np.int64), np.empty(0, np.int32))
    grown = fitted.refined(side, np.arange(size, size + len(fresh), dtype=np.int32), nothing, features.design())
    return grown, np.where(asked < 0, size + np.searchsorted(fresh, rows), asked).astype(np.int32)


def _rows_in(inner: Vocabulary, ids: Vocabulary, rows: Rows) -> Rows:
    """Rows of one vocabulary under the numbers of another, -1 for those it lacks."""
    return np.where(rows < 0, -1, inner.rows(ids.ids)[rows]).astype(np.int32)


def _latest(data: Dataset) -> Iterator[NDArray[np.bool_]]:
    """The latest ratings, where there are times enough to tell them from the others."""
    if not data.has_times:
        return
    held = held_out_events(data, "time", HELD)
    if 0 < held.mean() <= 3 * HELD:
        yield held


def _some_people(data: Dataset, seed: int) -> Dataset:
    if len(data) <= MOST_RATINGS:
        return data
    counts = np.bincount(data.interactions.users, minlength=data.n_users)
    order = np.random.default_rng(seed).permutation(data.n_users)
    taken = np.zeros(data.n_users, np.bool_)
    taken[order[: int(np.searchsorted(np.cumsum(counts[order]), MOST_RATINGS)) + 1]] = True
    return data.select(taken[data.interactions.users])
