"""Popularity: counts, weights and ageing."""

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.popularity import Popularity
from likewise.shapes import NO_TIME

DAY = 86_400
EVENTS = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": ["a", "b", "a", "b"], "timestamp": [10 * DAY, 20 * DAY, 0, 20 * DAY]})


def test_counts_events_and_weights():
    assert Popularity().solve(Dataset.of(EVENTS)).counts.tolist() == [2, 2]
    assert Popularity().solve(Dataset.of(EVENTS.with_columns(weight=pl.Series([1.0, 2.0, 0.5, 0.0])))).counts.tolist() == [1.5, 2]


def test_half_life_is_in_days_before_the_newest_event():
    fitted = Popularity(half_life=10).solve(Dataset.of(EVENTS))
    np.testing.assert_allclose(fitted.counts, [0.5 + 0.25, 2.0])
    new = Histories(np.array([0, 2], np.int64), np.array([0, 1], np.int32), times=np.array([10 * DAY, 99 * DAY], np.int64))
    np.testing.assert_allclose(fitted.with_items(np.array([1], np.int32), new).counts, [0.75, 1.5])


def test_events_without_a_time_are_as_old_as_the_middle_one():
    frame = EVENTS.with_columns(timestamp=pl.Series([10 * DAY, None, 0, 20 * DAY]))
    np.testing.assert_allclose(Popularity(half_life=10).solve(Dataset.of(frame)).counts, [0.75, 1.5])


def test_bad_input():
    with pytest.raises(InputError, match="half_life must be a positive number of days"):
        Popularity(half_life=0)
    with pytest.raises(InputError, match="needs times"):
        Popularity(half_life=5).solve(Dataset.of(EVENTS.drop("timestamp")))
    assert Popularity(half_life=5).solve(Dataset.of(EVENTS)).newest != NO_TIME
