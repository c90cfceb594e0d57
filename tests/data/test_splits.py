import logging

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from likewise.data.dataset import Dataset
from likewise.data.readers import read
from likewise.data.splits import cold_ids, folds, held_out_events, split
from likewise.errors import InputError

KINDS = ["random", "user", "last", "time", "cold-users", "cold-items"]


def made(pairs, seed=0):
    rng = np.random.default_rng(seed)
    users, items = zip(*pairs, strict=True)
    return Dataset.of(pl.DataFrame({"user_id": users, "item_id": items, "timestamp": rng.integers(0, 50, len(pairs))}))


PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=25, unique=True)


@given(PAIRS, st.sampled_from(KINDS), st.sampled_from([0.2, 0.5, 3]), st.integers(0, 3))
def test_parts_partition_the_events(pairs, by, test, seed):
    data = made(pairs, seed)
    try:
        train, held_out = split(data, by, test, seed)
    except InputError:
        assert by != "random"
        return
    assert sorted(train.frame().rows() + held_out.frame().rows()) == sorted(data.frame().rows())
    for part in (train, held_out):
        assert set(part.interactions.users.tolist()) == set(range(part.n_users))
        assert set(part.interactions.items.tolist()) == set(range(part.n_items))
    again, _ = split(data, by, test, seed)
    assert again.fingerprint == train.fingerprint
    cold = cold_ids(train, held_out)
    assert set(cold.users) == set(held_out.users.ids) - set(train.users.ids)
    assert set(cold.items) == set(held_out.items.ids) - set(train.items.ids)
    naive = sum(u in set(cold.users) or i in set(cold.items) for u, i, _ in held_out.frame().rows())
    assert cold.events == naive and f"in {naive:,} of its events" in held_out.report.notes[-1]


@given(PAIRS, st.integers(2, 5), st.sampled_from(["random", "user"]))
def test_folds_hold_each_event_out_once(pairs, k, by):
    data = made(pairs)
    held = [row for _, test in folds(data, k, by) for row in test.frame().rows()]
    assert sorted(held) == sorted(data.frame().rows())
    sizes = [len(test) for _, test in folds(data, k, by)]
    assert max(sizes) - min(sizes) <= 1


@given(PAIRS, st.sampled_from([1, 2]))
def test_last_holds_out_the_latest_of_each_user(pairs, n):
    data = made(pairs)
    held_out = held_out_events(data, "last", n)
    events = data.interactions
    for user in range(data.n_users):
        own = np.flatnonzero(events.users == user)
        latest = sorted(own, key=lambda e: (events.times[e], e))
        assert set(latest[max(len(own) - n, 1) :]) == set(own[held_out[own]])


@given(PAIRS)
def test_shares_of_each_user(pairs):
    data = made(pairs)
    held_out = held_out_events(data, "user", 0.3)
    for user in range(data.n_users):
        own = data.interactions.users == user
        assert held_out[own].sum() == min(np.rint(0.3 * own.sum()), own.sum() - 1)


def test_time_cuts_between_two_moments():
    frame = pl.DataFrame({"user_id": range(10), "item_id": range(10), "timestamp": [5, 1, 2, 9, 9, 9, 3, None, 4, 0]})
    train, test = split(Dataset.of(frame), "time", 0.2)
    assert sorted(test.frame()["timestamp"].to_list()) == [9, 9, 9]
    assert train.frame()["timestamp"].null_count() == 1


def test_the_default_follows_the_times(caplog):
    with caplog.at_level(logging.INFO, "likewise.data"):
        split(made([(u, i) for u in range(8) for i in range(8)]))
        assert "split by time" in caplog.text
        split(Dataset.of(pl.DataFrame({"user_id": [1] * 20, "item_id": range(20)})))
    assert "split by random" in caplog.text


def test_cold_users_and_items_are_wholly_held_out():
    data = made([(u, i) for u in range(10) for i in range(10)])
    train, test = split(data, "cold-users", 0.3)
    assert not set(train.users.ids) & set(test.users.ids) and test.n_users == 3
    train, test = split(data, "cold-items", 2)
    assert not set(train.items.ids) & set(test.items.ids) and test.n_items == 2


def test_nothing_leaks_from_test_to_train():
    events = {
        "user": [1, 1, 2, 2, 3],
        "item": [5, 6, 5, 7, 8],
        "rating": [1, 2, 3, 9, 9],
        "timestamp": [86400 * n for n in (1, 2, 3, 8, 9)],
    }
    items = pl.DataFrame({"item_id": [5, 6, 7, 8], "genre": ["a", "b", "c", "d"], "size": [1.0, 3.0, 1e9, 1e9]})
    tags = {"user": [1, 2], "item": [5, 7], "tag": ["early", "late"]}
    data = read(events, items=items, tags=tags, context=["day"])
    train, test = split(data, "time", 2)
    assert train.rating_range == (1, 3) and train.contexts["day"].ids.to_list() == [1, 2, 3]
    assert train.item_features.columns == ["genre=a", "genre=b", "size", "size missing", "tags=early"]
    np.testing.assert_allclose(train.item_features["size"].matrix.toarray()[:, 0], [-1, 1])
    assert train.encode(test).context["day"].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("by", "test", "message"),
    [
        ("weekday", 0.1, "by must be one of random, user, last, time, cold-users, cold-items; got 'weekday'"),
        ("random", 0, "a share between 0 and 1, or a whole number"),
        ("random", 1.5, "whole number"),
        ("random", True, "whole number"),
        ("random", 64, "leaves train empty"),
        ("random", 0.001, "leaves the test empty"),
    ],
)
def test_bad_arguments(by, test, message):
    with pytest.raises(InputError, match=message):
        split(made([(u, i) for u in range(8) for i in range(8)]), by, test)


def test_splits_that_cannot_be():
    untimed = Dataset.of(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}))
    with pytest.raises(InputError, match="this data has none"):
        split(untimed, "time")
    with pytest.raises(InputError, match="leaves the test empty"):
        split(untimed, "last")
    with pytest.raises(InputError, match="leaves the test empty"):
        split(Dataset.of(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [5, 5]})), "time")
    with pytest.raises(InputError, match="k must be at least 2"):
        next(folds(untimed, 1))
    with pytest.raises(InputError, match="'random' or 'user'"):
        next(folds(untimed, 2, "time"))
