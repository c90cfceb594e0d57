"""EASE against its formula, a planted checkerboard, its reasons, growth, and bad input."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.ease import EASE, FittedEASE
from likewise.models.gram import dense_gram, inverse_by_users, invert_in_place, sparse_gram
from likewise.models.item_weights import FactoredWeights, SparseWeights
from likewise.solvers.base import Run
from likewise.solvers.closed_form import ClosedForm


def likes(seed: int = 0, users: int = 60, items: int = 25, share: float = 0.3) -> Dataset:
    rng = np.random.default_rng(seed)
    table = rng.random((users, items)) < share
    table[0], table[:, 0] = True, True  # everybody and everything occurs
    u, i = np.nonzero(table)
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i, "weight": rng.uniform(0.5, 2, len(u)).astype(np.float32)}))


def table_of(data: Dataset) -> np.ndarray:
    events = data.interactions
    x = np.zeros((data.n_users, data.n_items))
    x[events.users, events.items] = events.weights
    return x


def naive(data: Dataset, settings: EASE) -> np.ndarray:
    x = table_of(data)
    n = (x > 0).sum(1)
    w = n**-settings.user_power
    w = w * n.sum() / (w * n).sum()
    g = (x * w[:, None]).T @ x
    own = np.diag(g)
    assert settings.l2 is not None
    item_power = 0.5 if settings.item_power is None else settings.item_power
    ridge = settings.l2 * (own / own.mean()) ** item_power + settings.dropout / (1 - settings.dropout) * own
    p = np.linalg.inv(g + np.diag(ridge))
    return np.eye(len(p)) - (p / np.diag(p) if settings.zero_diagonal else p * ridge)


def table_of_weights(fitted: FittedEASE) -> np.ndarray:
    n = fitted.n_items
    r, c = np.divmod(np.arange(n * n, dtype=np.int32), n)
    return fitted.weights.at(r.astype(np.int32), c.astype(np.int32)).reshape(n, n)


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    "settings",
    [
        EASE(l2=5.0, user_power=0.0, item_power=0.0),
        EASE(l2=5.0),
        EASE(l2=3.0, dropout=0.4, user_power=1.0, item_power=1.0),
        EASE(l2=3.0, dropout=0.4, zero_diagonal=False),
    ],
)
@pytest.mark.parametrize("users", [60, 5])
def test_weights_are_the_formula(settings: EASE, users: int) -> None:
    """Also with far fewer users than items, where the inverse is found among the users."""
    data = likes(users=users)
    fitted = settings.solve(data)
    expected = naive(data, settings)
    np.testing.assert_allclose(table_of_weights(fitted), expected, atol=2e-4)
    everybody = np.arange(data.n_users, dtype=np.int32)
    np.testing.assert_allclose(fitted.score(fitted.people(everybody)), table_of(data) @ expected, atol=2e-3)


@pytest.mark.parametrize("zero_diagonal", [True, False])
def test_all_neighbours_are_the_whole_solution(zero_diagonal: bool) -> None:
    data = likes(share=0.6)
    dense = EASE(l2=5.0, item_power=0.5, zero_diagonal=zero_diagonal).solve(data)
    local = EASE(l2=5.0, item_power=0.5, zero_diagonal=zero_diagonal, neighbours=23)
    weights, left = local._sparse(dense.known, data.n_items, 24)
    np.testing.assert_allclose(table_of_weights(replace(dense, weights=weights)), table_of_weights(dense), atol=1e-4)
    np.testing.assert_allclose(left, dense.left, rtol=1e-2)
    few = EASE(l2=5.0, zero_diagonal=zero_diagonal, neighbours=6).solve(data)
    assert isinstance(few.weights, SparseWeights)
    people = few.people(rows(1, 2))
    np.testing.assert_allclose(few.score(people)[:, 7], few.score_pairs(people, rows(7, 7)), atol=1e-5)


def test_checkerboard() -> None:
    pairs = [(u, i) for u in range(20) for i in range(20) if u % 2 == i % 2 and i != (u + 2) % 20]
    data = Dataset.of(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"))
    for settings in (EASE(l2=1.0), EASE(l2=1.0, neighbours=9), EASE(l2=1.0, zero_diagonal=False)):
        fitted = settings.solve(data)
        score = fitted.score(fitted.people(np.arange(20, dtype=np.int32)))
        for u in range(20):
            score[u, [i for i in range(20) if u % 2 == i % 2 and i != (u + 2) % 20]] = -9
            assert score[u].argmax() == (u + 2) % 20


@given(st.integers(1, 12), st.integers(0, 100))
def test_grams_agree_with_the_product(n_items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = (rng.random((9, n_items)) < 0.4) * rng.uniform(0.5, 2, (9, n_items))
    u, i = np.nonzero(table)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(u, minlength=9))]).astype(np.int64)
    histories = Histories(indptr, i.astype(np.int32), None, table[u, i].astype(np.float32))
    weights = rng.uniform(0.1, 1, 9).astype(np.float32)
    expected = (table * weights[:, None]).T @ table
    np.testing.assert_allclose(dense_gram(histories, weights, n_items), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sparse_gram(histories, weights, n_items).toarray(), expected, rtol=1e-4, atol=1e-5)
    ridge = np.full(n_items, 0.7, np.float32)
    half = inverse_by_users(histories, weights, ridge, n_items)
    inverse = np.linalg.inv(expected + 0.7 * np.eye(n_items))
    np.testing.assert_allclose(np.eye(n_items) / 0.7 - half @ half.T, inverse, rtol=1e-3, atol=1e-4)


def test_grams_are_the_same_bytes_on_any_number_of_threads() -> None:
    known = likes().interactions.by_user
    weights = np.ones(len(known), np.float32)
    one, three = (dense_gram(known, weights, 25, threads) for threads in (1, 3))
    assert one.tobytes() == three.tobytes()
    one, three = (sparse_gram(known, weights, 25, threads).filled() for threads in (1, 3))
    assert one.tobytes() == three.tobytes()


@pytest.mark.parametrize("n", [1, 2, 511, 1300])
def test_inverse_by_halves(n: int) -> None:
    x = np.random.default_rng(0).standard_normal((2 * n, n)).astype(np.float32)
    a = x.T @ x + 10 * np.eye(n, dtype=np.float32)
    inverse = a.copy()
    invert_in_place(inverse)
    np.testing.assert_allclose(inverse @ a, np.eye(n), atol=2e-3)


def test_reasons_add_up_exactly() -> None:
    data = likes()
    fitted = EASE(l2=5.0).solve(data)
    three = data.interactions.by_user.take(rows(3, 9, -1))
    folded = fitted.fold_in(three)
    for n, parts in enumerate(fitted.explain(folded, three, 4)):
        assert parts.mean + float(parts.taste.sum()) + parts.residual == pytest.approx(parts.score, abs=1e-5)
        assert abs(parts.residual) < 1e-5
        assert parts.score == pytest.approx(float(fitted.score(folded)[n, 4]), abs=1e-5)


@pytest.mark.parametrize("settings", [EASE(l2=5.0), EASE(l2=5.0, zero_diagonal=False)])
def test_an_item_that_comes_later_is_what_it_would_have_been(settings: EASE) -> None:
    """All items are among its nearest here, so only the scale of the likes' weights differs a little."""
    data = likes(users=200, share=0.5)
    whole = settings.solve(data)
    table = data.frame()
    before = Dataset.of(table.filter(pl.col("item_id") != 24))
    raters = data.interactions.by_item.take(rows(24))
    grown = settings.solve(before).with_items(rows(24), raters)
    assert grown.n_items == 25
    new, old = table_of_weights(grown), table_of_weights(whole)
    np.testing.assert_allclose(new[:24, 24], old[:24, 24], atol=0.03)
    np.testing.assert_allclose(new[24, :24], old[24, :24], atol=0.03)
    assert np.corrcoef(new[:24, 24], old[:24, 24])[0, 1] > 0.98
    assert np.corrcoef(new[24, :24], old[24, :24])[0, 1] > 0.98


@pytest.mark.parametrize(("settings", "users"), [(EASE(l2=5.0), 60), (EASE(l2=5.0, neighbours=6), 60), (EASE(l2=5.0), 6)])
def test_state_round_trip_and_growth(settings: EASE, users: int) -> None:
    fitted = settings.solve(likes(users=users))
    again = FittedEASE.from_state(fitted.config, fitted.state())
    people = rows(0, 5, -1)
    np.testing.assert_array_equal(again.score(again.people(people)), fitted.score(fitted.people(people)))
    grown = fitted.with_people(rows(61), fitted.people(rows(5)))
    np.testing.assert_array_equal(grown.score(grown.people(rows(61))), fitted.score(fitted.people(rows(5))))
    np.testing.assert_array_equal(grown.score(grown.people(rows(60))), fitted.score(fitted.people(rows(-1))))
    more = fitted.with_items(rows(25, 27, 3), likes(users=users).interactions.by_item.take(rows(2, 4, 5)))
    before, after = table_of_weights(fitted), table_of_weights(more)
    others = np.delete(np.arange(25), 3)
    np.testing.assert_allclose(after[np.ix_(others, others)], before[np.ix_(others, others)], atol=1e-6)
    assert after[others, 25].any() and after[27, others].any()
    assert not after[26].any() and not after[:, 26].any()


def test_each_setting_changes_something() -> None:
    data = Dataset.of(likes().frame().with_columns(rating=pl.int_range(pl.len()) % 5 + 1.0))
    plain = EASE(l2=5.0).solve(data)
    changes = (
        {"l2": 9.0},
        {"user_power": 0.0},
        {"item_power": 0.0},
        {"dropout": 0.3},
        {"zero_diagonal": False},
        {"neighbours": 5},
        {"positive": ">=3"},
        {"rating_power": 1.0},
    )
    for change in changes:
        other = EASE(**{"l2": 5.0, **change}).solve(data)  # type: ignore[arg-type]
        everybody = np.arange(60, dtype=np.int32)
        assert not np.allclose(other.score(other.people(everybody)), plain.score(plain.people(everybody)), atol=1e-4), change


def test_bad_input() -> None:
    wrong: tuple[dict[str, object], ...] = (
        {"l2": 0},
        {"user_power": -1},
        {"item_power": np.nan},
        {"dropout": 1.0},
        {"neighbours": 0},
        {"positive": "x"},
    )
    for settings in wrong:
        with pytest.raises(InputError):
            EASE(**settings)  # type: ignore[arg-type]
    data = likes()
    with pytest.raises(InputError, match="no event is a like"):
        EASE(l2=1.0).solve(Dataset.of(data.frame().with_columns(weight=pl.lit(0.0))))
    fitted = EASE(l2=5.0).solve(data)
    with pytest.raises(InputError, match="rows in"):
        fitted.fold_in(Histories.of({99: 1.0}))
    with pytest.raises(InputError, match="an item for each"):
        fitted.score_pairs(fitted.people(rows(1)), rows(1, 2))


def test_what_is_left_open_is_chosen_on_an_inner_split() -> None:
    fit = ClosedForm().fit(EASE(), likes(users=100), Run())
    assert fit.model.config.l2 is not None and fit.model.config.item_power is not None
    assert "chosen among" in fit.notes[0]
    again = ClosedForm().fit(EASE(), likes(users=100), Run())
    assert again.model.config == fit.model.config
    assert ClosedForm().fit(EASE(l2=5.0, item_power=0.0), likes(), Run()).notes == []


def test_pairs_of_a_product_are_summed_by_person_not_by_entry() -> None:
    rng = np.random.default_rng(0)
    weights = FactoredWeights(*(rng.normal(size=(50, 60)).astype(np.float32) for _ in range(2)), rng.normal(size=50).astype(np.float32))
    histories = Histories(np.array([0, 3, 3, 7]), np.array([4, -1, 9, 9, 2, 30, 4], np.int32), None, rng.random(7).astype(np.float32))
    items = np.array([9, 1, 30], np.int32)
    np.testing.assert_allclose(weights.pair_sums(histories, items), weights.sums(histories)[np.arange(3), items], rtol=1e-5)
    assert weights.pair_sums(histories, np.array([-1, -1, -1], np.int32)).tolist() == [0, 0, 0]
    long = Histories(np.arange(0, 2_000_001, 1000), rng.integers(0, 50, 2_000_000).astype(np.int32))
    tracemalloc.start()
    weights.pair_sums(long, np.zeros(2000, np.int32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * len(long.rows)  # a product an entry would take as many numbers as the rank
