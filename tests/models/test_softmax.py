"""Softmax over the catalogue: the rows are the optimum, reasons add up, and somebody new is who they would have been."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.chances import Choices, Takers, best_rows
from likewise.models.softmax import FittedSoftmax, Weighing
from likewise.solvers.base import Run
from likewise.solvers.gradient.settings import Balance, Gradient, Penalty
from likewise.solvers.gradient.steps import Adam

RNG = np.random.default_rng(0)
SOLVER = Gradient(
    epochs=150,
    batch_size=400,
    loss="softmax",
    optimizer=Adam(lr=0.03),
    penalty=Penalty(l2=0.3, power=1.0, bias=0.0),
    balance=Balance(users=0.5, items=0.0),
)


@pytest.fixture(scope="module")
def data():
    """80 people of two tastes; each takes a dozen of their taste's 20 items, sometimes one of the other's."""
    taste = np.repeat([0, 1], 40)
    rows = [(u, int(i)) for u in range(80) for i in RNG.choice(40, 12, False, np.where(np.arange(40) // 20 == taste[u], 0.045, 0.005))]
    return Dataset.of(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))


@pytest.fixture(scope="module")
def fitted(data):
    return SOLVER.fit(lw.Dot(4, output="free"), data, Run(device="cpu")).model


def test_a_choice_of_all_is_the_optimum_found_by_plain_descent():
    design, offsets = RNG.normal(size=(12, 3)).astype(np.float32), RNG.normal(size=12).astype(np.float32)
    wanted = RNG.integers(0, 2, (5, 12)).astype(np.float32)
    ridge = np.full((5, 3), 0.7, np.float32)
    found = best_rows(lambda some: (Choices(wanted[some]), offsets), design, ridge, np.zeros(3))
    for n in range(5):
        x = np.zeros(3)
        for _ in range(3_000):
            chance = np.exp(design @ x + offsets)
            x -= 0.02 * (design.T @ (wanted[n].sum() * chance / chance.sum() - wanted[n]) + 0.7 * x)
        np.testing.assert_allclose(found[n], x, atol=2e-3)


def test_where_there_is_nothing_to_choose_people_stay_at_the_centre():
    nothing, none = np.zeros((2, 0), np.float32), np.zeros((0, 3), np.float32)
    found = best_rows(lambda some: (Choices(nothing[some]), nothing[0]), none, np.ones((2, 3), np.float32), np.ones(3))
    np.testing.assert_allclose(found, 1)


def test_a_new_item_is_the_optimum_found_by_plain_descent():
    design, offsets = RNG.normal(size=(30, 2)).astype(np.float32), RNG.normal(size=30).astype(np.float32)
    wanted, mass = RNG.integers(0, 2, (3, 30)).astype(np.float32), RNG.uniform(1, 3, 30).astype(np.float32)
    ridge, centre = np.full((3, 2), 0.5, np.float32), np.array([0.3, -0.2], np.float32)
    found = best_rows(lambda some: (Takers(wanted[some], mass), offsets), design, ridge, centre)
    for n in range(3):
        x = centre.astype(np.float64)
        for _ in range(3_000):
            chance = 1 / (1 + np.exp(-(design @ x + offsets)))
            x -= 0.01 * (design.T @ ((mass + wanted[n]) * chance - wanted[n]) + 0.5 * (x - centre))
        np.testing.assert_allclose(found[n], x, atol=2e-3)


def test_tastes_are_found(data, fitted):
    assert isinstance(fitted, FittedSoftmax)
    scores = fitted.score(fitted.people(data.users.rows(pl.Series(range(80)))), data.items.rows(pl.Series(range(40))))
    first = scores[:, :20].mean(1) > scores[:, 20:].mean(1)
    assert (first == (np.arange(80) < 40)).mean() > 0.95


def test_people_folded_in_are_where_training_put_them(data, fitted):
    everybody = np.arange(80, dtype=np.int32)
    folded, trained = fitted.fold_in(data.interactions.by_user), fitted.people(everybody)
    assert np.corrcoef(fitted.score(folded).ravel(), fitted.score(trained).ravel())[0, 1] > 0.99
    order = np.argsort(-fitted.score(trained), 1)[:, :5]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(order, np.argsort(-fitted.score(folded), 1)[:, :5], strict=True)]) > 0.9


def test_reasons_of_somebody_folded_in_leave_nothing_over(fitted):
    likes = Histories.of({0: 1.0, 3: 1.0, 7: 1.0})
    person = fitted.fold_in(likes)
    for item in (1, 20):
        parts = fitted.explain(person, likes, item)[0]
        assert abs(parts.residual) < 2e-2 * max(1.0, abs(parts.score))
        assert parts.score == pytest.approx(parts.item + float(parts.taste.sum()) + parts.residual, abs=1e-5)


def test_a_new_item_goes_to_those_like_its_friends(data, fitted):
    fans = data.users.rows(pl.Series(range(0, 40, 2)))
    longer = fitted.with_items(np.array([40], np.int32), Histories(np.array([0, len(fans)]), np.sort(fans)))
    new = np.array([40], np.int32)
    scores = longer.score(longer.people(data.users.rows(pl.Series(range(80)))), new)[:, 0]
    assert scores[1:40:2].mean() > scores[40:].mean()
    nobody = fitted.with_items(new, Histories(np.array([0, 0]), np.empty(0, np.int32)))
    assert np.isfinite(nobody.item_bias).all()
    assert nobody.item_bias[40] < fitted.item_bias.mean()


def test_an_item_solved_again_stays_where_training_put_it(data, fitted):
    items = np.arange(40, dtype=np.int32)
    people = fitted.people(np.arange(80, dtype=np.int32))
    again = fitted.with_items(items, data.interactions.by_item)
    scores = [model.score(people) - model.score(people).mean(1, keepdims=True) for model in (fitted, again)]
    assert np.corrcoef(*(one.ravel() for one in scores))[0, 1] > 0.97


def test_balance_weighs_people_and_refuses_items(data):
    weighing = Weighing.of(data.interactions, 0.5, 0.3, 1.0)
    likes = np.repeat(weighing.each(data.interactions.by_user.counts), data.interactions.by_user.counts)
    assert likes.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weighing.of_items(np.array([1.0, 50.0])), 0.3 * weighing.usual_item)
    with pytest.raises(InputError, match="balances people alone"):
        replace(SOLVER, balance=Balance(items=0.5)).fit(lw.Dot(2), data, Run())


def test_a_temperature_is_part_of_the_vectors(data):
    cool = replace(SOLVER, loss={"name": "softmax", "temperature": 0.5}, penalty=Penalty(l2=0.6, power=1.0, bias=0.0))
    folded = cool.fit(lw.Dot(4, output="free"), data, Run(device="cpu")).model
    people = folded.fold_in(data.interactions.by_user), folded.people(np.arange(80, dtype=np.int32))
    assert np.corrcoef(*(folded.score(p).ravel() for p in people))[0, 1] > 0.99


def test_without_a_penalty_the_spread_of_the_rows_stands_in(data):
    free = replace(SOLVER, penalty=Penalty(), epochs=5).fit(lw.Dot(4, bias=False, output="free"), data, Run(device="cpu")).model
    assert free.weighing.l2 > 0
    assert (free.item_bias == 0).all()
    assert np.isfinite(free.fold_in(Histories.of({1: 1.0, 2: 1.0}))).all()


def test_the_penalty_is_chosen_on_an_inner_split(data):
    solver = replace(SOLVER, epochs=30, penalty=Penalty(choose=True, power=1.0, bias=0.0))
    fit = solver.fit(lw.Dot(4, output="free"), data, Run(device="cpu"))
    assert "chosen among" in fit.notes[-1]
    assert 0.2 * 0.5 < fit.model.weighing.l2 < 1.1
    with pytest.raises(InputError, match=r"penalty\.choose is for loss 'softmax'"):
        replace(solver, loss="bpr", balance=None).fit(lw.Dot(2), data, Run())


def test_people_found_anew_are_where_folding_in_puts_them_and_held_more(data, fitted):
    solver = replace(SOLVER, epochs=30, penalty=Penalty(l2=0.3, power=1.0, bias=0.0, people=3.0))
    model = solver.fit(lw.Dot(4, output="free"), data, Run(device="cpu")).model
    everybody = np.arange(80, dtype=np.int32)
    np.testing.assert_allclose(model.fold_in(data.interactions.by_user), model.people(everybody), atol=1e-5)
    np.testing.assert_allclose(
        model.weighing.of_people(np.array([4.0]) * model.weighing.usual_user), 3 * 0.3 * model.weighing.usual_user * 2
    )
    assert (model.user_factors**2).sum() < (fitted.user_factors**2).sum()
    again = FittedSoftmax.from_state(model.config, model.state())
    assert again.weighing == model.weighing
    with pytest.raises(InputError, match=r"penalty\.people is for loss 'softmax'"):
        replace(solver, loss="bpr", balance=None)
