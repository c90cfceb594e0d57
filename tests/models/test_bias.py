"""Biases: the damped means solve the ridge problem, and new people get the same means."""

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.bias import Bias
from tests.planted import ratings


def test_levels_solve_the_ridge_problem():
    data = Dataset.of(ratings())
    fitted = Bias(user_damping=4.0, item_damping=2.0).solve(data)
    x = data.interactions
    n, m = x.n_users, x.n_items
    design = np.zeros((len(x), n + m))
    design[np.arange(len(x)), x.users] = 1
    design[np.arange(len(x)), n + x.items] = 1
    ridge = np.diag([4.0] * n + [2.0] * m)
    exact = np.linalg.solve(design.T @ design + ridge, design.T @ (x.ratings - x.ratings.mean()))
    np.testing.assert_allclose(np.concatenate([fitted.levels.users, fitted.levels.items]), exact, atol=2e-3)


def test_weights_count_as_repeats():
    frame = ratings()
    twice = pl.concat([frame, frame.head(40)])
    weighted = frame.with_columns(weight=pl.Series(np.where(np.arange(len(frame)) < 40, 2.0, 1.0)))
    a, b = Bias().solve(Dataset.of(twice)), Bias().solve(Dataset.of(weighted))
    np.testing.assert_allclose(a.levels.users, b.levels.users, atol=1e-5)


def test_a_new_person_gets_the_damped_mean_of_what_is_left_over():
    fitted = Bias(user_damping=3.0).solve(Dataset.of(ratings()))
    left = [5.0 - fitted.levels.mean - fitted.levels.items[2], 4.0 - fitted.levels.mean - fitted.levels.items[7]]
    person = fitted.fold_in(Histories.of({2: 5.0, 7: 4.0}))
    assert person[0, 1] - fitted.levels.mean == pytest.approx(sum(left) / 5, abs=1e-5)


def test_damping_changes_something_and_bad_values_are_refused():
    data = Dataset.of(ratings())
    spread = [np.std(Bias(user_damping=d).solve(data).levels.users) for d in (0.0, 5.0, 50.0)]
    assert spread[0] > spread[1] > spread[2]
    with pytest.raises(InputError, match="item_damping must be"):
        Bias(item_damping=-1)
    with pytest.raises(InputError, match="user_damping must be"):
        Bias(user_damping=float("nan"))


def test_likes_are_refused_with_a_way_out():
    with pytest.raises(InputError, match=r"needs ratings.*Popularity"):
        Bias().solve(Dataset.of(ratings().drop("rating")))
