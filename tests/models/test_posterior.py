"""What the posterior does not know: it is least sure of somebody who said nothing, and says the population's answer all the same."""

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.models.dot import Dot
from likewise.models.draws import widened
from likewise.solvers.base import Run
from likewise.solvers.gibbs.settings import Gibbs

PEOPLE, ITEMS = 60, 40


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    person, item = rng.normal(size=(PEOPLE, 3)), rng.normal(size=(ITEMS, 3))
    pairs = np.argwhere(rng.random((PEOPLE, ITEMS)) < 0.4)
    ratings = 3 + rng.normal(0, 0.6, PEOPLE)[pairs[:, 0]] + 0.6 * (person[pairs[:, 0], :2] * item[pairs[:, 1], :2]).sum(1)
    frame = {"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": np.clip(ratings + rng.normal(0, 0.3, len(pairs)), 1, 5)}
    return Gibbs(draws=30, burn_in=5).fit(Dot(factors=3), Dataset.of(pl.DataFrame(frame)), Run()).model


def doubt(model, entries):
    rng = np.random.default_rng(1)
    items = np.arange(ITEMS, dtype=np.int32)
    told = rng.permutation(ITEMS)[:entries].astype(np.int32)
    person = model.fold_in(Histories(np.array([0, entries]), told, np.full(entries, 3, np.float32)))
    return float(model.predictive(np.repeat(person, ITEMS, 0), items).sd_mean.mean())


def test_the_less_was_said_the_less_it_is_sure(model):
    doubts = [doubt(model, n) for n in (0, 2, 8, 30)]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 1.2 * doubts[1]


def test_somebody_who_said_nothing_gets_the_population_s_answer(model):
    items = np.arange(ITEMS, dtype=np.int32)
    nobody = model.people(np.full(ITEMS, -1, np.int32))
    folded = model.fold_in(Histories(np.zeros(ITEMS + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)))
    np.testing.assert_array_equal(folded[:, :-3], nobody[:, :-3])
    found = model.predictive(nobody, items)
    np.testing.assert_allclose(found.mean, model.score_pairs(nobody, items), atol=1e-4)
    assert found.sd_mean.mean() > 0.4  # people differ by 0.6 in their level alone


def test_an_item_nobody_rated_is_the_least_sure_of_all(model):
    known = model.people(np.arange(20, dtype=np.int32))
    rated = model.predictive(known, np.arange(20, dtype=np.int32)).sd_mean.mean()
    unknown = model.predictive(known, np.full(20, -1, np.int32)).sd_mean.mean()
    both = model.predictive(model.people(np.full(20, -1, np.int32)), np.full(20, -1, np.int32)).sd_mean.mean()
    assert rated < unknown < both


def test_widened_draws_keep_their_mean_and_gain_the_variance():
    draws = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    wide = widened(draws, np.full(50, 2.0, np.float32))
    np.testing.assert_allclose(wide.mean(1), draws.mean(1), atol=1e-5)
    assert wide.var(1).mean() == pytest.approx(draws.var(1).mean() + 2, rel=0.1)
    assert widened(draws[:, :1], np.ones(50, np.float32)) is not None
    np.testing.assert_array_equal(widened(draws, np.zeros(50, np.float32)), draws)
