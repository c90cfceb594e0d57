"""Filters before the cut: k stays k while k exist; caps against a walk in plain Python."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.popularity import Popularity
from likewise.ranking.filters import compile_filters, hidden, rank_filtered, shown_since

ITEMS = 40


def shop(seed=0):
    """A model under which item n is the n-th most popular, and its table."""
    rng = np.random.default_rng(seed)
    pairs = pl.DataFrame({"item_id": np.repeat(np.arange(ITEMS), np.arange(ITEMS, 0, -1))})
    fitted = Popularity().solve(Dataset.of(pairs.with_columns(user_id=pl.int_range(pl.len()))))
    kinds = ["a|b", "b", "c", "a|c", None]
    table = pl.DataFrame(
        {
            "maker": rng.choice(["x", "y", "z"], ITEMS),
            "kinds": [kinds[n] for n in rng.integers(0, 5, ITEMS)],
            "year": rng.integers(1980, 2000, ITEMS),
        }
    )
    return fitted, table


def lists(fitted, filters, k, exclude=None, people=1):
    return rank_filtered(fitted, fitted.people(np.full(people, -1, np.int32)), k, exclude, filters)


def test_k_is_k_while_k_exist():
    fitted, table = shop()
    mask = (table["year"] >= 1990).to_numpy()
    there = np.flatnonzero(mask)
    for k in (1, 5, len(there), ITEMS):
        found = lists(fitted, compile_filters(table, where="year >= 1990"), k)
        assert found.items[0][found.items[0] >= 0].tolist() == there[:k].tolist()
    assert lists(fitted, compile_filters(table, where="year > 3000"), 5).counts.tolist() == [0]


def test_allow_deny_where_and_hidden_together():
    fitted, table = shop()
    allow, deny = np.array([3, 5, 7, 9, 11, -1], np.int32), np.array([5, -1], np.int32)
    had = CSR(np.array([0, 1], np.int64), np.array([7], np.int32), None, ITEMS)
    shown = shown_since(Histories(np.array([0, 2], np.int64), np.array([9, 3], np.int32), times=np.array([100, 10], np.int64)), 50, ITEMS)
    filters = compile_filters(table, allow=allow, deny=deny, where="year is not null")
    assert lists(fitted, filters, 10, hidden(had, None, shown)).items[0, :2].tolist() == [3, 11]
    assert hidden(None, None) is None
    with pytest.raises(InputError, match="same people and items"):
        hidden(had, CSR(np.array([0, 0], np.int64), np.empty(0, np.int32), None, 3))


def test_no_filter_is_no_mask():
    filters = compile_filters(shop()[1])
    assert filters.allowed is None
    assert filters.caps is None


@pytest.mark.parametrize("as_seconds", [False, True])
def test_items_are_shown_from_and_until(as_seconds):
    table = pl.DataFrame(
        {
            "available_from": [None, date(2020, 1, 2), date(2020, 1, 2), date(2020, 1, 3)],
            "available_until": [date(2020, 1, 1), None, date(2020, 1, 2), None],
        }
    )
    noon = 1577966400.0  # 2020-01-02T12:00
    expected = [False, True, True, False]
    if as_seconds:
        table = table.select(pl.all().cast(pl.Datetime("us")).dt.timestamp("ms") / 1000)
        expected = [False, True, False, False]  # an end in seconds is that second, not that day
    assert compile_filters(table, at=noon).allowed.tolist() == expected
    assert compile_filters(table).allowed is not None
    with pytest.raises(InputError, match="must hold dates or seconds"):
        compile_filters(pl.DataFrame({"available_from": ["x"]}))


def walk(ranking, table, caps, k):
    left, taken = {}, []
    for item in ranking:
        values = [(c, v) for c in caps for v in str(table[c][item] or "").split("|") if v]
        if all(left.get(v, caps[v[0]]) > 0 for v in values) and len(taken) < k:
            taken.append(item)
            for v in values:
                left[v] = left.get(v, caps[v[0]]) - 1
    return taken


@given(st.integers(0, 50), st.integers(1, 3), st.integers(1, 3), st.integers(1, 45))
def test_caps_are_a_walk_down_the_whole_ranking(seed, makers, kinds, k):
    fitted, table = shop(seed)
    caps = {"maker": makers, "kinds": kinds}
    had = CSR(np.array([0, 2, 2], np.int64), np.array([0, 4], np.int32), None, ITEMS)
    found = lists(fitted, compile_filters(table, caps=caps), k, had, 2)
    for person, missing in enumerate(({0, 4}, set())):
        expected = walk([n for n in range(ITEMS) if n not in missing], table, caps, k)
        assert found.items[person][: found.counts[person]].tolist() == expected
        assert found.scores[person][: len(expected)].tolist() == [ITEMS - n for n in expected]
        assert (found.items[person][len(expected) :] == -1).all()


def test_caps_on_numbers_and_with_where():
    fitted, table = shop()
    found = lists(fitted, compile_filters(table, caps={"year": 1}, where="year >= 1990"), ITEMS)
    years = table["year"].gather(found.items[0, : found.counts[0]]).to_list()
    assert len(years) == len(set(years)) == table.filter(pl.col("year") >= 1990)["year"].n_unique()


@pytest.mark.parametrize(
    ("caps", "message"),
    [({"makers": 2}, "no column 'makers' .did you mean 'maker'"), ({"maker": 0}, "at least 1"), ({"maker": True}, "whole number")],
)
def test_bad_caps_are_refused(caps, message):
    with pytest.raises(InputError, match=message):
        compile_filters(shop()[1], caps=caps)
