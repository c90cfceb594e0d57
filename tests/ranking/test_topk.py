"""The ranking kernel against a plain sort."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.ranking import topk
from likewise.ranking.similar import similar
from likewise.ranking.topk import rank_model, top_k, top_k_scores


def plain(scores, k, exclude=None, allowed=None):
    """The same lists by sorting everything."""
    scores = np.array(scores, np.float32)
    if exclude is not None:
        for r in range(len(scores)):
            scores[r, exclude.row(r)] = -np.inf
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    lists = []
    for row in scores:
        order = sorted((i for i in range(len(row)) if row[i] > -np.inf), key=lambda i: (-row[i], i))
        lists.append(order[:k])
    return lists


def as_lists(found):
    assert (found.items[np.arange(found.items.shape[1]) >= found.counts[:, None]] == -1).all()
    assert np.isneginf(found.scores[np.arange(found.items.shape[1]) >= found.counts[:, None]]).all()
    return [row[:n].tolist() for row, n in zip(found.items, found.counts, strict=True)]


def random_exclusions(rng, batch, n_items, share):
    mask = rng.random((batch, n_items)) < share
    rows, columns = np.nonzero(mask)
    return csr_from_pairs(rows.astype(np.int32), columns.astype(np.int32), None, batch, n_items)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
@pytest.mark.parametrize(("n_items", "k"), [(1, 1), (5, 9), (40, 3), (700, 10), (3001, 100), (20_000, 10)])
def test_lists_equal_a_plain_sort(n_items, k, share):
    rng = np.random.default_rng(n_items + k)
    scores = rng.standard_normal((7, n_items)).round(2).astype(np.float32)  # rounding makes ties
    exclude = random_exclusions(rng, 7, n_items, share)
    assert as_lists(top_k_scores(scores, k, exclude, block=3)) == plain(scores, k, exclude)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 300)),
        elements=st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 1e-40, 3.5, 1e30]),
    ),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_ties_and_masks(scores, k, seed):
    rng = np.random.default_rng(seed)
    exclude = random_exclusions(rng, *scores.shape, 0.3)
    allowed = rng.random(scores.shape if seed % 2 else scores.shape[1]) < 0.7
    before = scores.copy()
    assert as_lists(top_k_scores(scores, k, exclude, allowed)) == plain(scores, k, exclude, allowed)
    assert np.array_equal(before, scores)


@pytest.mark.parametrize("order", ["rising", "falling", "humps"])
def test_orders_that_defeat_the_first_bar(order):
    n = 5000
    row = {"rising": np.arange(n), "falling": -np.arange(n), "humps": np.tile([0, 0, 0, 9, 9], n // 5) * np.arange(n)}[order]
    scores = row[None].astype(np.float32)
    assert as_lists(top_k_scores(scores, 10)) == plain(scores, 10)


def test_nan_is_never_returned_and_infinity_is():
    scores = np.full((1, 100), np.nan, np.float32)
    scores[0, [3, 50]] = [1.0, np.inf]
    assert as_lists(top_k_scores(scores, 5)) == [[50, 3]]


@pytest.mark.parametrize("share", [0.02, 0.9])
def test_vectors_with_masks_equal_their_scores(share):
    rng = np.random.default_rng(3)
    users, items = (rng.integers(-3, 4, (n, 8)).astype(np.float32) for n in (33, 900))  # whole numbers: exact products
    exclude, allowed = random_exclusions(rng, 33, 900, 0.2), rng.random(900) < share
    found = top_k(users, items, 20, exclude, allowed, block=8)
    assert as_lists(found) == plain(users @ items.T, 20, exclude, allowed)
    assert found.items.shape == (33, 20)
    expected = np.einsum("bk,bjk->bj", users, items[found.items])
    assert np.array_equal(np.where(found.items >= 0, expected, -np.inf), found.scores)


def test_threads_and_callers_do_not_change_a_byte():
    rng = np.random.default_rng(4)
    users, items = (rng.standard_normal((n, 16)).astype(np.float32) for n in (100, 2000))
    one = top_k(users, items, 10, threads=1, block=16)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: top_k(users, items, 10, threads=2, block=16), range(8)):
            assert found.items.tobytes() == one.items.tobytes() and found.scores.tobytes() == one.scores.tobytes()


def test_nobody_nothing_and_nothing_allowed():
    users, items = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    assert top_k(users[:0], items, 2).items.shape == (0, 2)
    assert top_k(users, items[:0], 2).counts.tolist() == [0, 0]
    assert as_lists(top_k(users, items, 2, allowed=np.zeros(4, bool))) == [[], []]


def test_impossible_arguments_are_refused():
    users, items = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    with pytest.raises(InputError, match="k must be at least 1"):
        top_k(users, items, 0)
    with pytest.raises(InputError, match="same factors"):
        top_k(users, items[:, :2], 1)
    with pytest.raises(InputError, match="exclude must be"):
        top_k(users, items, 1, CSR(np.zeros(2, np.int64), np.empty(0, np.int32), None, 4))
    with pytest.raises(InputError, match="allowed must be bool"):
        top_k(users, items, 1, allowed=np.ones(4, np.int8))


class Vectors:
    """A stand-in for a model whose answer is a product, and with `vectors=False` for one that only scores."""

    def __init__(self, items, vectors):
        self.items, self.n_items = items, len(items)
        self.item_vectors = items if vectors else None

    def score(self, people):
        users = people.csr(self.n_items).toarray() @ self.items if isinstance(people, Histories) else people
        return users @ self.items.T


def test_models_with_and_without_vectors_rank_alike():
    rng = np.random.default_rng(5)
    items, users = (rng.integers(-3, 4, (n, 4)).astype(np.float32) for n in (60, 9))
    exclude = random_exclusions(rng, 9, 60, 0.3)
    a, b = (rank_model(Vectors(items, vectors), users, 5, exclude) for vectors in (True, False))
    assert np.array_equal(a.items, b.items)
    histories = Histories.of({1: 5.0}, {}, {3: 1.0, 2: 2.0})
    found = rank_model(Vectors(items, False), histories, 5)
    assert as_lists(found) == plain(histories.csr(60).toarray() @ items @ items.T, 5)


def test_similar_rows():
    rng = np.random.default_rng(6)
    factors = rng.standard_normal((50, 4)).astype(np.float32)
    factors[7] = 0
    cosine = factors / np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-30)
    rows = np.array([3, 7, 3], np.int32)
    found = similar(factors, rows, 49)
    for place, row in enumerate(rows):
        assert row not in found.items[place]
        np.testing.assert_allclose(found.scores[place], np.sort(np.delete(cosine @ cosine[row], row))[::-1], atol=1e-6)
    with pytest.raises(InputError, match="metric"):
        similar(factors, rows, 3, "euclid")
    with pytest.raises(InputError, match="rows must lie"):
        similar(factors, np.array([50]), 3)


@pytest.mark.parametrize("threads", [1, 3])
def test_one_person_gets_what_a_crowd_gets(monkeypatch, threads):
    monkeypatch.setattr(topk, "SCAN", 1000)
    monkeypatch.setattr(topk, "SHORT", 0)
    rng = np.random.default_rng(7)
    users, items = (rng.integers(-3, 4, (n, 10)).astype(np.float32) for n in (5, 901))
    together = top_k(users, items, 12)
    for row in range(5):
        alone = top_k(users[row : row + 1], items[:, ::1], 12, threads=threads)
        assert np.array_equal(alone.items[0], together.items[row]) and np.array_equal(alone.scores[0], together.scores[row])


def test_a_short_list_is_that_of_the_kernel(monkeypatch):
    """Ties, exclusions, masks and scores that are no numbers: NumPy's way and the kernel's way agree."""
    rng = np.random.default_rng(8)
    items = rng.integers(-2, 3, (60, 3)).astype(np.float32)
    items[[5, 17]] = np.nan
    user = np.array([[1, -1, 2]], np.float32)
    seen = CSR(np.array([0, 3]), np.array([1, 30, 59], np.int32), None, 60)
    masks = (None, rng.random(60) < 0.5, rng.random((1, 60)) < 0.1, np.zeros((1, 60), bool))
    for k, exclude, allowed in product((1, 7, 60, 99), (None, seen), masks):
        monkeypatch.undo()
        short = top_k(user, items, k, exclude, allowed)
        monkeypatch.setattr(topk, "SHORT", 0)
        kernel = top_k(user, items, k, exclude, allowed)
        assert np.array_equal(short.items, kernel.items) and np.array_equal(short.scores, kernel.scores)
        assert np.array_equal(short.counts, kernel.counts)
