"""Learning from new events and forgetting people: who moves, who stays bit for bit, what the files hold."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from likewise.answers import Answers
from likewise.data.dataset import Dataset
from likewise.data.growth import extended
from likewise.errors import InputError, UnknownIdError
from likewise.models.bias import Bias
from likewise.models.dot import Dot
from likewise.models.registry import model_settings
from likewise.people.forget import forget
from likewise.people.update import update
from likewise.recommender import Recommender
from likewise.solvers.gradient import Gradient
from tests.contract.cases import cases, data, digest, fitted

NEW = pl.DataFrame(
    {
        "user_id": [3, 3, 60, 60, 61, 7],
        "item_id": [4, 9, 4, 40, 9, 40],
        "rating": [0.5, 5.0, 4.0, 3.0, 2.0, 5.0],
        "timestamp": [1_600_000_000 + n for n in range(6)],
    }
)


@pytest.fixture(params=cases(), ids=str)
def case(request):
    return request.param


def fresh(rated=True):
    return Dataset.of(NEW if rated else NEW.drop("rating"))


def test_tables_grow_and_pairs_nobody_touched_keep_their_score(case):
    """Bit for bit for models of rows; a closed form is solved again and says so."""
    model, known = fitted(case), data(case.rated)
    done = update(Answers(model, known), case.solving(), fresh(case.rated))
    assert (done.new_users, done.new_items, done.touched_users, done.touched_items, done.events) == (2, 1, 4, 3, 6)
    assert (done.answers.fitted.n_users, done.answers.fitted.n_items) == (52, 31)
    grown = done.answers.fitted
    users = np.setdiff1d(np.arange(50), [3, 7]).astype(np.int32)
    items = np.setdiff1d(np.arange(30), [4, 9]).astype(np.int32)
    scores = grown.score(grown.people(np.arange(52, dtype=np.int32)))
    assert np.isfinite(scores).all()
    if case.solver == "closed_form":
        assert "solved again" in done.notes[0]
    elif type(model).__name__ not in HISTORIES:
        np.testing.assert_array_equal(grown.score(grown.people(users), items), model.score(model.people(users), items))
    assert digest(model) == digest(fitted(case))


HISTORIES = frozenset({"FittedAutoRec", "FittedBlend"})
"""Models in which people are histories, or a part of them is: an item that moves changes what every history is read with."""


def test_folding_in_moves_nobody_who_was_there(case):
    model, known = fitted(case), data(case.rated)
    done = update(Answers(model, known), case.solving(), fresh(case.rated), rounds=0)
    everybody, items = np.arange(50, dtype=np.int32), np.arange(30, dtype=np.int32)
    grown = done.answers.fitted
    np.testing.assert_allclose(grown.score(grown.people(everybody), items), model.score(model.people(everybody), items), atol=1e-5)


def test_the_touched_follow_what_they_said():
    rec = Recommender(Dot(factors=4), Gradient(epochs=20, batch_size=256)).fit(data())
    low, high = (rec.update({"user": [3, 60], "item": [4, 40], "rating": [rating, 3.0]}) for rating in (0.5, 5.0))
    assert low.predict(3, 4) < high.predict(3, 4) - 0.1
    after = low
    assert rec.data.n_users == 50
    assert after.predict(pl.DataFrame({"user_id": [60], "item_id": [40]}))["source"][0] == "known"
    assert after.notes["update"]["events"] == 2


def test_old_events_count_less_with_a_half_life():
    rec = Recommender(Dot(factors=4), Gradient(epochs=20, batch_size=256)).fit(data())
    flat, recent = rec.update(fresh()), rec.update(fresh(), half_life=10.0)
    assert recent.predict(3, 9) > flat.predict(3, 9)
    assert recent.predict(3, 4) < flat.predict(3, 4)


def test_one_event_is_enough_and_the_later_one_replaces():
    rec = Recommender(Bias()).fit(data())
    before = len(rec.data)
    once = rec.update({"user_id": [3], "item_id": [4], "rating": [5.0]})
    again = once.update({"user_id": [3], "item_id": [4], "rating": [0.5]})
    assert len(again.data) == len(once.data) <= before + 1
    assert again.predict(3, 4) < once.predict(3, 4)


def test_what_cannot_be_learned_from_is_refused():
    answers = Answers(Bias().solve(data()), data())
    solver = Recommender(Bias()).solver
    with pytest.raises(InputError, match="no events"):
        update(answers, solver, Dataset.of(NEW.clear()))
    with pytest.raises(InputError, match="learned from ratings"):
        update(answers, solver, fresh(rated=False))
    with pytest.raises(InputError, match="user ids of the model are int"):
        update(answers, solver, Dataset.of(NEW.with_columns(user_id=pl.lit("ann"))))
    with pytest.raises(InputError, match="rounds"):
        update(answers, solver, fresh(), rounds=-1)


def test_features_stay_encoded_as_in_training_also_in_an_artifact(tmp_path):
    rows = {"item_id": [40], "genres": ["Opera|Comedy"], "year": [2030]}
    new = replace(fresh(), item_table=pl.DataFrame(rows), user_table=pl.DataFrame({"user_id": [60], "age": [99], "job": ["pilot"]}))
    rec = Recommender(model_settings("two-tower")(factors=4), Gradient(epochs=1)).fit(data())
    after = rec.update(new)
    after.save(tmp_path / "model")
    restored = Recommender.load(tmp_path / "model")
    for grown in (after, restored):
        for side in ("user_features", "item_features"):
            old, features = getattr(rec.data, side), getattr(grown.data, side)
            assert features.columns == old.columns
            np.testing.assert_array_equal(features.design().take(np.arange(30, dtype=np.int32)).toarray(), old.design().toarray()[:30])
    assert "genres=Comedy" in rec.data.item_features.columns
    assert after.data.item_features.design().toarray()[30].sum() != 0
    pairs = pl.DataFrame({"user_id": [60, 3], "item_id": [40, 4]})
    np.testing.assert_array_equal(restored.predict(pairs)["score"], after.predict(pairs)["score"])


def test_ids_that_only_a_table_knows_are_answered_from_features():
    rec = Recommender(model_settings("two-tower")(factors=4), Gradient(epochs=3)).fit(with_strangers())
    found = rec.predict(pl.DataFrame({"user_id": [3, 70, 3, 80], "item_id": [4, 4, 50, 4]}))
    assert found["source"].to_list() == ["known", "features", "features", "cold"]
    assert found["score"].n_unique() == 4
    lists = rec.recommend(pl.Series([70, 80]), k=2)
    assert lists["source"].to_list() == ["features", "features", "cold", "cold"]
    named = rec.visitor(features={"age": 33, "job": "clerk"})
    assert named.source == "features"
    assert named.predict(4) == pytest.approx(found["score"][1], abs=1e-5)
    item = rec.new_item(features={"genres": "Comedy", "year": 1999})
    assert item.source == "features"
    assert item.predict(3) == pytest.approx(found["score"][2], abs=1e-5)


def with_strangers():
    users = pl.concat([data().user_table, pl.DataFrame({"user_id": [70], "age": [33], "job": ["clerk"]})])
    items = pl.concat([data().item_table, pl.DataFrame({"item_id": [50], "genres": ["Comedy"], "year": [1999]})])
    return replace(data(), user_table=users, item_table=items)


# ---- forgetting ------------------------------------------------------------------------------------------------------------------


def named(frame):
    return frame.with_columns(user_id=pl.format("person-{}", "user_id"))


def test_nothing_of_the_forgotten_is_in_any_file(tmp_path):
    tags = pl.DataFrame({"user_id": ["person-7", "person-8"], "item_id": [4, 4], "tag": ["mine", "yours"]})
    events = Dataset.of(named(data().frame()), user_table=named(data().user_table), tag_table=tags)
    for number, rec in enumerate((Recommender(Dot(factors=4), Gradient(epochs=2)), Recommender(Bias()))):
        rec.fit(events)
        others = pl.DataFrame({"user_id": ["person-8", "person-9"], "item_id": [4, 5]})
        after = rec.forget("person-7")
        folder = tmp_path / str(number)
        after.save(folder)
        for path in folder.iterdir():
            text = str(pl.read_parquet(path).to_dicts()) if path.suffix == ".parquet" else path.read_bytes().decode("latin-1")
            assert "person-7'" not in text
            assert 'person-7"' not in text
            assert "mine" not in text
        events_of_7 = int((rec.data.interactions.users == rec.data.users.row("person-7")).sum())
        assert len(after.data) == len(rec.data) - events_of_7
        assert after.notes["forgotten"]["events"] == events_of_7
        assert after.notes["forgotten"]["remembers"]
        with pytest.raises(UnknownIdError):
            after.explain("person-7", 4)
        if number == 0:
            np.testing.assert_array_equal(after.predict(others)["score"], rec.predict(others)["score"])
        stranger = after.predict(pl.DataFrame({"user_id": ["person-7"], "item_id": [4]}))
        assert stranger["source"][0] == "cold"
        with pytest.raises(UnknownIdError):
            after.forget("person-7")
        assert after.forget("person-8").data.n_users == rec.data.n_users


def test_forgetting_leaves_the_others_where_they_were(case):
    model, known = fitted(case), data(case.rated)
    done = forget(Answers(model, known), 7, case.solving())
    assert 7 not in known.users.ids.to_list() or 7 not in done.answers.data.users.ids.to_list()
    after = done.answers.fitted
    everybody = np.arange(-1, 50, dtype=np.int32)
    scores = after.score(after.people(everybody))
    if case.solver != "closed_form":
        others = np.setdiff1d(np.arange(51), [8])
        np.testing.assert_allclose(scores[others], model.score(model.people(everybody))[others], atol=1e-5)
        np.testing.assert_allclose(scores[8], scores[0], atol=1e-5)


def test_growth_keeps_rows_and_replaces_what_is_said_again():
    grown = extended(data(), fresh())
    assert grown.users.ids[:50].to_list() == data().users.ids.to_list()
    pairs = set(zip(grown.interactions.users.tolist(), grown.interactions.items.tolist(), strict=True))
    assert len(pairs) == len(grown)
    place = (grown.interactions.users == 3) & (grown.interactions.items == 9)
    assert grown.interactions.ratings[place].tolist() == [5.0]
