"""Answers of the dot product learned from likes: folding in, reasons, growth, artifacts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.dot import Dot
from likewise.models.implicit import FittedImplicit
from likewise.models.likes import LikeRule
from likewise.solvers.als import ALS
from likewise.solvers.base import Run


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    u, i = np.nonzero(rng.random((50, 30)) < 0.25)
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i, "rating": rng.integers(1, 6, len(u)).astype(np.float32)}))


@pytest.fixture(scope="module")
def fitted(data: Dataset) -> FittedImplicit:
    model = ALS(unobserved=0.1, l2=0.05, sweeps=30, block=None, positive=">=3", rating_power=0.5).fit(Dot(factors=6), data, Run()).model
    assert isinstance(model, FittedImplicit)
    return model


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_folding_in_finds_the_trained_people(data: Dataset, fitted: FittedImplicit) -> None:
    everyone = np.arange(50, dtype=np.int32)
    np.testing.assert_allclose(fitted.fold_in(data.interactions.by_user), fitted.people(everyone), atol=2e-2)


def test_nobody_known_gets_the_mean_person(fitted: FittedImplicit) -> None:
    empty = Histories.of({}, {2: 1.0})  # the second has nothing but a rating below 3
    np.testing.assert_array_equal(fitted.fold_in(empty), fitted.people(rows(-1, -1)))
    assert fitted.score(fitted.people(rows(-1))).std() > 0


def test_reasons_add_up(data: Dataset, fitted: FittedImplicit) -> None:
    histories = data.interactions.by_user.take(rows(3, 4, -1))
    people = fitted.fold_in(histories)
    for n, parts in enumerate(fitted.explain(people, histories, 7)):
        assert parts.score == pytest.approx(float(fitted.score(people)[n, 7]), abs=1e-5)
        assert parts.mean + parts.taste.sum() + parts.residual == pytest.approx(parts.score, abs=1e-5)
        assert abs(parts.residual) < 1e-3
    ratings = histories.ratings
    assert ratings is not None
    taste = fitted.explain(people, histories, 7)[0].taste
    assert not taste[ratings[: len(taste)] < 3].any()


def test_pairs_and_named_items_agree_with_the_table(fitted: FittedImplicit) -> None:
    people = fitted.people(rows(0, 1))
    table = fitted.score(people)
    np.testing.assert_allclose(fitted.score(people, rows(5, -1, 2)), np.column_stack([table[:, 5], np.zeros(2), table[:, 2]]), atol=1e-6)
    np.testing.assert_allclose(fitted.score_pairs(people, rows(4, -1)), [table[0, 4], 0], atol=1e-6)


def test_growth_leaves_the_rest_alone(data: Dataset, fitted: FittedImplicit) -> None:
    before = fitted.score(fitted.people(rows(0, 1)))
    raters = data.interactions.by_item.take(rows(3))
    more = fitted.with_items(rows(30), raters)
    assert (fitted.n_items, more.n_items) == (30, 31)
    np.testing.assert_array_equal(more.score(more.people(rows(0, 1)))[:, :30], before)
    np.testing.assert_allclose(more.item_factors[30], fitted.item_factors[3], atol=2e-2)
    grown = fitted.with_people(rows(51), fitted.people(rows(2)))
    assert grown.n_users == 52
    np.testing.assert_array_equal(grown.people(rows(51)), fitted.people(rows(2)))


def test_state_round_trip(fitted: FittedImplicit) -> None:
    again = FittedImplicit.from_state(fitted.config, fitted.state())
    histories = Histories.of({1: 5.0, 2: 1.0})
    np.testing.assert_array_equal(again.fold_in(histories), fitted.fold_in(histories))
    assert again.rule == fitted.rule


@pytest.mark.parametrize("rule", [LikeRule(), LikeRule(">=4"), LikeRule("<2.5", 1.5, 3.2), LikeRule("==0")])
def test_rules_survive_as_arrays(rule: LikeRule) -> None:
    assert LikeRule.from_state(rule.state()) == rule


def test_rules_weigh_and_filter() -> None:
    history = Histories(np.array([0, 3]), rows(0, 1, 2), np.array([2, 4, 5], np.float32), np.array([1, 2, 1], np.float32))
    np.testing.assert_allclose(LikeRule(">2", 1.0, 4.0).weights(history), [0, 2, 1.25])
    assert LikeRule(">2").likes(history).rows.tolist() == [1, 2]
    with pytest.raises(InputError):
        LikeRule("about 4")
