"""Every bad table gets one line that says what, where and what to do."""

import re

import numpy as np
import polars as pl
import pytest

from likewise.data.movielens import load_movielens
from likewise.data.readers import read
from likewise.errors import InputError

GOOD = {"user": [1, 1, 2], "item": [5, 6, 5], "rating": [3.0, 4.0, 5.0], "timestamp": [1, 2, 3]}


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({"rating": ["3", "good", "5"]}, {}, r"column 'rating' must hold numbers; row 2 holds 'good': .*name another"),
        ({"rating": [3.0, float("nan"), 5.0]}, {}, r"column 'rating' must be finite; row 2 holds nan: drop"),
        ({"rating": [3.0, 4.0, float("inf")]}, {}, r"column 'rating' must be finite; row 3 holds inf"),
        ({"rating": [1e300, 4.0, 5.0]}, {}, r"column 'rating' must be finite; row 1"),
        ({"rating": [3.0, None, 5.0]}, {}, r"a number in every row; row 2 holds none: drop such rows, or say rating=False"),
        ({"rating": [3.0, 4.0, 5.5]}, {"range": (1, 5)}, r"stated range 1 to 5; row 3 holds 5.5"),
        ({}, {"range": (5, 1)}, r"low < high; got \(5, 1\)"),
        ({"weight": [1.0, -2.0, 1.0]}, {}, r"weights must not be negative; column 'weight' holds -2.0 in row 2"),
        ({"weight": ["a", "b", "c"]}, {}, r"column 'weight' must hold numbers; row 1 holds 'a'"),
        ({"timestamp": ["2020-01-01", "soon", "2020-01-03"]}, {}, r"column 'timestamp' must hold times .*row 2 holds 'soon'"),
        ({"timestamp": [1.0, float("inf"), 2.0]}, {}, r"column 'timestamp' must hold times; row 2 holds inf"),
        ({"timestamp": [True, False, True]}, {}, r"must hold times: seconds, dates or ISO strings, not Boolean"),
        ({"user": [1, 1, 1], "item": [5, 6, 7]}, {}, r"holds only one user, 1: .*at least 2"),
        ({"item": [5, 5, 5], "user": [1, 2, 3]}, {}, r"holds only one item, 5"),
        ({"user": [1, 1, 2], "item": [5, 5, 6]}, {"duplicates": "error"}, r"user 1 has item 5 in rows 1 and 2: drop one"),
        ({}, {"duplicates": "first"}, r"duplicates must be 'last', 'mean', 'sum' or 'error'; got 'first'"),
        ({}, {"user": "who"}, r"user='who' names a column that is not there; the columns are: user, item, rating, timestamp"),
        ({}, {"timestamp": "when"}, r"timestamp='when' names a column"),
        ({}, {"context": ["mood"]}, r"context names column 'mood'"),
        ({}, {"context": ["day"], "timestamp": False}, r"context 'day' is made of the timestamp"),
        ({"user": [1.5, 2, 3]}, {}, r"ids must be int or str, not fractions such as 1.5"),
        ({"user": [[1], [2], [3]]}, {}, r"ids must be int or str, not List"),
        ({}, {"query": "select 1"}, r"query goes with a database URL"),
        ({}, {"kinds": {"size": "number"}}, r"kinds names column 'size'"),
        ({}, {"items": {"name": ["a"]}}, r"item table must have a column item_id; its columns are: name"),
        ({}, {"tags": {"user": [1], "item": [2]}}, r"must have columns user_id, item_id and tag; no tag among"),
        ({}, {"items": []}, "the list is empty"),
    ],
)
def test_tables(changed, options, message):
    with pytest.raises(InputError, match=message) as caught:
        read(pl.DataFrame({**GOOD, **changed}, strict=False), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, r"is empty"),
        (b"\n \n", {}, r"is empty"),
        (b"userId,movieId,rating\n", {}, r"(has columns|no rows|single line)"),
        (
            b"userId,movieId,rating\n1,2,3\n2,3,4\n",
            {"delimiter": ";"},
            r"delimiter=';' does not cut .* into columns; its first line is 'userId,movieId,rating'",
        ),
        (b"userId\n1\n2\n", {}, r"single column; its first line is 'userId'"),
        (b"1,2,3\n1,2\n", {}, r"lines of different lengths: 3 fields between ',' in line 1, 2 in line 2"),
        (b"userId,score,when\n1,2,3\n", {}, r"no column for the item was found among: userId, score, when; name it with item="),
        (b"\x89PNG\0\0\0", {}, r"neither text nor a format"),
        (b"PAR1 but not really", {}, r"is damaged"),
        (b"user  item\n1    2\n", {}, r"(several blanks|different lengths)"),
    ],
)
def test_files(tmp_path, content, options, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "ratings.csv").write_text("x")
    with pytest.raises(InputError, match=re.escape("did you mean 'ratings.csv'?")):
        read(tmp_path / "rating.csv")
    with pytest.raises(InputError, match="no file matches"):
        read(tmp_path / "*.parquet")
    with pytest.raises(InputError, match="holds no Parquet files"):
        read(tmp_path)


def test_what_is_no_source():
    for source in (42, object(), None):
        with pytest.raises(InputError, match="a source must be a frame, a path, a glob or a database URL"):
            read(source)


def test_vectors_that_do_not_fit(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"whose vectors .* is not known: put their ids in v.ids.npy"):
        read(GOOD, items=tmp_path / "v.npy")
    with pytest.raises(InputError, match=r"one vector an id \(3\); it holds 2"):
        read(GOOD, items=[{"item": [1, 2, 3]}, tmp_path / "v.npy"])
    np.save(tmp_path / "o.npy", np.zeros(2))
    with pytest.raises(InputError, match="must hold numbers"):
        read(GOOD, items=[{"item": [1, 2]}, tmp_path / "o.npy"])
    with pytest.raises(InputError, match="there is no file"):
        read(GOOD, items=tmp_path / "none.npy")


def test_movielens_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKEWISE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"get it from https://grouplens.org/datasets/movielens/"):
        load_movielens("100k")
    with pytest.raises(InputError, match="the names known are: 100k, 1m"):
        load_movielens("2b")
    with pytest.raises(InputError, match="holds no MovieLens ratings"):
        load_movielens(tmp_path)
