"""A blend is the weighted sum of its parts, in every answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.blend import Blend, FittedBlend
from likewise.models.mixture import Mixture
from likewise.ranking.topk import rank_model
from likewise.solvers.base import Run
from likewise.solvers.stack import Stack

PARTS = (
    {"model": {"name": "dot", "factors": 4, "bias": False}, "solver": {"name": "als", "unobserved": 0.1, "l2": 0.02, "sweeps": 3}},
    {"model": {"name": "ease", "l2": 5.0, "item_power": 0.5}},
    {"model": {"name": "popularity"}, "solver": {"name": "closed_form"}},
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    u, i = np.nonzero(rng.random((60, 30)) < np.where(np.arange(60)[:, None] % 2 == np.arange(30) % 2, 0.4, 0.08))
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i}))


@pytest.fixture(scope="module")
def fitted(data: Dataset) -> FittedBlend:
    model = Stack().fit(Blend(PARTS, (0.5, 0.3, 0.2)), data, Run()).model
    assert isinstance(model, FittedBlend)
    return model


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_scores_are_the_sum_of_the_parts_on_one_scale(data: Dataset, fitted: FittedBlend) -> None:
    everybody = np.arange(60, dtype=np.int32)
    expected = np.zeros((60, 30))
    for model, weight in zip(fitted.models, (0.5, 0.3, 0.2), strict=True):
        score = model.score(model.people(everybody))
        expected += weight * score / score.std()
    np.testing.assert_allclose(fitted.score(fitted.people(everybody)), expected, rtol=1e-3, atol=1e-4)


def test_reasons_pass_through(data: Dataset, fitted: FittedBlend) -> None:
    three = data.interactions.by_user.take(rows(3, 9, -1))
    folded = fitted.fold_in(three)
    for n, parts in enumerate(fitted.explain(folded, three, 4)):
        assert parts.score == pytest.approx(float(fitted.score(folded)[n, 4]), abs=1e-4)
        total = parts.mean + parts.user + parts.item + float(parts.taste.sum()) + parts.residual
        assert total == pytest.approx(parts.score, abs=1e-4)


def test_weights_are_found_and_a_useless_part_gets_none(data: Dataset) -> None:
    fit = Stack(steps=4).fit(Blend(PARTS), data, Run())
    weights = fit.model.config.weights
    assert sum(weights) == pytest.approx(1.0)
    assert "weights found" in fit.notes[-1]
    again = Stack(steps=4).fit(Blend(PARTS), data, Run())
    assert again.model.config == fit.model.config


def test_a_mixture_is_cut_as_a_batch(fitted: FittedBlend) -> None:
    people = fitted.people(rows(4, 5, 6))
    assert isinstance(people, Mixture) and len(people) == 3
    whole = fitted.score(people)
    np.testing.assert_allclose(fitted.score(people[rows(2, 0)]), whole[[2, 0]], atol=1e-5)
    np.testing.assert_allclose(fitted.score(people[1:3]), whole[1:3], atol=1e-5)
    lists = rank_model(fitted, people, 5)
    np.testing.assert_array_equal(lists.items[:, 0], whole.argmax(1))


def test_state_round_trip(fitted: FittedBlend) -> None:
    settings = Blend(**fitted.config.settings)
    again = FittedBlend.from_state(settings, fitted.state())
    history = Histories.of({1: 1.0, 2: 1.0}, {})
    np.testing.assert_array_equal(again.score(again.fold_in(history)), fitted.score(fitted.fold_in(history)))


def test_growth_goes_to_every_part(data: Dataset, fitted: FittedBlend) -> None:
    more = fitted.with_items(rows(30), data.interactions.by_item.take(rows(3))).with_people(rows(60), fitted.people(rows(2)))
    assert (more.n_users, more.n_items) == (61, 31)
    np.testing.assert_allclose(more.score(more.people(rows(5)))[:, :30], fitted.score(fitted.people(rows(5))), atol=1e-5)


def test_bad_input(data: Dataset) -> None:
    with pytest.raises(InputError, match="at least one part"):
        Blend(())
    with pytest.raises(InputError, match="has a name"):
        Blend(({"solver": {"name": "als"}},))
    with pytest.raises(InputError, match="there is no model"):
        Blend(({"model": {"name": "nonsense"}},))
    with pytest.raises(InputError, match="in a blend"):
        Blend(({"model": {"name": "ease", "l3": 1}},))
    for weights in ((1.0,), (0.0, 0.0, 0.0), (1.0, -1.0, 0.0)):
        with pytest.raises(InputError, match="weights must be"):
            Blend(PARTS, weights)
    with pytest.raises(InputError, match="cannot be fitted by"):
        Stack().fit(Blend(({"model": {"name": "ease"}, "solver": {"name": "als"}},)), data, Run())
