"""What was shown lately and when a list is for: left out before the cut, for people known and unknown."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.errors import InputError
from likewise.ranking.shown import Shown, seconds_of

DAY = 86_400

pytestmark = pytest.mark.usefixtures("polars_answers")


@pytest.fixture(scope="module")
def rec():
    events = {"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "c", "d"]}
    items = {
        "item_id": ["a", "b", "c", "d"],
        "available_from": [None, None, date(2024, 5, 1), None],
        "available_until": [None, date(2024, 5, 3), None, None],
    }
    return lw.Recommender(lw.Popularity()).fit(lw.read(pl.DataFrame(events), items=pl.DataFrame(items)))


def listed(frame, user):
    return frame.filter(pl.col("user_id") == user)["item_id"].to_list() if "user_id" in frame.columns else frame["item_id"].to_list()


def test_a_time_is_read_however_it_is_written():
    day = 19_844 * DAY
    for at in (day, float(day), "2024-05-01", date(2024, 5, 1), datetime(2024, 5, 1), "2024-05-01T00:00Z", f"{day}"):
        assert seconds_of(at) == day
    assert seconds_of(datetime(2024, 5, 1, tzinfo=UTC)) == day
    assert seconds_of(datetime(2024, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == day
    assert seconds_of(None) is None
    for wrong in ("tomorrow", "2024", True, [1], float("nan"), float("inf")):
        with pytest.raises(InputError, match="a time is a date"):
            seconds_of(wrong)


def test_items_come_and_go_with_the_time(rec):
    for at, wanted in (("2024-04-30", {"b", "d"}), ("2024-05-02", {"b", "c", "d"}), ("2024-05-04", {"c", "d"})):
        assert set(rec.recommend([9, 3], k=4, filter_seen=True, at=at).filter(pl.col("user_id") == 9)["item_id"]) == wanted | {"a"}
        assert set(rec.visitor(likes=["a"]).recommend(4, at=at)["item_id"]) == wanted
        crowd = rec.visitors(pl.DataFrame({"user_id": ["x"], "item_id": ["a"]}))
        assert set(crowd.recommend(4, at=at)["item_id"]) == wanted


def test_what_was_shown_is_not_shown_again(rec):
    at = 19_845 * DAY
    shown = pl.DataFrame({"user_id": [1, 1, 9, 77], "item_id": ["c", "d", "d", "a"], "timestamp": [at - 10 * DAY, at - DAY, at - DAY, at]})
    frame = rec.recommend([1, 2, 9], k=4, at=at, shown=shown)
    assert (listed(frame, 1), listed(frame, 2)) == ([], ["b", "d"])
    assert set(listed(frame, 9)) == {"a", "b", "c"}
    frame = rec.recommend([1, 9], k=4, at=at, shown=shown, shown_days=7)
    assert listed(frame, 1) == ["c"]
    assert "a" in rec.visitor(likes=["b"]).recommend(4, at=at)["item_id"]
    assert set(rec.visitor(likes=["b"]).recommend(4, at=at, shown=["a"], deny=["c"])["item_id"]) == {"d"}
    crowd = rec.visitors(pl.DataFrame({"user_id": [9, 5], "item_id": ["b", "b"]}))
    found = crowd.recommend(4, at=at, shown=shown)
    assert (set(listed(found, 9)), set(listed(found, 5))) == ({"a", "c"}, {"a", "c", "d"})


def test_bad_tables_of_what_was_shown(rec):
    with pytest.raises(InputError, match="timestamp"):
        rec.recommend(1, shown=pl.DataFrame({"user_id": [1], "item_id": ["a"]}), shown_days=1)
    with pytest.raises(InputError, match="above 0"):
        rec.recommend(1, shown=pl.DataFrame({"user_id": [1], "item_id": ["a"], "timestamp": [1]}), shown_days=0)
    with pytest.raises(InputError, match="goes with shown="):
        rec.recommend(1, shown_days=1)
    with pytest.raises(InputError, match="no column for the item"):
        rec.recommend(1, shown=pl.DataFrame({"user_id": [1]}))
    nothing = Shown.of(pl.DataFrame({"user_id": [5], "item_id": ["unheard of"]}), rec.data.items, None, None)
    np.testing.assert_array_equal(nothing.to(pl.Series([5, 1])).counts, [0, 0])
