"""Biases, axes, maps, neighbours and groups find what was planted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.errors import InputError
from likewise.insight.axes import agreement, predicted_r, principal
from likewise.insight.maps import clear_labels
from likewise.insight.neighbours import spherical_means
from likewise.models.ease import EASE
from tests.insight.worlds import HATED, LOVED, RARE, fitted, posterior, world


@pytest.fixture(params=[fitted, posterior], ids=["dot", "posterior"])
def rec(request):
    return request.param()[0]


def test_planted_biases_lead_and_two_ratings_never_do(rec):
    found = rec.insight.items()
    assert found.loved(1)["item_id"][0] == LOVED
    assert found.hated(1)["item_id"][0] == HATED
    assert RARE not in found.loved(5)["item_id"].to_list()
    assert found.frame["low"].to_list() == sorted(found.frame["low"].to_list(), reverse=True)
    assert (found.frame["low"] <= found.frame["bias"]).all() and (found.frame["bias"] <= found.frame["high"]).all()


def test_biases_count_and_mean_are_those_of_the_table():
    rec, _ = fitted()
    frame = rec.insight.items().frame.sort("item_id")
    truth = rec.data.frame().group_by("item_id").agg(pl.len().alias("count"), pl.col("rating").mean().alias("mean")).sort("item_id")
    assert frame["count"].to_list() == truth["count"].to_list()
    np.testing.assert_allclose(frame["mean"], truth["mean"], rtol=1e-5)


def test_a_model_without_biases_says_where_they_are_from():
    found = lw.Recommender(lw.Dot(factors=2, bias=False), lw.Gradient(epochs=1)).fit(world()).insight.items()
    assert "has no biases" in found.source and found.loved(1)["item_id"][0] == LOVED


def test_the_planted_axis_is_first_and_named(rec):
    first = rec.insight.axes().axes[0]
    assert set(first.name.replace(",", "").split()) >= {"Drama", "-", "Comedy"}
    assert first.r > 0.8 and first.p < 0.01
    titles = {"Drama": rec.data.item_table.filter(rec.data.item_table["genres"] == "Drama")["title"].to_list()}["Drama"]
    ends = [set(first.low["name"].head(8)), set(first.high["name"].head(8))]
    assert any(end <= set(titles) for end in ends) and any(not end & set(titles) for end in ends)


def test_an_axis_of_noise_stays_unnamed():
    rng = np.random.default_rng(0)
    r, p = predicted_r(rng.normal(size=(300, 8)), rng.normal(size=300), np.ones(300), rng)
    assert r < 0.3 and p > 0.01


def test_the_same_axis_over_seeds():
    a, b = (
        lw.Recommender(lw.Dot(factors=2), lw.Gradient(epochs=40, batch_size=128)).fit(world(), seed=s).insight.axes(n=1) for s in (0, 1)
    )
    assert agreement(a, b)[0] > 0.9


def test_principal_components_are_numpys():
    rows = np.random.default_rng(0).normal(size=(40, 5)) @ np.diag([5, 3, 1, 1, 1])
    centre, components, share = principal(rows, np.ones(40), 3)
    _, values, truth = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(centre, rows.mean(0))
    np.testing.assert_allclose(np.abs(components @ truth[:3].T), np.eye(3), atol=1e-8)
    np.testing.assert_allclose(share, values[:3] ** 2 / (values**2).sum())


def test_fewer_items_than_components_and_one_factor():
    few = lw.read({"user": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "c", "b"], "rating": [5, 1, 4, 2, 3]})
    for factors in (1, 8):
        kit = lw.Recommender(lw.Dot(factors=factors), lw.Gradient(epochs=2)).fit(few).insight
        assert len(kit.axes().axes) <= min(3, factors)
        assert all(axis.name == "unnamed" for axis in kit.axes().axes)
        assert np.isfinite(kit.map().frame.select("x", "y").to_numpy()).all()
        assert kit.clusters().frame["size"].sum() == 3
        repr(kit.axes()), repr(kit.items()), repr(kit.like("a"))


def test_without_titles_ids_are_the_names():
    rec, _ = fitted(4, titles=False, features=False)
    assert rec.insight.items().loved(1)["name"][0] == str(LOVED)
    assert {axis.name for axis in rec.insight.axes().axes} <= {"unnamed", "popular - the rest", "the rest - popular"}
    assert set(rec.insight.map().frame["name"]) <= {str(n) for n in range(60)}


def test_neighbours_share_the_kind_and_say_why(rec):
    found = rec.insight.like("Film 10", k=5).frame
    kinds = {f"Film {n}" for n in range(0, 60, 2)}
    assert len(set(found["title"]) & kinds) >= 4
    common = found.filter(pl.col("item_id") != RARE)  # its two raters may be nobody else's
    assert (common["shared_raters"] > 0).all() and found["both_liked"].drop_nulls().is_between(0, 1).all()


def test_shared_raters_are_counted():
    rec, _ = fitted()
    row = rec.insight.like("Film 10", k=3).frame.row(0, named=True)
    events = rec.data.frame()
    raters = [set(events.filter(events["item_id"] == item)["user_id"]) for item in (10, row["item_id"])]
    assert row["shared_raters"] == len(raters[0] & raters[1])


def test_groups_part_the_two_kinds(rec):
    members = rec.insight.clusters(2).members
    known = members >= 0
    kind = np.array([int(i) % 2 for i in rec.data.items.ids])
    match = (members[known] == kind[known]).mean()
    assert max(match, 1 - match) > 0.9


def test_means_on_the_sphere_part_two_directions():
    rng = np.random.default_rng(0)
    rows = np.vstack([rng.normal([5, 0], 0.3, (20, 2)), rng.normal([0, 5], 0.3, (20, 2))])
    _, group = spherical_means(rows / np.linalg.norm(rows, axis=1, keepdims=True), 2, rng)
    assert len(set(group[:20])) == len(set(group[20:])) == 1 and group[0] != group[-1]


def test_two_people_side_by_side():
    rec, _ = fitted()
    frame = rec.insight.side_by_side(0, 2)
    gap = (frame["user 0"] - frame["user 2"]).abs().to_list()
    assert gap == sorted(gap) and frame.height > 0


def test_written_labels_do_not_overlap():
    rng = np.random.default_rng(0)
    points, names = rng.random((200, 2)), ["x" * int(n) for n in rng.integers(3, 30, 200)]
    shown = np.flatnonzero(clear_labels(points, names, (1.0, 1.0), 0.01, 0.02))
    boxes = [(points[n][0], points[n][1], points[n][0] + 0.01 * len(names[n]), points[n][1] + 0.02) for n in shown]
    assert len(boxes) > 10
    for i, a in enumerate(boxes):
        assert all(a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1] for b in boxes[:i])


def test_a_visitor_on_the_map_is_where_their_list_is():
    rec, _ = fitted()
    you = rec.visitor({"Film 10": 5.0, "Film 12": 5.0, "Film 11": 1.0})
    drawn = rec.insight.map(visitor=you)
    marked = drawn.marked
    assert marked.filter(marked["kind"] == "rated").height == 3 and marked.filter(marked["kind"] == "visitor")["name"].to_list() == ["you"]
    with pytest.raises(InputError, match="only on a map of items"):
        rec.insight.map("user", visitor=you)


def test_models_without_factors_say_what_to_use():
    kit = lw.Recommender(EASE()).fit(world()).insight
    for ask in (kit.axes, kit.map, kit.clusters, lambda: kit.like("Film 10")):
        with pytest.raises(InputError, match="use a model of vectors"):
            ask()
    assert kit.items().loved(1)["item_id"][0] == LOVED


def test_a_map_of_very_many_items_says_that_it_is_a_sample(monkeypatch):
    monkeypatch.setattr("likewise.insight.maps.MOST", 20)
    from likewise.insight.maps import map_of

    rec, _ = fitted()
    drawn = map_of(rec.answers, most=20)
    assert drawn.frame.height == 20 and "20 with the most ratings of 60" in drawn.note


def test_nothing_is_both_loved_and_hated():
    few = lw.Dataset.of(pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 1, 3, 2], "rating": [5.0, 1.0, 4.0, 3.0, 2.0]}))
    found = lw.Recommender(lw.Bias()).fit(few).insight.items()
    loved, hated = (set(frame["item_id"]) for frame in (found.loved(15), found.hated(15)))
    assert loved and hated and not loved & hated
