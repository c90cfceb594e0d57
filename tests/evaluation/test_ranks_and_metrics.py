"""Ranks and list metrics against loops that sort."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from likewise.data.csr import csr_from_pairs
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.evaluation.beyond import beyond_figures, gini
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.ranks import UNREACHED, ranks_among_sampled
from likewise.evaluation.scoring import rank_held
from likewise.evaluation.top_n import check_ks, list_metrics
from tests.evaluation.planted import TableModel, held_of

KS = (1, 3, 5, 20)


@st.composite
def worlds(draw):
    """Scores with many ties (and a few that are not numbers), histories, and held-out items, some unknown, some repeated or seen."""
    n_people, n_items = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    values = st.sampled_from([0.0, 1.0, 1.0, 2.0, -1.0, float("nan"), float("-inf"), float("inf"), -0.0])
    scores = np.array(
        draw(st.lists(st.lists(values, min_size=n_items, max_size=n_items), min_size=n_people, max_size=n_people)), np.float32
    )
    seen = draw(st.lists(st.tuples(st.integers(0, n_people - 1), st.integers(0, n_items - 1)), max_size=20))
    held = draw(st.lists(st.tuples(st.integers(0, n_people - 1), st.integers(0, n_items + 2)), max_size=25))
    return scores, seen, held


def train_of(seen, n_people, n_items):
    users, items = (np.array([pair[j] for pair in seen], np.int32) for j in (0, 1))
    return Interactions(users, items, n_people, n_items)


def naive_list(scores, hidden):
    """All items a person may be shown, best first, equal scores by the lower row."""
    shown = [i for i in range(len(scores)) if i not in hidden and scores[i] > -np.inf]
    return sorted(shown, key=lambda i: (-scores[i], i))


def naive_metrics(order, wanted, n_candidates, k):
    """Written from the definitions, item by item."""
    n = len(wanted)
    top = order[:k]
    hits = [place for place, item in enumerate(top) if item in wanted]
    dcg = sum(1 / math.log2(place + 2) for place in hits)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, n)))
    return {
        "recall": len(hits) / n,
        "capped_recall": len(hits) / min(k, n),
        "precision": len(hits) / k,
        "hit": float(bool(hits)),
        "ndcg": dcg / ideal,
        "mrr": 1 / (hits[0] + 1) if hits else 0.0,
        "map": sum((j + 1) / (place + 1) for j, place in enumerate(hits)) / min(k, n),
    }


def naive_auc(order, wanted, candidates):
    """Share of (held-out, other) pairs in the right order; what no list holds comes after everything."""
    reached = [item for item in wanted if item in order]
    others = [item for item in candidates if item not in reached]
    if not others:
        return math.nan
    place = {item: p for p, item in enumerate(order)}
    right = sum(item in place and place[item] < place.get(other, math.inf) for item in wanted for other in others)
    return right / (len(wanted) * len(others))


@given(worlds(), st.sampled_from([1, 2]))
def test_ranks_and_metrics_equal_a_loop_that_sorts(world, threads):
    scores, seen, held = world
    n_people, n_items = scores.shape
    ranked = rank_held(
        TableModel(scores),
        train_of(seen, n_people, n_items),
        held_of(held, list(range(n_people)), n_items),
        Protocol(ks=KS),
        threads=threads,
    )
    metrics = list_metrics(ranked.indptr, ranked.ranks, ranked.candidates, KS)
    kept = 0
    for person in range(n_people):
        hidden = {item for user, item in seen if user == person}
        wanted = {item for user, item in held if user == person} - hidden
        kept += len(wanted)
        if not wanted:
            assert all(np.isnan(values[person]) for values in metrics.values())
            continue
        order = naive_list(scores[person], hidden)
        assert [item for item in ranked.lists[person] if item >= 0] == order[: KS[-1]]
        for k in KS:
            for name, value in naive_metrics(order, wanted, n_items - len(hidden), k).items():
                assert metrics[f"{name}@{k}"][person] == pytest.approx(value), (name, k)
        want = naive_auc(order, wanted, [item for item in range(n_items) if item not in hidden])
        assert metrics["auc"][person] == pytest.approx(want, nan_ok=True)
    assert len(ranked.ranks) == kept
    assert ranked.dropped == len(held) - kept


@given(worlds())
def test_new_items_are_ranked_among_themselves(world):
    scores, seen, held = world
    n_people, n_items = scores.shape
    train = train_of(seen, n_people, n_items)
    ranked = rank_held(TableModel(scores), train, held_of(held, list(range(n_people)), n_items), Protocol(ks=KS, pool="new"), threads=1)
    new = [item for item in range(n_items) if item not in {i for _, i in seen}]
    for person in range(n_people):
        order = [item for item in naive_list(scores[person], set()) if item in new]
        wanted = {item for user, item in held if user == person and item in new}
        mine = ranked.ranks[ranked.indptr[person] : ranked.indptr[person + 1]]
        assert sorted(mine) == sorted(order.index(i) if i in order else UNREACHED for i in wanted)
        if wanted:
            assert [item for item in ranked.lists[person] if item >= 0] == order[: KS[-1]]


def test_own_history_can_be_ranked_too():
    scores = np.array([[3.0, 2.0, 1.0]])
    train = train_of([(0, 0)], 1, 3)
    held = held_of([(0, 0), (0, 2)], [0], 3)
    hiding = rank_held(TableModel(scores), train, held, Protocol(ks=(2,)), threads=1)
    showing = rank_held(TableModel(scores), train, held, Protocol(ks=(2,), exclude_seen=False), threads=1)
    assert (hiding.ranks.tolist(), hiding.dropped, hiding.candidates.tolist()) == ([1], 1, [2])
    assert (showing.ranks.tolist(), showing.dropped, showing.candidates.tolist()) == ([0, 2], 0, [3])


def test_people_the_model_never_saw_get_the_populations_list_or_fold_in():
    model = TableModel(np.zeros((1, 4)), stranger=np.array([1.0, 4.0, 3.0, 2.0]))
    train = train_of([(0, 0)], 1, 4)
    held = held_of([(0, 2), (1, 2)], [-1, -1], 4)
    alone = rank_held(model, train, held, Protocol(ks=(2,)), threads=1)
    assert alone.ranks.tolist() == [1, 1]
    given_rows = Histories(np.array([0, 0, 1]), np.array([1], np.int32), np.ones(1, np.float32))
    folded = rank_held(model, train, held, Protocol(ks=(2,)), given_rows, threads=1)
    assert folded.ranks.tolist() == [1, 1]  # person 1: item 1 is their own now, items 0 and 2 tie
    assert folded.lists.tolist() == [[1, 2], [0, 2]]


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (40, 30)).astype(np.float32)
    pairs = [(int(u), int(i)) for u, i in rng.integers(0, (40, 30), (200, 2))]
    train, held = train_of(pairs[:100], 40, 30), held_of(pairs[100:], list(range(40)), 30)
    whole = rank_held(TableModel(scores), train, held, Protocol(ks=(5,)), threads=2)
    sampled = rank_held(TableModel(scores), train, held, Protocol(ks=(5,), negatives=7), threads=2)
    monkeypatch.setattr("likewise.evaluation.scoring.SCORE_BYTES", 4 * 30 * 3)
    for protocol, before in ((Protocol(ks=(5,)), whole), (Protocol(ks=(5,), negatives=7), sampled)):
        after = rank_held(TableModel(scores), train, held, protocol, threads=1)
        assert np.array_equal(before.ranks, after.ranks)
        assert np.array_equal(before.candidates, after.candidates)


@given(worlds(), st.integers(1, 8), st.integers(0, 3))
def test_sampled_ranks_lie_between_the_best_and_the_worst_draw(world, negatives, seed):
    scores, seen, held = world
    n_people, n_items = scores.shape
    protocol = Protocol(ks=KS, negatives=negatives, seed=seed)
    ranked = rank_held(
        TableModel(scores), train_of(seen, n_people, n_items), held_of(held, list(range(n_people)), n_items), protocol, threads=1
    )
    assert ranked.lists is None
    for person in range(n_people):
        mine = {item for user, item in seen + held if user == person}
        free = [i for i in range(n_items) if i not in mine]
        for e in range(ranked.indptr[person], ranked.indptr[person + 1]):
            item = held[ranked.events[e]][1]
            drawn = min(negatives, len(free))
            assert ranked.candidates[e] == drawn + 1
            if item >= n_items or not scores[person, item] > -np.inf:
                assert ranked.ranks[e] == UNREACHED
                continue
            before = sum(scores[person, o] > scores[person, item] or (scores[person, o] == scores[person, item] and o < item) for o in free)
            assert max(0, before - (len(free) - drawn)) <= ranked.ranks[e] <= min(before, drawn)


def test_negatives_are_drawn_evenly_and_without_replacement():
    """With scores 0..9 and 3 of 9 drawn, the mean rank of the middle item is that of a hypergeometric draw."""
    n = 4000
    scores = np.tile(np.arange(10, dtype=np.float32), (n, 1))
    people, item = np.arange(n, dtype=np.int32), np.full(n, 4, np.int32)
    wanted = csr_from_pairs(people, item, None, n, 10)
    ranks, candidates = ranks_among_sampled(scores, wanted, wanted, 3, 1, people)
    assert (candidates == 4).all()
    assert ranks.mean() == pytest.approx(3 * 5 / 9, abs=0.05)
    again, _ = ranks_among_sampled(scores, wanted, wanted, 3, 2, people)
    assert not np.array_equal(ranks, again)
    everything, _ = ranks_among_sampled(scores, wanted, wanted, 50, 1, people)
    assert (everything == 5).all()


def test_list_lengths_are_checked():
    assert check_ks([10, 5, 10]) == (5, 10)
    with pytest.raises(InputError, match="at least 1"):
        check_ks([0, 5])
    with pytest.raises(InputError, match="one or more"):
        check_ks([])


@given(worlds())
def test_beyond_accuracy_equals_loops(world):
    scores, seen, _ = world
    n_people, n_items = scores.shape
    lists = np.full((n_people, min(20, n_items)), -1, np.int32)
    for person in range(n_people):
        order = naive_list(scores[person], {i for u, i in seen if u == person})[:20]
        lists[person, : len(order)] = order
    counts = np.bincount([i for _, i in set(seen)], minlength=n_items) if seen else np.zeros(n_items, np.int64)
    vectors = np.random.default_rng(n_items).normal(size=(n_items, 3)).astype(np.float32)
    vectors[0] = 0
    got = {figure.name: figure.value for figure in beyond_figures(lists, counts, n_people, KS, vectors)}
    for k in KS:
        shown = [[i for i in row[:k] if i >= 0] for row in lists]
        exposure = np.bincount([i for row in shown for i in row], minlength=n_items)
        assert got[f"coverage@{k}"] == pytest.approx(len({i for row in shown for i in row}) / n_items)
        pairs = np.abs(exposure[:, None] - exposure[None]).sum()
        want = pairs / (2 * n_items * exposure.sum()) if exposure.sum() else math.nan
        assert got[f"gini@{k}"] == pytest.approx(want, nan_ok=True, abs=1e-9)
        popular = [np.mean([counts[i] / n_people for i in row]) for row in shown if row]
        assert got[f"popularity@{k}"] == pytest.approx(np.mean(popular) if popular else math.nan, nan_ok=True)
        novel = [np.mean([-math.log2(max(counts[i], 1) / n_people) for i in row]) for row in shown if row]
        assert got[f"novelty@{k}"] == pytest.approx(np.mean(novel) if novel else math.nan, nan_ok=True)
        varied = [naive_diversity(row, vectors) for row in shown if len(row) > 1]
        assert got[f"diversity@{k}"] == pytest.approx(np.mean(varied) if varied else math.nan, nan_ok=True, abs=1e-5)


def naive_diversity(row, vectors):
    gaps = []
    for a in range(len(row)):
        for b in range(a):
            x, y = vectors[row[a]].astype(float), vectors[row[b]].astype(float)
            size = np.linalg.norm(x) * np.linalg.norm(y)
            gaps.append(1 - (x @ y / size if size else 0))
    return np.mean(gaps)


def test_gini_of_equal_and_of_single():
    assert gini(np.array([2, 2, 2, 2])) == 0
    assert gini(np.array([0, 0, 0, 5])) == pytest.approx(0.75)
    assert np.isnan(gini(np.zeros(3, np.int64)))
