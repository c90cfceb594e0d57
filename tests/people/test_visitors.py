"""People and items never trained on: one by one, in bulk, by id from a table; over every model of the registry."""

import numpy as np
import polars as pl
import pytest

from likewise.answers import Answers
from likewise.errors import AmbiguousTitleError, InputError, UnknownIdError
from likewise.models.dot import Dot
from likewise.people.new_item import new_item
from likewise.people.questions import questions
from likewise.people.visitor import visitor
from likewise.people.visitors import visitors
from likewise.recommender import Recommender
from likewise.solvers.gradient import Gradient
from tests.contract.cases import cases, data, digest, fitted

pytestmark = pytest.mark.filterwarnings("ignore:.*pandas.*")
FRAME = pl.DataFrame({"user_id": ["ann", "ann", "bob", "ann"], "item_id": [4, 11, 7, 4], "rating": [5.0, 2.0, 0.5, 4.0]})


@pytest.fixture(params=cases(), ids=str)
def case(request):
    return request.param


@pytest.fixture
def answers(case):
    return Answers(fitted(case), data(case.rated))


@pytest.fixture(scope="module")
def rec():
    return Recommender(Dot(factors=4), Gradient(epochs=5, batch_size=256)).fit(data())


def as_polars(frame):
    return frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)


def test_many_at_once_are_answered_as_one_by_one(case, answers):
    before = digest(answers.fitted)
    frame = FRAME if case.rated else FRAME.drop("rating")
    crowd = visitors(answers, frame)
    lists = as_polars(crowd.recommend(3))
    for name, said in (("ann", {11: 2.0, 4: 4.0}), ("bob", {7: 0.5})):
        one = visitor(answers, said) if case.rated else visitor(answers, likes=list(said))
        alone = as_polars(one.recommend(3))
        mine = lists.filter(pl.col("user_id") == name)
        np.testing.assert_allclose(mine["score"].to_numpy(), alone["score"].to_numpy(), atol=1e-4)
        assert mine["rank"].to_list() == [1, 2, 3]
        assert set(mine["source"]) == {"folded"}
        assert not set(said) & set(mine["item_id"])
        pairs = pl.DataFrame({"user_id": [name] * 3, "item_id": [1, 2, 3]})
        np.testing.assert_allclose(as_polars(crowd.predict(pairs))["score"].to_numpy(), one.predict([1, 2, 3]), atol=1e-4)
    assert digest(answers.fitted) == before


def test_reasons_of_a_visitor_add_up(case, answers):
    one = visitor(answers, {11: 2.0, 4: 4.0, 20: 5.0}) if case.rated else visitor(answers, likes=[11, 4, 20])
    found = one.explain(9)
    parts = found.parts
    total = parts.mean + parts.user + parts.item + float(parts.taste.sum()) + sum(parts.extra.values()) + parts.residual
    assert total == pytest.approx(parts.score, abs=1e-4)
    assert found.response == pytest.approx(one.predict(9), abs=1e-4)
    assert found.sentence()
    assert len(found.strongest(2)) == 2
    assert as_polars(one.recommend(2, explain=True))["because"].null_count() == 0


def test_a_new_item_is_scored_for_everybody(case, answers):
    before = digest(answers.fitted)
    item = new_item(answers, {1: 5.0, 2: 4.5, 3: 5.0, "nobody": 1.0}, title="New")
    assert item.unknown == ("nobody",)
    scores = item.predict(list(range(10)))
    assert scores.shape == (10,)
    assert np.isfinite(scores).all()
    fans = as_polars(item.fans(5))
    assert fans["user_id"].n_unique() == 5
    assert not set(fans["user_id"]) & {1, 2, 3}
    assert (np.diff(fans["score"].to_numpy()) <= 1e-6).all()
    if answers.fitted.factors("item") is not None:
        near = as_polars(item.similar_items(4))
        assert near.height == 4
        assert set(near["item_id"]) <= set(range(30))
    assert digest(answers.fitted) == before


def test_questions_are_for_every_model(case, answers):
    one = visitor(answers, {4: 4.0}) if case.rated else visitor(answers, likes=[4])
    asked = questions(answers, one.history, np.array([7], np.int32), 28)
    assert asked.height == 28
    assert asked["item_id"].n_unique() == 28
    assert not {4, 7} & set(asked["item_id"])
    assert (asked["gain"] >= 0).all()
    assert asked["chance"].is_between(0, 1).all()


def test_rating_one_more_moves_the_answer_and_the_earlier_visitor_stays(rec):
    first = rec.visitor({4: 5.0})
    second = first.rate(9, 0.5)
    assert second.predict(9) < first.predict(9)
    assert len(first.history.rows) == 1
    again = second.rate(9, 5.0)
    assert len(again.history.rows) == 2
    assert again.predict(9) > second.predict(9)
    assert second.not_seen(3).unseen == (3,)
    assert second.not_seen(3).rate(3, 4.0).unseen == ()


def test_nothing_known_gives_the_populations_answer(rec):
    nobody = rec.visitor()
    assert nobody.source == "cold"
    assert nobody.predict(4) == pytest.approx(float(rec.predict("a stranger", 4)), abs=1e-4)
    assert as_polars(rec.visitors(FRAME.clear()).recommend(3)).height == 0


def test_bad_input_gets_one_clear_line(rec):
    for wrong in (float("nan"), 9.0, -1.0, "good"):
        with pytest.raises(InputError, match="rating of 4 must be"):
            rec.visitor({4: wrong})
    with pytest.raises(InputError, match="ratings must be from"):
        rec.visitors(FRAME.with_columns(rating=pl.lit(9.0)))
    with pytest.raises(InputError, match=r"without user features|no user feature"):
        rec.visitor(features={"shoe size": 44})
    with pytest.raises(InputError, match="half_life"):
        rec.visitor(history=[4, 5], half_life=3)
    with pytest.raises(UnknownIdError):
        rec.visitor().rate(999, 3.0)
    with pytest.raises(UnknownIdError, match="not among these"):
        rec.visitors(FRAME).predict(pl.DataFrame({"user_id": ["eve"], "item_id": [1]}))
    with pytest.raises(InputError, match="n must be"):
        rec.visitor().questions(0)


def test_unknown_items_are_used_not_and_reported(rec):
    one = rec.visitor({4: 5.0, 999: 1.0})
    assert one.unknown == (999,)
    assert one.predict(9) == pytest.approx(rec.visitor({4: 5.0}).predict(9))
    crowd = rec.visitors(pl.concat([FRAME, pl.DataFrame({"user_id": ["eve"], "item_id": [999], "rating": [3.0]})]))
    assert crowd.unknown["item_id"].to_list() == [999]
    assert set(as_polars(crowd.recommend(2)).filter(pl.col("user_id") == "eve")["source"]) == {"cold"}


def test_a_title_may_stand_for_an_id():
    titled = Recommender(Dot(factors=2), Gradient(epochs=1)).fit(with_titles())
    one = titled.visitor({"Film 4": 5.0})
    assert one.history.rows.tolist() == [4]
    crowd = titled.visitors({"user_id": ["x"], "item_id": ["Film 4"], "rating": [5.0]})
    assert crowd.histories.rows.tolist() == [4]
    with pytest.raises(AmbiguousTitleError):
        titled.visitor({"Twice": 3.0})


def with_titles():
    from dataclasses import replace

    titles = [f"Film {n}" for n in range(28)] + ["Twice", "Twice"]
    return replace(data(), item_table=pl.DataFrame({"item_id": np.arange(30), "title": titles}))


def test_recent_entries_move_the_list(rec):
    day = 86_400
    said = [(4, 5.0, 0), (11, 5.0, day), (20, 0.5, 400 * day), (7, 0.5, 401 * day)]
    flat, recent = rec.visitor(history=said), rec.visitor(history=said, half_life=30)
    old_only = rec.visitor(history=said[:2])
    assert recent.history.weights is not None
    np.testing.assert_allclose(recent.history.weights, np.exp2(-np.array([401, 400, 1, 0]) / 30), rtol=1e-5)
    everything = list(range(30))
    distance = [np.abs(v.predict(everything) - old_only.predict(everything)).sum() for v in (flat, recent)]
    assert distance[1] > distance[0]
    crowd = rec.visitors({"user_id": ["x"] * 4, "item_id": [i for i, _, _ in said], "rating": [r for _, r, _ in said],
                          "timestamp": [t for _, _, t in said]}, half_life=30)  # fmt: skip
    np.testing.assert_allclose(crowd.histories.weights, recent.history.weights, rtol=1e-5)


def test_known_users_side_by_side(rec):
    found = rec.compare_users(3, 7, k=4)
    events = data().interactions
    mine, theirs = (set(events.items[events.users == u].tolist()) for u in (3, 7))
    assert set(found.both["item_id"]) == mine & theirs
    assert set(found.for_a["item_id"]) <= theirs - mine
    assert set(found.for_b["item_id"]) <= mine - theirs
    assert found.for_a.height <= 4
    assert (np.diff(found.for_a["score"].to_numpy()) <= 1e-6).all()
    with pytest.raises(UnknownIdError):
        rec.compare_users(3, 1000)


def test_known_users_lists_can_say_why(rec):
    lists = as_polars(rec.recommend([3, 7, "a stranger"], k=2, explain=True))
    assert lists["because"].null_count() == 0
    assert "because you gave" in lists["because"][0] or "well liked" in lists["because"][0]
    words = {"because": "weil du {items} gabst", "one": "{title} {rating:g}", "and": " und ", "popular": "beliebt", "liked": "{items}"}
    assert rec.explain(3, 9).sentence(words=words).startswith(("weil du", "beliebt"))


def test_somebody_unknown_gets_what_is_popular_in_the_order_of_its_scores(rec):
    lists = as_polars(rec.recommend(["nobody", "no one"], k=8))
    counts = np.bincount(rec.data.interactions.items)
    assert set(lists["source"]) == {"cold"}
    for mine in lists.partition_by("user_id"):
        assert mine["rank"].to_list() == list(range(1, 9))
        assert mine["score"].to_list() == sorted(mine["score"], reverse=True)
        assert counts[rec.data.items.rows(mine["item_id"])].min() >= np.sort(counts)[-8]
