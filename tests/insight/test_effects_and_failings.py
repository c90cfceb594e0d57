"""Effects, calibration, weak parts, coverage and curves against plain versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.errors import InputError
from likewise.insight.calibration import calibration
from likewise.models.ease import EASE
from likewise.models.link import Link
from tests.insight.worlds import fitted, posterior, world


def test_calibration_bins_hold_every_event_once():
    rec, test = fitted()
    found = rec.insight.calibration(test)
    predicted, given = np.asarray(rec.predict(test.frame())["score"]), test.frame()["rating"].to_numpy()
    assert found.frame["events"].sum() == len(test)
    np.testing.assert_allclose(np.sort(found.residuals), np.sort(given - predicted), atol=1e-4)
    np.testing.assert_allclose(np.average(found.frame["actual"], weights=found.frame["events"]), given.mean(), rtol=1e-5)
    assert (found.frame["low"] <= found.frame["actual"]).all() and (found.frame["actual"] <= found.frame["high"]).all()
    assert 0.8 < found.slope < 1.2


def test_calibration_sees_predictions_spread_too_wide():
    rec, test = fitted()

    wide = replace(rec.fitted, user_factors=rec.fitted.user_factors * 1.8, link=Link("clip", -9.0, 15.0))
    assert calibration(replace(rec.answers, fitted=wide), test).slope < 0.85


def test_reliability_is_of_the_posterior_alone():
    rec, test = posterior()
    found = rec.insight.reliability(test)
    assert found.frame["pairs"].sum() == len(test) * 10
    assert found.covered["inside"].to_list() == sorted(found.covered["inside"])
    assert abs(found.covered["inside"][1] - 0.8) < 0.1
    with pytest.raises(InputError, match="predicts a point"):
        fitted()[0].insight.reliability(test)


def test_errors_by_part_are_those_of_a_loop():
    rec, test = fitted()
    frame = rec.insight.errors(test).frame
    pairs = test.frame().with_columns(pl.Series("score", np.asarray(rec.predict(test.frame())["score"])))
    counts = dict(rec.data.frame().group_by("item_id").len().iter_rows())
    low = [(r["score"] - r["rating"]) ** 2 for r in pairs.iter_rows(named=True) if 20 <= counts.get(r["item_id"], 0) < 100]
    row = frame.row(
        by_predicate=(pl.col("segment") == "item's ratings") & (pl.col("part") == "20-99") & (pl.col("figure") == "rmse"), named=True
    )
    assert row["events"] == len(low)
    assert row["value"] == pytest.approx(np.sqrt(np.mean(low)), rel=1e-4)
    assert {"activity", "item age", "item"} <= set(frame["segment"])


def test_who_is_served_is_told_by_known_features():
    rec, test = fitted()
    found = rec.insight.served(test)
    assert {"activity", "mainstream", "gender"} <= set(found.frame["segment"])
    assert found.frame.filter(pl.col("segment") == "gender")["people"].sum() <= 2 * 2 * test.n_users
    assert set(found.worst["worse"]) <= {True}


def test_coverage_counts_the_lists():
    rec, _ = fitted()
    found = rec.insight.coverage(k=3)
    lists = rec.recommend(k=3)
    truth = np.bincount(np.asarray(rec.data.items.rows(pl.Series(lists["item_id"]))), minlength=rec.data.n_items)
    assert found.shown.tolist() == truth.tolist()
    assert found.frame["shown"].sum() == pytest.approx(1) and found.frame["ratings"].sum() == pytest.approx(1)
    row = found.figures.row(by_predicate=pl.col("figure") == "coverage@3", named=True)
    assert row["value"] == pytest.approx((truth > 0).mean())
    with pytest.raises(InputError, match="k must be at least 1"):
        rec.insight.coverage(0)


def test_effects_find_the_moving_part():
    rec, _ = fitted()
    frame = rec.insight.effects().frame
    parts = dict(frame.filter(pl.col("kind") == "part").select("name", "effect").iter_rows())
    assert parts["taste"] > parts["user"]
    assert set(frame["name"]) >= {"genres=Comedy", "genres=Drama", "gender=F"}
    assert (frame["low"] <= frame["effect"]).all() and (frame["effect"] <= frame["high"]).all()
    gender = frame.filter(pl.col("name") == "gender=F").row(0, named=True)
    assert gender["low"] < 0 < gender["high"]  # planted: gender makes no difference


def test_effects_without_features_are_the_parts():
    rec, _ = fitted(4, titles=False, features=False)
    assert set(rec.insight.effects().frame["kind"]) == {"part"}


def test_likes_have_no_calibration():
    likes = lw.read(world().frame().select("user_id", "item_id"))
    kit = lw.Recommender(EASE()).fit(likes).insight
    for ask in (kit.calibration, kit.reliability):
        with pytest.raises(InputError, match="needs ratings"):
            ask(likes)
    with pytest.raises(InputError, match="errors need predicted ratings"):
        kit.errors(likes)


def test_curves_are_of_fits_in_steps():
    rec, _ = fitted()
    curve = rec.insight.training()
    assert curve.step == "epoch" and curve.frame.height == 60 and curve.figures
    with pytest.raises(InputError, match="one step"):
        lw.Recommender(lw.Bias()).fit(world()).insight.training()
