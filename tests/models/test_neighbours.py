"""Neighbours against loops written down from the formula; the checkerboard; folding in."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.neighbours import Neighbours
from tests.planted import ratings

SETTINGS = [
    Neighbours(by=by, similarity=similarity, k=k, shrinkage=3.0, restraint=0.2)
    for by in ("item", "user")
    for similarity in ("cosine", "pearson")
    for k in (2, 40)
]


def table(fitted, rows):
    """Dense values and presence [person, item] of what people hold."""
    held = fitted._held(rows)
    there = np.zeros((held.n_rows, held.width), bool)
    values = np.zeros((held.n_rows, held.width))
    for r in range(held.n_rows):
        for e in range(held.indptr[r], held.indptr[r + 1]):
            there[r, held.columns[e]], values[r, held.columns[e]] = True, held.filled()[e]
    return values, there


def alike(a, b, in_a, in_b, kind, shrinkage):
    both = in_a & in_b
    n = both.sum()
    if n == 0:
        return 0.0
    if kind == "cosine":
        s = a[both] @ b[both] / np.sqrt((a[in_a] ** 2).sum() * (b[in_b] ** 2).sum())
    elif kind == "pearson":
        s = a[both] @ b[both] / np.sqrt((a[both] ** 2).sum() * (b[both] ** 2).sum())
    else:
        s = np.corrcoef(in_a, in_b)[0, 1]
    return max(s, 0.0) * n / (n + shrinkage)


def naive(fitted, people, rated):
    """Score of every person and item by the formula."""
    c = fitted.config
    kind = "phi" if c.similarity == "pearson" and not rated else c.similarity
    values, there = table(fitted, people)
    trained, held = table(fitted, fitted.known)
    out = np.zeros(values.shape)
    for p in range(len(values)):
        for i in range(values.shape[1]):
            if c.by == "item":
                met = [j for j in np.flatnonzero(there[p]) if j != i]
                found = [(alike(trained[:, i], trained[:, j], held[:, i], held[:, j], kind, c.shrinkage), values[p, j]) for j in met]
            else:
                met = np.flatnonzero(held[:, i])
                found = [(alike(values[p], trained[v], there[p], held[v], kind, c.shrinkage), trained[v, i]) for v in met]
            found = sorted((f for f in found if f[0] > 0), key=lambda f: -round(f[0], 6))[: c.k]
            total, weight = sum(s * v for s, v in found), sum(s for s, _ in found)
            out[p, i] = total / (weight + c.restraint) if rated else total
    if rated:
        out += fitted.levels.mean + fitted.levels.of_people(people)[:, None] + fitted.levels.items
    return out


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: f"{s.by}-{s.similarity}-{s.k}")
@pytest.mark.parametrize("rated", [True, False], ids=["ratings", "likes"])
def test_scores_are_the_formula(settings, rated):
    frame = ratings(users=15, items=12, events=90)
    if not rated:
        frame = frame.drop("rating").with_columns(weight=pl.Series(np.random.default_rng(1).uniform(0.5, 2, 90)))
    fitted = settings.solve(Dataset.of(frame))
    people = fitted.people(np.arange(-1, 15, dtype=np.int32))
    expected = naive(fitted, people, rated)
    scores = fitted.score(people)
    np.testing.assert_allclose(scores, expected, atol=2e-5)
    b, i = np.divmod(np.random.default_rng(2).permutation(scores.size), scores.shape[1])
    pairs = fitted.score_pairs(people.take(b.astype(np.int32)), i.astype(np.int32))
    np.testing.assert_allclose(pairs, scores[b, i], atol=2e-6)


def test_checkerboard_likes_have_one_right_answer():
    """Even people like even items, odd ones odd; each misses one of theirs, which must come first."""
    u, i = np.nonzero((np.arange(20)[:, None] + np.arange(10)) % 2 == 0)
    missing = (u % 10 == i) | (u % 10 == i)
    data = Dataset.of(pl.DataFrame({"user_id": u[~missing], "item_id": i[~missing]}))
    for by in ("item", "user"):
        fitted = Neighbours(by=by, shrinkage=0.0).solve(data)
        scores = fitted.score(fitted.people(np.arange(20, dtype=np.int32)))
        for person in range(20):
            seen = fitted.known.take(np.array([person], np.int32)).rows
            scores[person, seen] = -np.inf
            assert scores[person].argmax() == person % 10


def test_stored_keeps_the_most_similar_of_each():
    data = Dataset.of(ratings(users=40, items=30, events=600))
    full, short = Neighbours(stored=500).solve(data).side.lists, Neighbours(stored=3).solve(data).side.lists
    assert short.counts.max() == 3
    for item in range(30):
        np.testing.assert_array_equal(short.row(item), full.row(item)[:3])
        assert (np.diff(full.filled()[full.indptr[item] : full.indptr[item + 1]]) <= 0).all()


def test_equal_similarities_go_to_the_lower_row():
    twins = pl.DataFrame({"user_id": [u for u in range(4) for _ in range(6)], "item_id": list(range(6)) * 4})
    lists = Neighbours(stored=2).solve(Dataset.of(twins)).side.lists
    assert [lists.row(i).tolist() for i in range(4)] == [[1, 2], [0, 2], [0, 1], [0, 1]]


@pytest.mark.parametrize("by", ["item", "user"])
def test_threads_do_not_change_the_bytes(by, monkeypatch):
    data = Dataset.of(ratings(users=400, items=300, events=9000))
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", threads)
        fitted = Neighbours(by=by).solve(data)
        answers.append(fitted.score(fitted.people(np.arange(400, dtype=np.int32))).tobytes())
    assert answers[0] == answers[1]


def test_someone_new_is_answered_like_someone_trained_on():
    fitted = Neighbours(by="user").solve(Dataset.of(ratings()))
    known = fitted.known.take(np.array([3], np.int32))
    np.testing.assert_array_equal(fitted.score(fitted.fold_in(known)), fitted.score(fitted.people(np.array([3], np.int32))))


@pytest.mark.parametrize("rated", [True, False], ids=["ratings", "likes"])
def test_an_item_folded_in_gets_the_lists_of_a_fit(rated):
    """On likes the lists do not depend on levels, so folding an item back in must give the fit's own lists."""
    frame = ratings(users=40, items=12, events=300)
    data = Dataset.of(frame if rated else frame.drop("rating"))
    fitted = Neighbours(stored=5).solve(data)
    back = fitted.with_items(np.array([4], np.int32), data.interactions.by_item.take(np.array([4], np.int32)))
    empty = fitted.with_items(np.array([4], np.int32), Histories.of({}))
    assert 4 not in empty.side.lists.columns and empty.side.lists.counts[4] == 0
    if not rated:
        np.testing.assert_array_equal(back.side.lists.row(4), fitted.side.lists.row(4))
        mutual = [i for i in range(12) if 4 in fitted.side.lists.row(i) and i in fitted.side.lists.row(4)]
        assert mutual and all(4 in back.side.lists.row(i) for i in mutual)


def test_each_setting_changes_something():
    data = Dataset.of(ratings(users=60, items=40, events=900))
    people = np.arange(60, dtype=np.int32)

    def scores(**changed):
        fitted = replace(Neighbours(), **changed).solve(data)
        return fitted.score(fitted.people(people))

    plain = scores()
    changes = [{"by": "user"}, {"k": 3}, {"similarity": "pearson"}, {"shrinkage": 5.0}, {"restraint": 1.0}, {"stored": 4}]
    for change in [*changes, {"user_damping": 20.0}, {"item_damping": 20.0}]:
        assert np.abs(scores(**change) - plain).max() > 1e-3, change


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "both"}, "by must be 'item' or 'user'"),
        ({"similarity": "dot"}, "similarity must be"),
        ({"k": 0}, "k and stored must be at least 1"),
        ({"shrinkage": -1.0}, "shrinkage must be 0 or more"),
        ({"restraint": float("inf")}, "restraint must be 0 or more"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Neighbours(**settings)


def test_a_history_without_ratings_is_refused_by_a_model_of_ratings():
    fitted = Neighbours().solve(Dataset.of(ratings()))
    with pytest.raises(InputError, match="needs ratings"):
        fitted.fold_in(replace(Histories.of({1: 3.0}), ratings=None))
