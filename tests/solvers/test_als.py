"""Alternating least squares against normal equations written out, a planted checkerboard, and bad input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.dot import Dot, FittedDot
from likewise.models.implicit import FittedImplicit, Penalty
from likewise.models.ridge_rows import gram_of, update_rows
from likewise.solvers.als import ALS, FEW
from likewise.solvers.base import Run


def checkerboard(size: int = 40) -> Dataset:
    """Even people like even items, odd ones odd items; each misses one of them, in turn."""
    pairs = [(u, i) for u in range(size) for i in range(size) if u % 2 == i % 2 and i != (u + 2) % size]
    return Dataset.of(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"))


def random_likes(seed: int = 0, users: int = 60, items: int = 40, share: float = 0.2) -> Dataset:
    rng = np.random.default_rng(seed)
    u, i = np.nonzero(rng.random((users, items)) < share)
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i, "weight": rng.uniform(0.5, 2, len(u)).astype(np.float32)}))


def naive_row(y: np.ndarray, rows: np.ndarray, w: np.ndarray, t: np.ndarray, unobserved: float, ridge: float) -> np.ndarray:
    y = y.astype(np.float64)
    a = unobserved * y.T @ y + ridge * np.eye(y.shape[1]) + (y[rows] * w[:, None]).T @ y[rows]
    return np.linalg.solve(a, (w * t) @ y[rows])


@pytest.mark.parametrize("factors", [1, 3, 16, 21])
def test_full_block_solves_the_normal_equations(factors: int) -> None:
    rng = np.random.default_rng(1)
    y = rng.standard_normal((30, factors)).astype(np.float32)
    histories = Histories.of({0: 1, 5: 1, 29: 1}, {}, dict.fromkeys(range(23), 1))
    weights = rng.uniform(0.1, 3, len(histories.rows)).astype(np.float32)
    targets = rng.standard_normal(len(histories.rows)).astype(np.float32)
    weighted = Histories(histories.indptr, histories.rows, None, weights)
    x = np.ones((3, factors), np.float32)
    update_rows(x, weighted, y, 0.3, np.array([0.5, 1, 2], np.float32), targets)
    for n, ridge in ((0, 0.5), (2, 2.0)):
        part = slice(histories.indptr[n], histories.indptr[n + 1])
        np.testing.assert_allclose(x[n], naive_row(y, histories.rows[part], weights[part], targets[part], 0.3, ridge), rtol=2e-3, atol=2e-4)
    assert not x[1].any()


def test_blocks_reach_the_same_row() -> None:
    rng = np.random.default_rng(2)
    y = rng.standard_normal((50, 20)).astype(np.float32)
    histories = Histories.of(dict.fromkeys(range(0, 50, 3), 1))
    exact, swept = np.zeros((1, 20), np.float32), np.zeros((1, 20), np.float32)
    update_rows(exact, histories, y, 0.2, np.ones(1, np.float32))
    for _ in range(60):
        update_rows(swept, histories, y, 0.2, np.ones(1, np.float32), block=6)
    np.testing.assert_allclose(swept, exact, atol=1e-4)


def test_gram_is_the_product() -> None:
    x = np.random.default_rng(3).standard_normal((700, 9)).astype(np.float32)
    np.testing.assert_allclose(gram_of(x), x.T @ x, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("block", [None, 2, 16])
def test_checkerboard(block: int | None) -> None:
    data = checkerboard()
    fitted = ALS(unobserved=0.05, l2=0.001, block=block, sweeps=12).fit(Dot(factors=4, bias=False), data, Run()).model
    score = fitted.score(fitted.people(np.arange(40, dtype=np.int32)))
    for u in range(40):
        score[u, [i for i in range(40) if u % 2 == i % 2 and i != (u + 2) % 40]] = -9
        assert score[u].argmax() == (u + 2) % 40


def test_same_bytes_on_any_number_of_threads_and_again() -> None:
    data, solver = random_likes(), ALS(unobserved=0.1, l2=0.02, sweeps=3)
    fits = [solver.fit(Dot(factors=20, bias=False), data, Run(seed=5, threads=n)).model.state() for n in (1, 2, 3, 1)]
    for other in fits[1:]:
        assert all(other[name].tobytes() == fits[0][name].tobytes() for name in fits[0])
    different = solver.fit(Dot(factors=20, bias=False), data, Run(seed=6)).model.state()
    assert different["user_factors"].tobytes() != fits[0]["user_factors"].tobytes()


def test_last_side_is_at_its_optimum() -> None:
    data = random_likes()
    fitted = ALS(unobserved=0.1, l2=0.02, sweeps=4, block=None).fit(Dot(factors=5, bias=False), data, Run()).model
    raters = data.interactions.by_item.take(np.array([3], np.int32))
    assert raters.weights is not None
    weight = float(raters.weights.sum())
    ridge = 0.02 * (weight + 0.1 * data.n_users)
    expected = naive_row(fitted.user_factors, raters.rows, raters.weights, np.ones(len(raters.rows)), 0.1, ridge)
    np.testing.assert_allclose(fitted.item_factors[3], expected, rtol=2e-3, atol=2e-4)


def test_each_hyper_parameter_changes_something() -> None:
    rated = random_likes().frame().with_columns(rating=pl.int_range(pl.len()) % 5 + 1)
    data, model = Dataset.of(rated), Dot(factors=8, bias=False)
    base = {"unobserved": 0.1, "l2": 0.02, "sweeps": 3, "block": 4}
    plain = ALS(**base).fit(model, data, Run()).model.state()["item_factors"]
    changes = (
        {"unobserved": 0.3},
        {"l2": 0.1},
        {"exponent": 0.5},
        {"sweeps": 4},
        {"block": 8},
        {"spread": 1.0},
        {"positive": ">=4"},
        {"rating_power": 1.0},
    )
    for change in changes:
        assert not np.allclose(ALS(**{**base, **change}).fit(model, data, Run()).model.state()["item_factors"], plain, atol=1e-6), change


def test_settings_are_chosen_when_left_open() -> None:
    fit = ALS(sweeps=2).fit(Dot(factors=4), checkerboard(12), Run())
    assert isinstance(fit.model, FittedImplicit) and not fit.model.config.bias
    assert "chosen among" in fit.notes[-1] and "bias" in fit.notes[0]


def test_watch_sees_every_sweep_and_may_stop() -> None:
    events: list[object] = []
    fit = ALS(unobserved=0.1, l2=0.02, sweeps=9).fit(
        Dot(factors=4, bias=False), random_likes(), Run(watch=lambda e: events.append(e) or len(events) == 2)
    )
    assert len(events) == len(fit.history) == 2
    assert fit.history[1]["loss"] < fit.history[0]["loss"]


def test_ratings_are_fitted_with_biases() -> None:
    rng = np.random.default_rng(4)
    p, q = rng.standard_normal((80, 2)), rng.standard_normal((50, 2))
    level, quality = rng.normal(0, 0.5, 80), rng.normal(0, 0.5, 50)
    u, i = np.nonzero(rng.random((80, 50)) < 0.6)
    ratings = 3 + level[u] + quality[i] + (p[u] * q[i]).sum(1)
    data = Dataset.of(pl.DataFrame({"user_id": u, "item_id": i, "rating": ratings}))
    fit = ALS(feedback="ratings", l2=0.002, sweeps=20, block=None, spread=1.0).fit(Dot(factors=2, output="free"), data, Run())
    assert isinstance(fit.model, FittedDot)
    assert fit.history[-1]["train_rmse"] < 0.1
    assert np.corrcoef(fit.model.item_bias, quality)[0, 1] > 0.9


def test_bad_input() -> None:
    data = checkerboard(6)
    for wrong in (
        {"unobserved": 0.0},
        {"l2": -1.0},
        {"sweeps": 0},
        {"block": 0},
        {"spread": 0.0},
        {"feedback": "x"},
        {"positive": "4"},
        {"rating_power": -1.0},
    ):
        with pytest.raises(InputError):
            ALS(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no event is a like"):
        ALS().fit(Dot(), Dataset.of(data.frame().with_columns(weight=pl.lit(0.0))), Run())
    with pytest.raises(InputError, match="no event is a like"):
        ALS(positive=">=4").fit(Dot(), Dataset.of(data.frame().with_columns(rating=pl.lit(1.0))), Run())
    with pytest.raises(InputError, match=r"no ratings|has none"):
        ALS(feedback="ratings").fit(Dot(), data, Run())


def test_rows_with_few_likes_are_exact() -> None:
    """One sweep against the normal equations of each row, some of which have few likes beside their 40 factors and some many."""
    data, solver, model = random_likes(share=0.25), ALS(unobserved=0.1, l2=0.05, sweeps=1, block=None), Dot(40, bias=False, output="free")
    events = data.interactions
    assert {True, False} == set((events.by_user.counts * FEW <= 40).tolist())
    users, items = solver._start(model, events, 0)
    penalty = Penalty(0.1, 0.05)
    for rows, likes, fixed in ((users, events.by_user, items), (items, events.by_item, users)):
        ridge, weights = penalty.ridge(likes, len(fixed)), np.asarray(likes.weights)
        for n in range(len(rows)):
            part = slice(likes.indptr[n], likes.indptr[n + 1])
            rows[n] = naive_row(fixed, likes.rows[part], weights[part], np.ones(part.stop - part.start), 0.1, float(ridge[n]))
    found = solver.fit(model, data, Run()).model
    np.testing.assert_allclose(found.factors("user"), users, atol=1e-4)
    np.testing.assert_allclose(found.factors("item"), items, atol=1e-3)
