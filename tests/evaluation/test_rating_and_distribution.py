"""Rating errors and predicted distributions against loops and integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from likewise.errors import InputError
from likewise.evaluation.distribution import (
    as_levels,
    crps,
    distribution_figures,
    level_gaps,
    levels_of,
    log_score,
    pit,
    pit_histogram,
    reliability,
)
from likewise.evaluation.rating import mae, rating_figures, rmse
from likewise.models.base import Predictive

LEVELS = np.array([1, 2, 3, 4, 5], np.float32)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(1, 5), st.floats(1, 5)), min_size=1, max_size=40))
def test_errors_equal_loops(rows):
    people, predicted, actual = (np.array(column) for column in zip(*rows, strict=True))
    figures = {figure.name: figure for figure in rating_figures(predicted, actual, people.astype(np.int32), 6)}
    squares = [(p - a) ** 2 for p, a in zip(predicted, actual, strict=True)]
    assert figures["rmse"].value == pytest.approx(math.sqrt(sum(squares) / len(rows))) == pytest.approx(rmse(predicted, actual))
    assert figures["mae"].value == pytest.approx(sum(map(math.sqrt, squares)) / len(rows)) == pytest.approx(mae(predicted, actual))
    for person in range(6):
        assert figures["rmse"].totals[person] == pytest.approx(sum(s for s, who in zip(squares, people, strict=True) if who == person))
        assert figures["rmse"].counts[person] == sum(who == person for who in people)


def test_columns_that_do_not_fit_are_refused_not_broadcast():
    with pytest.raises(InputError, match=r"shapes \(3, 1\) and \(3,\)"):
        rmse(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(InputError, match="at least one"):
        mae(np.zeros(0), np.zeros(0))


def gaussian(mean, sd):
    mean, sd = np.asarray(mean, np.float32), np.asarray(sd, np.float32)
    return Predictive(mean, sd, sd / 2)


def chances(rows):
    rows = np.asarray(rows, np.float32)
    mean = rows @ LEVELS
    return Predictive(mean, np.ones_like(mean), np.ones_like(mean), LEVELS, rows)


def naive_crps(cdf, actual):
    """The integral itself, on a fine grid."""
    x = np.linspace(-20, 30, 200_001)
    return float(np.trapezoid((cdf(x) - (x >= actual)) ** 2, x))


@pytest.mark.parametrize(("mean", "sd", "actual"), [(3.0, 1.0, 3.0), (3.5, 0.4, 5.0), (2.0, 2.0, 1.0)])
def test_crps_of_a_gaussian_is_the_integral(mean, sd, actual):
    cdf = np.vectorize(lambda x: 0.5 + 0.5 * math.erf((x - mean) / sd / math.sqrt(2)))
    assert crps(gaussian([mean], [sd]), np.array([actual]))[0] == pytest.approx(naive_crps(cdf, actual), abs=1e-3)


@given(st.lists(st.floats(0.01, 1), min_size=5, max_size=5), st.sampled_from([1.0, 2.0, 5.0]))
def test_crps_and_log_score_of_levels(weights, actual):
    p = np.array(weights) / sum(weights)
    predictive = chances([p])
    want = naive_crps(lambda x: sum(p[j] * (x >= LEVELS[j]) for j in range(5)), actual)
    assert crps(predictive, np.array([actual], np.float32))[0] == pytest.approx(want, abs=2e-3)
    assert log_score(predictive, np.array([actual], np.float32))[0] == pytest.approx(-math.log(p[int(actual) - 1]), rel=1e-4)


def test_a_gaussian_is_read_as_levels_where_ratings_have_them():
    predictive = gaussian([3.0, 4.2], [1.0, 0.5])
    values, found = as_levels(predictive, LEVELS)
    assert found.sum(axis=1) == pytest.approx([1, 1])
    cell = 0.5 * (math.erf(0.5 / math.sqrt(2)) - math.erf(-0.5 / math.sqrt(2)))
    assert found[0, 2] == pytest.approx(cell)
    assert log_score(predictive, np.array([3.0, 4.0]), LEVELS)[0] == pytest.approx(-math.log(cell))
    density = log_score(predictive, np.array([3.0, 4.0]))
    assert density[0] == pytest.approx(0.5 * math.log(2 * math.pi))
    assert as_levels(predictive, None) is None
    assert values.tolist() == LEVELS.tolist()


def planted(n, seed=0, sharpen=1.0):
    """Chances, and ratings drawn from them; `sharpen` makes the chances overconfident."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(5), n)
    drawn = (p.cumsum(1) > rng.random((n, 1))).argmax(1)
    q = p**sharpen
    return chances(q / q.sum(1, keepdims=True)), LEVELS[drawn]


def test_right_distributions_are_found_right_and_overconfident_ones_not():
    right, actual = planted(20_000)
    over, _ = planted(20_000, sharpen=3.0)
    people = np.arange(20_000, dtype=np.int32) % 100
    good = {f.name: f.value for f in distribution_figures(right, actual, people, 100)}
    bad = {f.name: f.value for f in distribution_figures(over, actual, people, 100)}
    assert pit_histogram(pit(right, actual)) == pytest.approx(np.full(10, 0.1), abs=0.01)
    for share in (50, 80, 95):
        assert good[f"interval_cover_{share}"] == pytest.approx(share / 100, abs=0.01)
        assert bad[f"interval_cover_{share}"] < share / 100 - 0.02
    assert good["ece"] < 0.012 < 0.05 < bad["ece"]
    assert good["log_score"] < bad["log_score"]
    assert good["crps"] < bad["crps"]


def test_gaussian_pit_is_uniform_and_ece_small_without_levels():
    rng = np.random.default_rng(1)
    mean, sd = rng.normal(size=20_000), rng.uniform(0.5, 2, 20_000)
    actual = rng.normal(mean, sd)
    figures = {f.name: f.value for f in distribution_figures(gaussian(mean, sd), actual, np.zeros(20_000, np.int32), 1)}
    assert figures["ece"] < 0.01
    assert figures["interval_cover_80"] == pytest.approx(0.8, abs=0.01)


def test_the_calibration_error_equals_its_definition():
    predictive, actual = planted(500, seed=3)
    p = predictive.probabilities.astype(np.float64)
    want = 0.0
    for level in range(5):
        for b in range(15):
            inside = [n for n in range(500) if min(int(p[n, level] * 15), 14) == b]
            want += abs(sum(p[n, level] - (actual[n] == LEVELS[level]) for n in inside)) / 500 / 5
    assert level_gaps(LEVELS.astype(np.float64), p, actual).mean() == pytest.approx(want)
    mean, frequency, size = reliability(LEVELS.astype(np.float64), p, actual)
    assert size.sum() == 2500
    assert np.nansum(mean * size) == pytest.approx(p.sum())
    assert np.nansum(frequency * size) == pytest.approx(500)


def test_levels_are_found_only_where_there_are_few():
    assert levels_of(np.array([4, 1, 4], np.float32)).tolist() == [1, 4]
    assert levels_of(np.array([4, 4], np.float32)) is None
    assert levels_of(np.arange(50, dtype=np.float32)) is None


def test_the_pit_follows_its_seed():
    predictive, actual = planted(50)
    assert np.array_equal(pit(predictive, actual, seed=4), pit(predictive, actual, seed=4))
    assert not np.array_equal(pit(predictive, actual, seed=4), pit(predictive, actual, seed=5))
