import numpy as np
import pytest

from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.shapes import NO_TIME


def events(**columns):
    base = {"users": np.array([1, 0, 1], np.int32), "items": np.array([2, 2, 0], np.int32), "n_users": 2, "n_items": 3}
    return Interactions(**{**base, **columns})


def test_histories_are_in_time_order():
    both = events(times=np.array([9, 5, 3], np.int64), ratings=np.array([1, 2, 3], np.float32))
    assert both.by_user.rows.tolist() == [2, 0, 2]
    assert both.by_user.ratings.tolist() == [2, 3, 1]
    assert both.by_user.times.tolist() == [5, 3, 9]
    assert both.by_item.rows.tolist() == [1, 0, 1]
    assert both.by_item.counts.tolist() == [1, 0, 2]


def test_without_times_they_are_in_the_order_read():
    for times in (None, np.full(3, NO_TIME)):
        assert events(times=times).by_user.rows.tolist() == [2, 2, 0]


def test_taking_and_keeping():
    histories = Histories.of({3: 5.0, 1: 2.0}, {4: 1.0})
    assert histories.take(np.array([1, -1], np.int32)).counts.tolist() == [1, 0]
    kept = histories.keep(np.array([False, True, False]))
    assert kept.rows.tolist() == [1] and kept.counts.tolist() == [1, 0]
    assert histories.csr(5).toarray()[0].tolist() == [0, 2, 0, 5, 0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ratings": np.zeros(2, np.float32)}, "ratings must have one value an event"),
        ({"ratings": np.array([1, np.nan, np.inf], np.float32)}, "ratings must be finite; 2 of 3"),
        ({"weights": np.array([1, -2, 0], np.float32)}, "weights must not be negative; the least is -2"),
        ({"n_users": 1}, r"users must be rows in \[0, 1\); found 0 to 1"),
        ({"items": np.array([-1, 0, 0], np.int32)}, "items must be rows"),
        ({"context": {"day": np.zeros(1, np.int32)}}, "day must have one value"),
    ],
)
def test_bad_columns_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        events(**columns)
