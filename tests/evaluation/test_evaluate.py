"""The whole evaluation: what it holds, prints and compares, and EASE's published closed form through it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.protocol import Protocol, protocol
from likewise.models.base import Predictive
from tests.evaluation.planted import TableModel, dataset

KS = (1, 3)


def world(seed=0):
    """20 people and 15 items with a taste each; the true scores, and ratings that follow them."""
    rng = np.random.default_rng(seed)
    truth = 3 + rng.normal(size=(20, 15))
    rows = [(u, i, float(np.clip(np.rint(truth[u, i]), 1, 5))) for u in range(20) for i in range(15)]
    order = rng.permutation(len(rows))
    return truth, dataset([rows[n] for n in order[:200]]), dataset([rows[n] for n in order[200:]])


def test_the_true_scores_beat_noise_and_the_table_says_so():
    truth, train, test = world()
    good = evaluate(TableModel(truth), train, test, Protocol(ks=KS, positive=">=4"), name="truth")
    noise = evaluate(
        TableModel(np.random.default_rng(1).normal(size=truth.shape) + 3), train, test, Protocol(ks=KS, positive=">=4"), name="noise"
    )
    assert good["rmse"] < 0.4 < noise["rmse"]
    verdicts = {gap.name: gap.verdict for gap in good.against(noise)}
    assert verdicts["rmse"] == verdicts["ndcg@3"] == verdicts["auc"] == "better"
    assert {gap.verdict for gap in good.against(good)} == {"tied"}
    frame = good.frame
    assert frame.columns == ["figure", "value", "low", "high", "people"]
    assert {
        "recall@3",
        "capped_recall@3",
        "precision@1",
        "hit@1",
        "mrr@3",
        "map@3",
        "auc",
        "coverage@3",
        "gini@1",
        "novelty@1",
        "popularity@1",
    } <= set(frame["figure"])
    there = frame.filter(pl.col("value").is_not_nan())
    assert ((there["low"] <= there["value"] + 1e-9) & (there["value"] <= there["high"] + 1e-9)).all()
    told = json.loads(good.json)
    assert told["figures"]["rmse"]["value"] == pytest.approx(good["rmse"])
    assert told["protocol"]["positive"] == ">=4"
    assert "held-out items rated >=4, ranked among every item outside the person's history" in repr(good)
    assert "<td>rmse</td>" in good._repr_html_()
    assert "recall@1 " not in good.text(3) and "recall@3 " in good.text(3) and "lists of other lengths" in good.text(3)
    assert good.text() == repr(good)
    assert set(good.segments["segment"]) == {"user", "activity", "item"}
    assert {"rmse", "mae", "found@1"} == set(good.segments["figure"])


def test_predictions_are_limited_to_the_training_range():
    truth, train, test = world()
    wild = evaluate(TableModel(truth * 100), train, test, asked=Asked(lists=False))
    actual = test.interactions.ratings
    assert wild["rmse"] <= np.sqrt(np.mean(np.maximum(actual - 1, 5 - actual) ** 2))
    assert "ndcg@10" not in wild
    with pytest.raises(InputError, match="no figure 'ndcg@10' here; there are rmse, mae"):
        wild["ndcg@10"]


def test_a_threshold_counts_only_the_liked():
    truth, train, test = world()
    liked = evaluate(TableModel(truth), train, test, Protocol(ks=(15,), positive=">=4"), asked=Asked(ratings=False))
    people = {u for u, r in zip(test.interactions.users, test.interactions.ratings, strict=True) if r >= 4}
    assert liked.figures["recall@15"].n_people == len(people)
    assert liked["recall@15"] == 1.0


def test_sampled_figures_are_named_so():
    truth, train, test = world()
    sampled = evaluate(TableModel(truth), train, test, protocol("loo99", negatives=3), asked=Asked(ratings=False))
    assert set(sampled.values) == {"sampled_hit@10", "sampled_ndcg@10", "sampled_mrr@10"}
    assert sampled["sampled_hit@10"] == 1.0
    assert any("ranked among 3 sampled items" in line for line in sampled.cautions)
    assert "sampled_found@10" in set(sampled.segments["figure"])


def test_strangers_are_introduced_under_the_vae_protocol():
    """A stranger's folded-in score is the count in their own history, which is then left out: the rest ties, in row order."""
    train = dataset([(u, i, 5.0) for u in range(3) for i in range(10)])
    test = dataset([(9, i, 5.0) for i in range(10)])
    got = evaluate(TableModel(np.zeros((3, 10))), train, test, protocol("vae", ks=(2,)))
    assert got["recall@2"] == 1.0  # 8 of 10 introduce, the two that remain are all there is to rank
    assert got.figures["recall@2"].n_people == 1


class Certain(TableModel):
    """As `TableModel`, sure of its scores within half a star."""

    def predictive(self, people, items, context=None):
        mean = self.score_pairs(people, items)
        return Predictive(mean, np.full_like(mean, 0.5), np.full_like(mean, 0.1))


def test_distributions_are_judged_where_a_model_has_them():
    truth, train, test = world()
    sure = evaluate(Certain(truth), train, test, asked=Asked(lists=False, segments=False))
    assert {"crps", "log_score", "interval_cover_80", "ece"} <= set(sure.values)
    assert sure["crps"] < evaluate(Certain(truth[::-1]), train, test, asked=Asked(lists=False))["crps"]
    assert sure.segments.height == 0


def test_other_test_sets_are_not_compared():
    truth, train, test = world()
    a = evaluate(TableModel(truth), train, test)
    b = evaluate(TableModel(truth), train, test.select(np.arange(50)))
    with pytest.raises(InputError, match="different test sets"):
        a.against(b)


def test_the_order_of_the_test_changes_nothing():
    truth, train, test = world()
    shuffled = test.select(np.random.default_rng(3).permutation(len(test)))
    one, two = (evaluate(TableModel(truth), train, t, Protocol(ks=KS)) for t in (test, shuffled))
    assert one.values == pytest.approx(two.values, nan_ok=True)


def test_diversity_is_measured_in_item_features():
    truth, train, test = world()
    table = pl.DataFrame({"item_id": list(range(15)), "genre": ["a", "b", "c"] * 5})
    rich = Dataset(train.interactions, train.users, train.items, item_table=table)
    got = evaluate(TableModel(truth), rich, test, Protocol(ks=KS))
    assert 0 < got["diversity@3"] < 1
    assert "diversity@3" not in evaluate(TableModel(truth), train, test, Protocol(ks=KS))


def test_ease_gets_its_published_figures(data_home):
    """Steck 2019, lambda 400: four independent libraries agree on these four digits."""
    train, test = (
        Dataset.of(pl.read_parquet(data_home / "splits" / f"topn-ml-100k.{part}.parquet", columns=["user_id", "item_id"]))
        for part in ("train", "test")
    )
    seen = np.zeros((train.n_users, train.n_items))
    seen[train.interactions.users, train.interactions.items] = 1
    inverse = np.linalg.inv(seen.T @ seen + 400 * np.eye(train.n_items))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    ease = evaluate(TableModel(seen @ weights), train, test, asked=Asked(segments=False))
    assert (round(ease["ndcg@10"], 4), round(ease["recall@20"], 4), round(ease["ndcg@100"], 4)) == (0.4426, 0.3593, 0.5302)
    interval = ease.intervals["ndcg@10"]
    assert (interval.high - interval.low) / 3.92 == pytest.approx(0.009, abs=0.001)


def test_new_items_are_asked_for_where_there_are_some():
    truth, train, test = world()
    with pytest.raises(InputError, match="no items to rank"):
        evaluate(TableModel(truth), train, test, protocol("cold-items"))
    with pytest.raises(InputError, match=r"one row an item the model knows \(15\); they have 3"):
        evaluate(TableModel(truth), train, test, vectors=np.zeros((3, 2), np.float32))
