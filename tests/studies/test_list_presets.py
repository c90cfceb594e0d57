"""The presets of lists: they choose their settings themselves, beat popularity, fold in, and predict no ratings."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import likewise as lw
from likewise.cli.app import app
from likewise.data.splits import split
from likewise.studies.bench import Files, bench
from likewise.studies.presets import load_preset

SMALL = {
    "als": {"model.factors": 8},
    "ease": {},
    "top-n": {
        "model.parts": ({"model": {"name": "dot", "factors": 8, "bias": False}, "solver": {"name": "als"}}, {"model": {"name": "ease"}})
    },
    "softmax": {"model.factors": 8, "solver.epochs": 40, "solver.batch_size": 512},
}


def likes(rated: bool = False) -> pl.DataFrame:
    """150 people of three tastes; each takes 20 of 60 items, nearly all of their taste."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(150):
        chance = np.where(np.arange(60) % 3 == user % 3, 1.0, 0.15) * rng.gamma(2, 1, 60)
        rows += [(user, int(item)) for item in rng.choice(60, 20, replace=False, p=chance / chance.sum())]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    return frame.with_columns(rating=pl.Series(1 + rng.integers(0, 5, len(rows)))) if rated else frame


@pytest.fixture(scope="module")
def tables():
    return split(lw.read(likes()), by="user", test=0.2, seed=0)


@pytest.mark.parametrize("name", SMALL)
def test_it_beats_popularity_on_lists(tables, name):
    train, test = tables
    assert load_preset(name).task == "list"
    rec = lw.fit(train, name, changes=SMALL[name], threads=1)  # steps this small lose more to threads than they gain
    popular = lw.Recommender(lw.Popularity()).fit(train)
    ours, theirs = (one.evaluate(test, baselines=False)["ndcg@10"] for one in (rec, popular))
    assert ours > theirs + 0.05
    person = rec.visitor(likes=[0, 3, 6, 9])
    assert np.mean([int(item) % 3 == 0 for item in person.recommend(6)["item_id"]]) > 0.6
    again = lw.fit(train, name, changes=SMALL[name], threads=1)
    np.testing.assert_array_equal(again.recommend(5, 10)["item_id"].to_numpy(), rec.recommend(5, 10)["item_id"].to_numpy())


def test_the_inner_split_is_spoken_of(tables):
    for name in ("als", "ease", "top-n"):
        rec = lw.fit(tables[0], name, changes=SMALL[name])
        assert any("inner split" in remark for remark in rec.notes["remarks"])


def test_bench_gives_models_of_lists_no_rating_errors(tmp_path):
    frame = likes(rated=True)
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    frame[::2].write_parquet(train)
    frame[1::2].write_parquet(test)
    for preset in ("popularity", "ease"):
        record = bench(Files(str(train), str(test)), preset, rank=True)
        assert not {"rmse", "mae", "crps"} & set(record)
        assert {"ndcg@10", "n_cold", "fit_seconds"} <= set(record)
    assert "rmse" in bench(Files(str(train), str(test)), "bias")
    done = CliRunner().invoke(app, ["bench", str(train), "--test", str(test), "--preset", "popularity", "--rank", "--json"])
    assert "rmse" not in json.loads(done.output)
