import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.readers import read
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError

DAY = 86_400
EVENTS = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "bob", "cid"],
        "item_id": [7, 9, 7, 8],
        "rating": [5.0, 3.0, 4.0, 2.5],
        "timestamp": [3 * DAY, None, 5 * DAY + 1, DAY],
        "place": ["home", None, "home", "work"],
    }
)
ITEMS = pl.DataFrame({"item_id": [9, 7, 100], "title": ["Nine", "<b>Seven</b>", "Unrated"], "size": [1.0, 2.0, 3.0]})
TAGS = pl.DataFrame({"user_id": ["ann", "bob", "bob", "zed"], "item_id": [7, 7, 9, 8], "tag": ["Red", "red", "blue", "odd"]})


@pytest.fixture
def data():
    return read(EVENTS, context=["day", "place"], items=ITEMS, tags=TAGS)


def test_frame_gives_back_what_was_read(data):
    frame = data.frame()
    assert frame.columns == ["user_id", "item_id", "rating", "timestamp", "day", "place"]
    assert frame.drop("day", "rating").equals(EVENTS.drop("rating"))
    assert frame["day"].to_list() == [3, None, 5, 1]
    assert frame["rating"].to_list() == EVENTS["rating"].to_list()


def test_titles_follow_the_vocabulary(data):
    assert data.items.ids.to_list() == [7, 8, 9]
    assert data.titles.to_list() == ["<b>Seven</b>", "8", "Nine"]
    assert data.report.notes == ("1 of 3 items have no row in the item table",)
    assert read(EVENTS).titles is None


def test_tags_count_only_where_the_pair_is_there(data):
    block = data.item_features["tags"]
    assert block.columns == ("tags=red",)  # bob never rated 9, zed nothing
    assert block.matrix.counts.tolist() == [1, 0, 0]
    without_seven = data.select(np.array([False, True, False, True]))
    assert [b.name for b in without_seven.item_features.blocks] == ["size"]


def test_tags_without_an_item_table():
    assert read(EVENTS, tags=TAGS).item_features.columns == ["tags=red"]
    assert read(EVENTS).item_features is None and read(EVENTS).user_features is None


def test_select_makes_vocabularies_compact(data):
    some = data.select(np.array([True, False, False, True]))
    assert some.users.ids.to_list() == ["ann", "cid"] and some.items.ids.to_list() == [7, 8]
    assert some.contexts["day"].ids.to_list() == [1, 3]
    assert some.frame().equals(data.frame()[[0, 3]])
    assert some.rating_range == (2.5, 5.0) and some.report.rows_kept == 2
    one = data.select(np.array([1]))
    assert one.contexts["place"].ids.to_list() == [] and one.interactions.context["place"].tolist() == [-1]
    assert one.frame()["place"].to_list() == [None]


def test_features_are_fitted_on_the_selected_ids_alone(data):
    some = data.select(np.array([1, 3]))
    np.testing.assert_allclose(some.item_features["size"].matrix.toarray(), [[0, 1], [0, 0]])  # 8 has no row; 9 alone is its own mean


def test_encode_marks_what_is_unknown(data):
    pairs = data.encode({"user": ["ann", "new", "cid"], "item": ["7", 8, 55], "timestamp": [5 * DAY, 3 * DAY, 77 * DAY]})
    assert pairs.users.tolist() == [0, -1, 2] and pairs.items.tolist() == [0, 1, -1]
    assert pairs.known.tolist() == [True, False, False]
    assert pairs.context["day"].tolist() == [2, 1, -1] and pairs.context["place"].tolist() == [-1, -1, -1]
    assert pairs.ratings is None and len(pairs.select(pairs.known)) == 1
    assert data.encode([("ann", 7), ("bob", 8)]).items.tolist() == [0, 1]
    assert data.encode(data).context["day"].tolist() == data.interactions.context["day"].tolist()


def test_over_another_vocabulary(data):
    part, rest = data.select(np.array([0, 1])), data.select(np.array([2, 3]))
    seen = data.over(part)
    assert seen.users is part.users and seen.frame().equals(part.frame())
    assert "2 events left out" in seen.report.notes[-1]
    assert len(rest.over(part)) == 0


def test_range_is_the_stated_or_what_occurs(data):
    assert data.rating_range == (2.5, 5.0)
    assert read(EVENTS, range=(0.5, 5)).select(np.array([0])).rating_range == (0.5, 5)
    assert read(EVENTS, rating=False).rating_range is None and not read(EVENTS, rating=False).explicit


def test_corner_shows_the_densest_with_gaps(data):
    corner = data.corner(2)
    assert corner.columns == ["user_id", "<b>Seven</b>", "8"] and corner["user_id"].to_list() == ["ann", "bob"]
    assert corner.rows() == [("ann", 5.0, None), ("bob", 4.0, None)]
    assert read(EVENTS, rating=False).corner(50).shape == (3, 4)
    doubled = ITEMS.with_columns(pl.lit("Same").alias("title"))
    assert read(EVENTS, items=doubled).corner(3).columns == ["user_id", "Same [7]", "8 [8]", "Same [9]"]
    with pytest.raises(InputError, match="at least 1"):
        data.corner(0)


def test_fingerprint_tells_data_apart(data):
    again = read(EVENTS, context=["day", "place"], items=ITEMS, tags=TAGS)
    assert again.fingerprint == data.fingerprint
    assert data.fingerprint != data.select(np.array([0, 1, 2])).fingerprint != read(EVENTS).fingerprint


def test_what_people_look_at(data):
    assert "users      3" in repr(data) and "1970-01-02 to 1970-01-06" in repr(data)
    html = read(EVENTS, items=ITEMS.rename({"size": "<i>"}))._repr_html_()
    assert "&lt;i&gt;" in html and "<i>" not in html
    assert "4 read, 4 kept" in repr(data.report) and "<table>" in data.report._repr_html_()


def test_parts_that_do_not_fit_are_refused(data):
    events = Interactions(np.zeros(1, np.int32), np.zeros(1, np.int32), 1, 1)
    with pytest.raises(InputError, match="do not fit vocabularies"):
        Dataset(events, Vocabulary.of([1, 2]), Vocabulary.of([1]))
    with pytest.raises(InputError, match="context"):
        Dataset(events, Vocabulary.of([1]), Vocabulary.of([1]), contexts={"day": Vocabulary.of([1])})


def test_nothing_is_edited(data):
    before = data.fingerprint
    data.select(np.array([0])), data.over(data.select(np.array([0]))), data.corner(), data.encode(EVENTS), data.item_features
    fresh = Dataset(data.interactions, data.users, data.items, contexts=data.contexts)
    assert fresh.fingerprint == before
