"""Knobs: nothing at zero, their own direction when turned, and the formula in plain Python."""

from dataclasses import replace

import numpy as np
import pytest

from likewise.data.csr import csr_from_pairs
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.base import Predictive
from likewise.ranking.filters import Filters, rank_filtered
from likewise.ranking.rerank import Rerank, Signals, rank_share, rarity, spread_of
from likewise.ranking.topk import TopK, rank_model

BATCH, ITEMS, POOL, KINDS = 6, 80, 30, 5


def made(seed=0):
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(ITEMS)[:POOL] for _ in range(BATCH)]).astype(np.int32)
    scores = -np.sort(-rng.normal(size=(BATCH, POOL)), axis=1).astype(np.float32)
    items[0, 20:], scores[0, 20:] = -1, -np.inf
    kinds = np.array([(i, g) for i in range(ITEMS) for g in rng.choice(KINDS, rng.integers(0, 3), replace=False)])
    signals = Signals(
        rng.normal(size=(ITEMS, 4)).astype(np.float32),
        rng.integers(0, 50, ITEMS).astype(np.float32),
        np.where(rng.random(ITEMS) < 0.1, np.nan, rng.uniform(0, 400, ITEMS)).astype(np.float32),
        csr_from_pairs(kinds[:, 0].astype(np.int32), kinds[:, 1].astype(np.int32), None, ITEMS, KINDS),
    )
    histories = Histories.of(*({int(i): 1.0 for i in rng.choice(ITEMS, 8, replace=False)} for _ in range(BATCH)))
    sd = rng.uniform(0, 1, (BATCH, POOL)).astype(np.float32)
    return TopK(items, scores, (items >= 0).sum(1)), signals, histories, sd


def naive(lists, r, k, knobs, signals, histories, sd):
    """One person's list by the formula."""
    there = np.flatnonzero(lists.items[r] >= 0)
    scores = lists.scores[r, there].astype(float)
    span = scores.max() - scores.min()
    kinds = [signals.kinds.row(i).tolist() for i in range(ITEMS)]
    history = histories.take(np.array([r], np.int32)).rows
    p = np.zeros(KINDS)
    for item in history:
        for kind in kinds[item]:
            p[kind] += 1 / len(kinds[item])
    p = p / p.sum()

    def cosine(a, b):
        x, y = signals.vectors[a].astype(float), signals.vectors[b].astype(float)
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    def kl(chosen):
        q = np.zeros(KINDS)
        for item in chosen:
            for kind in kinds[item]:
                q[kind] += 1 / len(kinds[item]) / len(chosen)
        return sum(p[g] * np.log(p[g] / (0.99 * q[g] + 0.01 * p[g])) for g in range(KINDS) if p[g] > 0)

    popularity, most = signals.popularity, signals.popularity.max()
    worth = {}
    for c in there:
        item = lists.items[r, c]
        w = (lists.scores[r, c] - scores.min()) / span
        w += knobs.popularity * (popularity < popularity[item]).sum() / (ITEMS - 1)
        w += knobs.novelty * np.log(most / max(popularity[item], 1)) / np.log(most)
        w += 0 if np.isnan(signals.age[item]) else knobs.freshness * 2 ** (-signals.age[item] / knobs.half_life)
        worth[c] = w + knobs.exploration * sd[r, c] / span
    places = []
    while len(places) < k and len(places) < len(there):
        chosen = [lists.items[r, c] for c in places]

        def gain(c, chosen=chosen):
            item = lists.items[r, c]
            like = max((cosine(item, other) for other in chosen), default=0)
            mmr = (1 - knobs.diversity) * worth[c] - knobs.diversity * like
            return (1 - knobs.calibration) * mmr - knobs.calibration * kl([*chosen, item])

        places.append(max((c for c in there if c not in places), key=gain))
    return [int(lists.items[r, c]) for c in places]


KNOBS = ["diversity", "popularity", "novelty", "freshness", "calibration", "exploration"]


@pytest.mark.parametrize("knob", [*KNOBS, "all"])
def test_the_order_is_the_formula(knob):
    lists, signals, histories, sd = made()
    knobs = Rerank(**dict.fromkeys(KNOBS if knob == "all" else [knob], 0.4))
    found = knobs.apply(lists, 8, signals, histories, sd)
    assert (found.items[:, :8] != lists.items[:, :8]).any()
    for r in range(BATCH):
        assert found.items[r].tolist() == naive(lists, r, 8, knobs, signals, histories, sd)
        score_of = dict(zip(lists.items[r].tolist(), lists.scores[r].tolist(), strict=True))
        assert [score_of[i] for i in found.items[r].tolist()] == found.scores[r].tolist()


def test_all_at_zero_is_the_plain_list_exactly():
    lists, signals, histories, _ = made()
    found = Rerank().apply(lists, 8, signals, histories)
    np.testing.assert_array_equal(found.items, lists.items[:, :8])
    np.testing.assert_array_equal(found.scores, lists.scores[:, :8])


@pytest.mark.parametrize("knob", KNOBS)
def test_the_smallest_turn_changes_nothing_but_near_ties(knob):
    lists, signals, histories, sd = made()
    found = replace(Rerank(), **{knob: 1e-9}).apply(lists, POOL, signals, histories, sd)
    np.testing.assert_array_equal(found.items, lists.items)


@pytest.mark.parametrize("knob", ["popularity", "novelty", "freshness"])
def test_each_knob_moves_its_own_measure(knob):
    lists, signals, _, _ = made()
    measure = {
        "popularity": rank_share(signals.popularity),
        "novelty": rarity(signals.popularity),
        "freshness": -np.nan_to_num(signals.age, nan=999),
    }[knob]
    means = [measure[replace(Rerank(), **{knob: turn}).apply(lists, 8, signals).items].mean() for turn in (0.0, 0.3, 1.0)]
    assert means[0] < means[1] < means[2]


def test_a_list_that_ends_early_keeps_its_end():
    lists, signals, histories, sd = made()
    found = Rerank(diversity=0.5).apply(lists, POOL, signals, histories, sd)
    assert found.counts.tolist() == lists.counts.tolist()
    assert (found.items[0, 20:] == -1).all()
    assert (found.scores[0, 20:] == -np.inf).all()
    assert sorted(found.items[0, :20]) == sorted(lists.items[0, :20])


def test_signals_from_events():
    events = Interactions(
        np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32), 2, 3, times=np.array([0, 86_400, 172_800], np.int64)
    )
    signals = Signals.of(events)
    assert signals.popularity.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(signals.age, [2, 0, np.nan])
    assert Signals.of(Interactions(events.users, events.items, 2, 3)).age is None


def test_an_item_of_several_kinds_is_shared_among_them():
    kinds = csr_from_pairs(np.array([0, 0, 1], np.int32), np.array([0, 1, 1], np.int32), None, 3, 2)
    np.testing.assert_allclose(spread_of(Histories.of({0: 1.0, 1: 1.0}, {2: 1.0}, {}), kinds), [[0.25, 0.75], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"diversity": 1.5}, "diversity must lie in"),
        ({"calibration": -0.1}, "calibration must lie in"),
        ({"exploration": -1}, "exploration must be"),
        ({"half_life": 0}, "half_life must be"),
        ({"pool": 0}, "pool must be"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(InputError, match=message):
        Rerank(**knobs)


@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_without_its_signal_is_refused(knob):
    with pytest.raises(InputError, match=f"{knob} needs"):
        replace(Rerank(), **{knob: 0.5}).apply(made()[0], 5)


class Unsure:
    """A model of vectors that is unsure of item 7 alone."""

    n_items = 9
    item_vectors = np.linspace(1, 0, 9, dtype=np.float32)[:, None]

    def predictive(self, people, items, context=None):
        sd = np.where(items == 7, 2.0, 0.0).astype(np.float32)
        return Predictive(np.zeros(len(items), np.float32), sd, sd)


class Point(Unsure):
    def predictive(self, people, items, context=None):
        return None


def test_exploration_asks_the_model_and_knobs_at_zero_do_not():
    people = np.ones((2, 1), np.float32)
    plain = rank_model(Unsure(), people, 3)
    same = rank_filtered(Point(), people, 3, None, Filters(), Rerank())
    np.testing.assert_array_equal(same.items, plain.items)
    assert rank_filtered(Unsure(), people, 3, None, Filters(), Rerank(exploration=1.0)).items.tolist() == [[7, 0, 1]] * 2
    with pytest.raises(InputError, match="fit Dot by Gibbs"):
        rank_filtered(Point(), people, 3, None, Filters(), Rerank(exploration=1.0))
