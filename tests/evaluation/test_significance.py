"""The bootstrap against a naive one, its coverage on planted data, and the verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from likewise.errors import InputError
from likewise.evaluation.beyond import beyond_figures
from likewise.evaluation.figures import Figure, by_name, event_figure, mean_figure
from likewise.evaluation.significance import differences, intervals, resampled


def planted(rng, n_people=150):
    """Squared errors of people who differ in number of ratings and in how hard they are to predict; the true RMSE is 1."""
    counts = rng.geometric(0.05, n_people)
    hard = rng.gamma(4, 0.25, n_people)
    totals = hard * rng.chisquare(counts)
    return Figure("rmse", totals, counts.astype(float), root=True)


def coverage(simulations, seed):
    rng = np.random.default_rng(seed)
    inside = paired = 0
    for s in range(simulations):
        rmse = planted(rng)
        interval = intervals([rmse], draws=400, seed=s)["rmse"]
        inside += interval.low <= 1 <= interval.high
        common, ours, theirs = rng.random(120), rng.random(120), rng.random(120)
        (gap,) = differences(
            by_name([mean_figure("hit@10", common + ours)]), by_name([mean_figure("hit@10", common + theirs)]), draws=400, seed=s
        )
        paired += gap.low <= 0 <= gap.high
    return inside / simulations, paired / simulations


def test_intervals_cover_as_they_say():
    inside, paired = coverage(1000, 1)
    assert inside == pytest.approx(0.95, abs=0.02)
    assert paired == pytest.approx(0.95, abs=0.02)


def test_resampling_equals_a_loop_with_the_same_draws():
    rng = np.random.default_rng(5)
    rmse, hit = planted(rng, 30), mean_figure("hit@5", rng.random(30))
    got = resampled([rmse, hit], draws=20, seed=9)
    same = np.random.default_rng(9).integers(0, 30, (20, 30), dtype=np.int32)
    for draw, people in enumerate(same):
        assert got[draw, 0] == pytest.approx(np.sqrt(rmse.totals[people].sum() / rmse.counts[people].sum()))
        assert got[draw, 1] == pytest.approx(np.mean(hit.totals[people]))


def test_the_same_seed_gives_the_same_bytes_whatever_the_block(monkeypatch):
    figure = planted(np.random.default_rng(0))
    before = resampled([figure], seed=3)
    assert before.tobytes() == resampled([figure], seed=3).tobytes()
    monkeypatch.setattr("likewise.evaluation.significance.BLOCK", 150 * 7)
    assert resampled([figure], seed=3) == pytest.approx(before)


def test_grouping_many_people_keeps_the_spread(monkeypatch):
    figure = mean_figure("hit@5", np.random.default_rng(0).random(5000))
    alone = intervals([figure])["hit@5"]
    monkeypatch.setattr("likewise.evaluation.significance.MOST_UNITS", 500)
    grouped = intervals([figure])["hit@5"]
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.15)
    assert grouped.low < grouped.value < grouped.high


def test_verdicts():
    rng = np.random.default_rng(2)
    base = rng.random(400)
    names = ("ndcg@10", "mae", "coverage@10", "sampled_hit@10")
    theirs = by_name(mean_figure(name, base) for name in names)
    above = differences(by_name(mean_figure(name, base + 0.1 + 0.1 * rng.random(400)) for name in names), theirs)
    assert [gap.verdict for gap in above] == ["better", "worse", "higher", "better"]
    assert all(gap.low < gap.difference < gap.high for gap in above)
    noise = differences(by_name(mean_figure(name, base + rng.normal(0, 0.01, 400) - 0.0) for name in names), theirs)
    assert {gap.verdict for gap in noise} == {"tied"}
    same = differences(theirs, theirs)
    assert [(gap.difference, gap.verdict) for gap in same] == [(0, "tied")] * 4


def test_different_people_are_refused():
    with pytest.raises(InputError, match="same people"):
        differences(by_name([mean_figure("a", np.zeros(3))]), by_name([mean_figure("a", np.zeros(4))]))
    with pytest.raises(InputError, match="one number a person"):
        Figure("a", np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="between 0 and 1"):
        intervals([mean_figure("a", np.zeros(3))], level=95)


def test_people_who_take_no_part():
    figure = mean_figure("hit@1", np.array([1.0, np.nan, 0.0]))
    assert figure.value == 0.5
    assert figure.n_people == 2
    assert np.isnan(mean_figure("hit@1", np.array([np.nan])).value)
    empty = intervals([mean_figure("hit@1", np.array([np.nan, np.nan])), mean_figure("x", np.ones(2))])
    assert np.isnan(empty["hit@1"].low)
    squares = event_figure("rmse", np.array([1.0, 4.0]), np.array([0, 2], np.int32), 3, root=True)
    assert squares.among(np.array([True, True, False])).value == 1.0


def test_expanded_figures_spread_as_resampled_lists_do():
    """Gini's linear expansion against computing it again for every draw of people."""
    rng = np.random.default_rng(0)
    popular = rng.dirichlet(np.full(50, 0.3))
    lists = np.array([rng.choice(50, 5, replace=False, p=popular * 0.9 + 0.1 / 50) for _ in range(300)], np.int32)
    figures = by_name(beyond_figures(lists, np.ones(50, np.int64), 300, [5]))
    drawn = rng.integers(0, 300, (300, 300))
    again = np.array([by_name(beyond_figures(lists[people], np.ones(50, np.int64), 300, [5]))["gini@5"].value for people in drawn])
    interval = intervals([figures["gini@5"]])["gini@5"]
    assert interval.high - interval.low == pytest.approx(np.quantile(again, 0.975) - np.quantile(again, 0.025), rel=0.2)
    assert interval.low < interval.value < interval.high
