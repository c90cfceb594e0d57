"""Presets side by side: baselines beside them, cautions, repeated splits, and the recommender's own evaluation."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import likewise as lw
from likewise.cli.app import app
from likewise.data.dataset import Dataset
from likewise.data.splits import split
from likewise.errors import InputError
from likewise.studies.compare import compare, repeated, what_time_says


def ratings(timed: bool = True) -> Dataset:
    """60 people with a level of their own rate 40 films with quality and, later, ever lower."""
    rng = np.random.default_rng(0)
    level, quality = rng.normal(0, 0.7, 60), rng.normal(0, 0.7, 40)
    rows = []
    for user in range(60):
        for n, item in enumerate(rng.choice(40, 20, replace=False)):
            time = int(user * 50_000 + n * 86_400)
            rating = float(np.clip(np.rint(3.5 + level[user] + quality[item] - time / 2e6 + rng.normal(0, 0.4)), 1, 5))
            rows.append((user, int(item), rating, time) if timed else (user, int(item), rating))
    return Dataset.of(pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"][: len(rows[0])], orient="row"))


def test_baselines_stand_beside_and_time_is_spoken_of():
    train, test = split(ratings(), by="random", test=0.2, seed=0)
    found = compare(train, test, ["bias"])
    assert next(iter(found.evaluations)) == "bias"
    assert {"bias", "knn", "popularity"} <= set(found.evaluations)
    assert set(found.baselines) >= {"knn", "popularity"}
    assert "rmse" not in found.evaluations["popularity"]
    (line,) = found.remarks
    assert line.startswith("split by time, rmse of 'bias' is ")
    assert any("random split on data with times" in note for note in found.notes)
    assert found.seconds["bias"] >= 0
    assert compare(train, test, ["bias"], baselines=False).baselines == ()


def test_a_split_by_time_needs_no_such_line():
    assert what_time_says(*split(ratings(), by="time", test=0.2)) is None
    assert what_time_says(*split(ratings(timed=False), by="random", test=0.2)) is None


def test_presets_are_checked():
    train, test = split(ratings(), by="random", test=0.2, seed=0)
    with pytest.raises(InputError, match="different names; got bias, bias"):
        compare(train, test, ["bias", "bias"])
    with pytest.raises(InputError, match="no preset 'nope'"):
        compare(train, test, ["nope"])


def test_repeated_splits_give_mean_and_spread():
    frame = repeated(ratings(), ["bias"], repeats=3, test=0.2, lists=False)
    row = frame.filter((pl.col("model") == "bias") & (pl.col("figure") == "rmse")).row(0, named=True)
    assert row["least"] < row["mean"] < row["greatest"]
    assert row["sd"] > 0
    with pytest.raises(InputError, match="at least 2"):
        repeated(ratings(), ["bias"], repeats=1)
    with pytest.raises(InputError, match="'random' or 'user'"):
        repeated(ratings(), ["bias"], by="time")


def test_a_recommender_evaluates_itself_beside_baselines():
    train, test = split(ratings(), by="time", test=0.2)
    rec = lw.fit(train, "bias")
    found = rec.evaluate(test)
    assert next(iter(found.evaluations)) == "bias"
    assert {"bias", "neighbours", "popularity"} <= set(found.baselines)  # the model is one of them, and not fitted twice
    assert list(rec.evaluate(test, baselines=False).evaluations) == ["bias"]
    with pytest.raises(InputError, match="nothing to be measured"):
        lw.fit(train, "popularity").evaluate(test, baselines=False, lists=False)


def test_the_command(tmp_path):
    train, test = split(ratings(), by="time", test=0.2)
    paths = [str(tmp_path / name) for name in ("train.parquet", "test.parquet")]
    for part, path in zip((train, test), paths, strict=True):
        part.frame().write_parquet(path)
    picture = tmp_path / "picture.svg"
    shown = CliRunner().invoke(app, ["compare", paths[0], "--test", paths[1], "--presets", "bias,knn", "--picture", str(picture)])
    assert shown.exit_code == 0, shown.output
    assert "bias (baseline)" in shown.output
    assert picture.read_text().startswith("<?xml")
    told = CliRunner().invoke(app, ["compare", paths[0], "--presets", "bias", "--by", "random", "--no-lists", "--json"])
    assert json.loads(told.output)["models"]["bias"]["figures"]["rmse"]["value"] > 0


def test_a_protocol_names_its_split(tmp_path):
    path = str(tmp_path / "all.parquet")
    ratings().frame().write_parquet(path)
    told = CliRunner().invoke(app, ["compare", path, "--presets", "bias", "--protocol", "loo99", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)["models"]["popularity"]
    assert found["n_test"] == 60  # one event a person
    assert set(found["figures"]) == {"sampled_hit@10", "sampled_ndcg@10", "sampled_mrr@10"}
    assert found["protocol"]["candidates"] == 100


def test_repeated_splits_by_the_command(tmp_path):
    path = str(tmp_path / "all.parquet")
    ratings().frame().write_parquet(path)
    told = CliRunner().invoke(app, ["compare", path, "--presets", "bias", "--no-lists", "--repeats", "2", "--json"])
    assert {row["model"] for row in json.loads(told.output)} == {"bias", "knn"}
    refused = CliRunner().invoke(app, ["compare", path, "--test", path, "--presets", "bias", "--repeats", "2"])
    assert "cannot be given with --test" in str(refused.exception)
