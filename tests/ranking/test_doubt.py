"""Lists by the lower bound and by a draw: against plain loops over the draws."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.errors import InputError
from likewise.ranking.doubt import POOL

pytestmark = pytest.mark.usefixtures("polars_answers")


@pytest.fixture(scope="module")
def rec() -> lw.Recommender:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 30, 600), rng.integers(0, 25, 600)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "rating": rng.integers(1, 6, 600)}).unique(["user_id", "item_id"])
    table = pl.DataFrame({"item_id": np.arange(25), "kind": ["abc"[n % 3] for n in range(25)]})
    data = lw.read(frame.sort("user_id", "item_id"), items=table)
    return lw.Recommender(lw.Dot(factors=3), lw.Gibbs(draws=24, burn_in=5, draws_kept=12, blocks=("history", "raters"))).fit(data)


def scores_of_draws(rec: lw.Recommender) -> np.ndarray:
    """[draw, user, item]"""
    people = rec.fitted.people(np.arange(rec.fitted.n_users, dtype=np.int32))
    items = np.arange(rec.fitted.n_items, dtype=np.int32)
    return np.stack([rec.fitted.draws_of_pairs(people[np.full(len(items), u)], items) for u in range(len(people))]).transpose(2, 0, 1)


def test_a_sample_is_the_list_of_one_draw_with_its_propensity(rec):
    scores, lists = scores_of_draws(rec), rec.recommend(k=4, filter_seen=False, rank_by="sample", seed=3)
    tops = np.argsort(-scores, axis=2, kind="stable")[:, :, :4]
    users, items = rec.data.users.rows(lists["user_id"]), rec.data.items.rows(lists["item_id"])
    for user in range(rec.fitted.n_users):
        mine, told = items[users == user], lists["propensity"].to_numpy()[users == user]
        assert any((tops[draw, user] == mine).all() for draw in range(len(scores)))
        np.testing.assert_allclose(told, [(tops[:, user] == item).any(1).mean() for item in mine], atol=1e-6)


def test_samples_follow_the_seed_and_the_filters(rec):
    one, two, other = (rec.recommend(k=5, rank_by="sample", seed=seed) for seed in (1, 1, 2))
    assert one.equals(two) and not one.equals(other)
    seen = set(rec.data.frame().select("user_id", "item_id").iter_rows())
    assert not seen & set(one.select("user_id", "item_id").iter_rows())
    capped = rec.recommend(k=3, rank_by="sample", caps={"kind": 1}, where="kind in ('a', 'b', 'c')", filter_seen=False)
    kinds = capped.join(rec.data.item_table, on="item_id").group_by("user_id").agg(pl.col("kind").n_unique())
    assert kinds["kind"].to_list() == [3] * rec.fitted.n_users
    strangers = rec.recommend([0, 99], k=3, rank_by="sample")
    assert strangers.filter(pl.col("user_id") == 99)["propensity"].null_count() == 3
    assert "propensity" not in rec.recommend(k=3).columns


def test_the_lower_bound_is_a_deviation_below_the_mean(rec):
    assert rec.fitted.n_items < POOL
    lists = rec.recommend(k=6, filter_seen=False, rank_by="lower")
    people, items = rec.fitted.people(np.arange(rec.fitted.n_users, dtype=np.int32)), np.arange(rec.fitted.n_items, dtype=np.int32)
    for user in range(rec.fitted.n_users):
        told = rec.fitted.predictive(people[np.full(len(items), user)], items)
        bound = rec.fitted.score(people[user][None])[0] - told.sd_mean
        mine = lists.filter(pl.col("user_id") == rec.data.users.id(user))["item_id"]
        np.testing.assert_allclose(bound[rec.data.items.rows(mine)], np.sort(bound)[::-1][:6], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank_by": "best"}, "must be 'mean', 'lower' or 'sample'"),
        ({"rank_by": "lower", "rerank": lw.Rerank(diversity=0.5)}, "give one of them"),
        ({"rank_by": "lower", "caps": {"kind": 1}}, "takes no caps"),
    ],
)
def test_what_cannot_be_is_refused(rec, options, said):
    with pytest.raises(InputError, match=said):
        rec.recommend(0, **options)


def test_a_point_has_no_draws():
    frame = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 2], "rating": [1.0, 2.0, 3.0]})
    for way in ("lower", "sample"):
        with pytest.raises(InputError, match=f"rank_by='{way}' needs a posterior"):
            lw.Recommender(lw.Bias()).fit(frame).recommend(1, rank_by=way)
