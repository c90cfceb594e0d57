"""A fitted model asked block by block: predicted ratings, and where the held-out items stand in its lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs, ragged_take
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.evaluation.held import Held
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.ranks import ranks_among_sampled, ranks_in
from likewise.models.base import FittedModel, Predictive
from likewise.parallel import in_threads, thread_count
from likewise.ranking.topk import top_k_scores
from likewise.shapes import Floats, Offsets, Rows

PAIRS = 2048
"""Pairs predicted at once."""
SCORE_BYTES = 4 << 20
"""Scores held at once."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """Where the held-out items stand.

    Parameters
    ----------
    indptr : int64 [person + 1]
    events : int64 [entry]
        The held-out event of each entry.
    ranks : int32 [entry]
        Its rank, 0 first.
    candidates : int64 [person], or [entry] under sampled negatives
        Among how many.
    lists : int32 [person, place] or None
        The first items of each person, -1 behind the end; None under sampled negatives.
    dropped : int
        Held-out events left out because the pair is in the training history too, or is there twice.
    """

    indptr: Offsets
    events: NDArray[np.int64]
    ranks: Rows
    candidates: NDArray[np.int64]
    lists: Rows | None
    dropped: int


def predict_held(model: FittedModel[Any], held: Held, limits: tuple[float, float] | None) -> Floats:
    """Predicted ratings [event], through the link and limited to the training ratings' range."""
    predicted = np.empty(len(held), np.float32)
    for part, people, items, context in _pairs(model, held):
        predicted[part] = model.link.respond(model.score_pairs(people, items, context or None))
    return predicted if limits is None else np.clip(predicted, np.float32(limits[0]), np.float32(limits[1]))


def predictive_held(model: FittedModel[Any], held: Held) -> Predictive | None:
    """The distribution of every held-out rating, None for models that give a point."""
    parts = []
    for _, people, items, context in _pairs(model, held):
        found = model.predictive(people, items, context or None)
        if found is None:
            return None
        parts.append(found)
    join = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "sd", "sd_mean")}
    chances = None if parts[0].probabilities is None else np.concatenate([part.probabilities for part in parts])
    return Predictive(**join, levels=parts[0].levels, probabilities=chances)


def rank_held(
    model: FittedModel[Any],
    train: Interactions,
    held: Held,
    protocol: Protocol,
    given: Histories | None = None,
    threads: int | None = None,
) -> Ranked:
    """Rank the held-out items of every person as the protocol says.

    Parameters
    ----------
    train : Interactions
        Whose histories are left out of the lists; its items without events are the "new" pool.
    held : Held
        The events worth finding; `Protocol.positives` has been applied.
    given : Histories [person] or None
        What people unknown to the model are introduced by.
    """
    pool = _new_items(train, model.n_items) if protocol.pool == "new" else None
    width = model.n_items if pool is None else len(pool)
    if not width:
        raise InputError("there are no items to rank: every item the model knows has training events; split by='cold-items'")
    place = _places(pool, model.n_items)
    histories = _seen(train, held, given)
    wanted, events = _wanted(held, histories, place, protocol)
    seen = _among(histories, place, width)
    if not protocol.exclude_seen:
        seen = CSR(np.zeros_like(seen.indptr), seen.columns[:0], None, width)
    ranks = np.empty(len(wanted.columns), np.int32)
    sampled = np.empty(len(wanted.columns), np.int64)
    longest = min(protocol.ks[-1], width)
    lists = None if protocol.negatives is not None else np.full((held.n_people, longest), -1, np.int32)
    for rows in _blocks(held, given, wanted, width):
        scores = np.ascontiguousarray(model.score(_represent(model, held, given, rows), pool), np.float32)
        mine, hidden = wanted.take(rows), seen.take(rows)
        _, entries = ragged_take(wanted.indptr, rows)
        if protocol.negatives is None:
            ranks[entries] = _rank_in_threads(scores, hidden, mine, threads)
            lists[rows] = _unplaced(top_k_scores(scores, longest, hidden, threads=threads).items, pool)  # type: ignore[index]
        else:
            taken = _both(hidden, mine)
            ranks[entries], sampled[entries] = ranks_among_sampled(scores, taken, mine, protocol.negatives, protocol.seed, rows)
    candidates = sampled if protocol.negatives is not None else width - seen.counts
    return Ranked(wanted.indptr, events, ranks, candidates, lists, len(held) - len(events))


def _pairs(model: FittedModel[Any], held: Held) -> Iterator[tuple[slice, Any, Rows, dict[str, Rows]]]:
    users, items = held.event_users, held.event_items
    for start in range(0, len(held), PAIRS):
        part = slice(start, start + PAIRS)
        context = {name: rows[part] for name, rows in held.context.items()}
        yield part, model.people(users[part]), items[part], context


def _blocks(held: Held, given: Histories | None, wanted: CSR, width: int) -> Iterator[Rows]:
    """People with held-out items, in blocks that the scores of fit in; known people and introduced ones apart."""
    asked = wanted.counts > 0
    introduced = np.zeros(held.n_people, np.bool_) if given is None else given.counts > 0
    size = max(1, SCORE_BYTES // (4 * max(width, 1)))
    for group in (asked & ~introduced, asked & introduced):
        rows = np.flatnonzero(group).astype(np.int32)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _represent(model: FittedModel[Any], held: Held, given: Histories | None, rows: Rows) -> Any:
    if given is not None and len(given.take(rows[:1]).rows):
        return model.fold_in(given.take(rows))
    return model.people(held.users[rows])


def _rank_in_threads(scores: Floats, seen: CSR, wanted: CSR, threads: int | None) -> Rows:
    """`ranks_in` with the people dealt over threads."""
    ranks = np.empty(len(wanted.columns), np.int32)
    cuts = np.linspace(0, len(scores), 2 * thread_count(threads) + 1).astype(np.int64)

    def work(piece: int) -> None:
        rows = np.arange(cuts[piece], cuts[piece + 1], dtype=np.int32)
        ranks[wanted.indptr[cuts[piece]] : wanted.indptr[cuts[piece + 1]]] = ranks_in(
            scores[rows[0] : rows[-1] + 1], seen.take(rows), wanted.take(rows)
        )

    in_threads(lambda piece: work(piece) if cuts[piece] < cuts[piece + 1] else None, len(cuts) - 1, threads)
    return ranks


def _seen(train: Interactions, held: Held, given: Histories | None) -> CSR:
    """Each person's own history, in item rows."""
    order = csr_from_pairs(train.users, train.items, None, train.n_users, train.n_items).take(held.users)
    if given is None:
        return order
    return _both(order, given.csr(train.n_items))


def _wanted(held: Held, histories: CSR, place: Rows, protocol: Protocol) -> tuple[CSR, NDArray[np.int64]]:
    """The held-out items of each person, once each, and the event of each; under "new" only new items count."""
    things = csr_from_pairs(held.people, np.arange(len(held), dtype=np.int32), None, held.n_people, len(held))
    keep = np.ones(len(held), np.bool_)
    _keep_first(things.indptr, things.columns, held.things, held.items, histories.indptr, histories.columns, protocol.exclude_seen, keep)
    rows = held.event_items
    placed = np.where(rows >= 0, place[rows], np.int32(-1))
    if protocol.pool == "new":
        keep &= placed >= 0
    kept = keep[things.columns]
    indptr = np.concatenate([[0], np.cumsum(kept)])[things.indptr].astype(np.int64)
    events = things.columns[kept].astype(np.int64)
    return CSR(indptr, placed[events], None, len(place)), events


def _among(histories: CSR, place: Rows, width: int) -> CSR:
    """Histories in the pool's rows, once each; what is outside the pool is left out."""
    columns = place[histories.columns]
    keep = columns >= 0
    _drop_repeats(histories.indptr, columns, keep, width)
    indptr = np.concatenate([[0], np.cumsum(keep)])[histories.indptr].astype(np.int64)
    return CSR(indptr, columns[keep], None, width)


def _new_items(train: Interactions, n_items: int) -> Rows:
    counts = np.bincount(train.items, minlength=n_items)
    return np.flatnonzero(counts[:n_items] == 0).astype(np.int32)


def _places(pool: Rows | None, n_items: int) -> Rows:
    if pool is None:
        return np.arange(n_items, dtype=np.int32)
    place = np.full(n_items, -1, np.int32)
    place[pool] = np.arange(len(pool), dtype=np.int32)
    return place


def _unplaced(lists: Rows, pool: Rows | None) -> Rows:
    return lists if pool is None else np.where(lists >= 0, pool[lists], np.int32(-1))


def _both(a: CSR, b: CSR) -> CSR:
    """Rows of both, one behind the other."""
    rows = np.concatenate([np.repeat(np.arange(part.n_rows, dtype=np.int32), part.counts) for part in (a, b)])
    return csr_from_pairs(rows, np.concatenate([a.columns, b.columns]), None, a.n_rows, a.width)


@njit(cache=True, nogil=True)
def _keep_first(indptr, events, things, items, seen_indptr, seen, exclude_seen, keep):  # type: ignore[no-untyped-def]
    """Clear `keep` at a person's repeated events and at those whose item is in the person's own history."""
    mark = np.full(len(items), -1, np.int64)
    highest = -1
    for item in items:
        highest = max(highest, item)
    for item in seen:
        highest = max(highest, item)
    own = np.full(highest + 1, -1, np.int64)
    for person in range(len(indptr) - 1):
        for e in range(seen_indptr[person], seen_indptr[person + 1]):
            own[seen[e]] = person
        for e in range(indptr[person], indptr[person + 1]):
            event = events[e]
            thing = things[event]
            item = items[thing]
            if mark[thing] == person or (exclude_seen and item >= 0 and own[item] == person):
                keep[event] = False
            mark[thing] = person


@njit(cache=True, nogil=True)
def _drop_repeats(indptr, columns, keep, width):  # type: ignore[no-untyped-def]
    mark = np.full(width, -1, np.int64)
    for row in range(len(indptr) - 1):
        for e in range(indptr[row], indptr[row + 1]):
            if keep[e]:
                keep[e] = mark[columns[e]] != row
                mark[columns[e]] = row
