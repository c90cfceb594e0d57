import gzip
import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from likewise.data.readers import read, read_pairs
from likewise.errors import InputError
from likewise.shapes import NO_TIME

ROWS = [(1, 10, 5.0, 100), (1, 20, 3.5, 200), (2, 10, 4.0, 300), (3, 30, 0.5, 400)]
FRAME = pl.DataFrame(ROWS, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")


def same(data):
    return data.frame().rows() == ROWS


def write(path, delimiter, header="userId movieId rating timestamp"):
    lines = [delimiter.join(header.split())] if header else []
    path.write_text("\n".join(lines + [delimiter.join(map(str, row)) for row in ROWS]) + "\n")
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " ", "::", "^"])
@pytest.mark.parametrize("header", ["userId movieId rating timestamp", "customer sku stars datetime", "label user item ts", ""])
def test_any_delimiter_and_the_usual_names(tmp_path, delimiter, header):
    path = tmp_path / "any.txt"
    if header.startswith("label"):
        rows = [(r, u, i, t) for u, i, r, t in ROWS]
        path.write_text("\n".join([delimiter.join(header.split()), *(delimiter.join(map(str, row)) for row in rows)]))
    else:
        write(path, delimiter, header)
    assert same(read(path))


def test_columns_taken_are_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "likewise.data"):
        data = read(write(tmp_path / "a.csv", ","))
    assert "user_id from 'userId', item_id from 'movieId'" in caplog.text
    assert data.report.columns == {"user_id": "userId", "item_id": "movieId", "rating": "rating", "timestamp": "timestamp"}


def test_named_columns_win(tmp_path):
    frame = FRAME.rename({"user_id": "who", "item_id": "what", "rating": "user", "timestamp": "when"})
    assert same(read(frame, user="who", item="what", rating="user", timestamp="when"))
    assert read(FRAME, rating=False, timestamp=False).frame().columns == ["user_id", "item_id"]


@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas", "arrow", "mapping", "rows"])
def test_frames_of_any_kind(kind):
    made = {
        "polars": lambda: FRAME,
        "lazy": FRAME.lazy,
        "pandas": lambda: pd.DataFrame(ROWS, columns=FRAME.columns, index=[9, 8, 7, 6]),
        "arrow": lambda: pa.table(FRAME.to_dict(as_series=False)),
        "mapping": lambda: FRAME.to_dict(as_series=False),
        "rows": lambda: FRAME.to_dicts(),
    }[kind]()
    assert same(read(made))


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl", "csv.gz", "nameless"])
def test_files_by_their_content(tmp_path, suffix):
    path = tmp_path / f"ratings.{suffix}"
    if suffix == "csv.gz":
        path.write_bytes(gzip.compress(FRAME.write_csv().encode()))
    else:
        {"parquet": FRAME.write_parquet, "arrow": FRAME.write_ipc, "jsonl": FRAME.write_ndjson, "nameless": FRAME.write_parquet}[suffix](
            path
        )
    assert same(read(path)) and same(read(str(path)))


def test_globs_and_folders(tmp_path):
    FRAME.head(2).write_parquet(tmp_path / "a.parquet")
    FRAME.tail(2).write_parquet(tmp_path / "b.parquet")
    assert same(read(tmp_path / "*.parquet")) and same(read(str(tmp_path)))


def test_one_user_a_line_with_their_items(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("0 5 6 7\n1 5\n2 \n3 6 5\n")
    assert read(path).frame().rows() == [(0, 5), (0, 6), (0, 7), (1, 5), (3, 6), (3, 5)]


def test_a_third_column_that_can_only_be_a_time_is_one(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("1\t5\t900000000\n2\t5\t900000001\n2\t6\t900000009\n")
    data = read(path)
    assert not data.explicit and data.interactions.times.tolist() == [900000000, 900000001, 900000009]


def test_quotes_string_ids_and_latin_1(tmp_path):
    path = tmp_path / "q.csv"
    path.write_bytes('user,item,rating\n"Doe, J",Amélie,4\nBob,"Se7en ""x""",3\n'.encode("latin-1"))
    assert read(path).frame().rows() == [("Doe, J", "Amélie", 4.0), ("Bob", 'Se7en "x"', 3.0)]


def test_blanks_around_values_do_not_count(tmp_path):
    path = tmp_path / "padded.csv"
    path.write_text("user, item, rating\n1, 10, 5\n2, 20, 3.5\n")
    assert read(path, rating="rating").frame().rows() == [(1, 10, 5.0), (2, 20, 3.5)]


def test_an_id_far_down_may_be_text(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("user,item,rating\n" + "".join(f"{n},{n % 7},3.5\n" for n in range(5000)) + "last,x1,4\n")
    data = read(path)
    assert data.users.kind == "str" and data.items.kind == "str" and data.n_users == 5001
    assert data.interactions.ratings[-1] == 4


def test_colons_within_values_of_the_double_colon_format(tmp_path):
    path = tmp_path / "r.dat"
    path.write_text("a:b::x::5\nc::y:z::4\n")
    assert read(path).frame().rows() == [("a:b", "x", 5.0), ("c", "y:z", 4.0)]


TIMES = {
    "iso": ["1970-01-01 00:01:40", "1970-01-01T00:03:20Z", "1970-01-01T00:05:00+00:00", "1970-01-01 00:06:40.500"],
    "text seconds": ["100", "200", "300.0", " 400"],
    "datetime": pd.to_datetime([100, 200, 300, 400], unit="s"),
    "zoned": pd.to_datetime([100, 200, 300, 400], unit="s", utc=True).tz_convert("Asia/Tokyo"),
    "fractions": [100.0, 200.9, 300.0, 400.2],
    "milliseconds": [1_000_000_000_100_000 + n for n in (0, 100_000, 200_000, 300_000)],
}


@pytest.mark.parametrize("form", TIMES)
def test_times_become_seconds(form):
    data = read(pd.DataFrame({"user": [1, 1, 2, 3], "item": [10, 20, 10, 30], "date": TIMES[form]}))
    expected = np.array([100, 200, 300, 400])
    if form == "milliseconds":
        expected = 1_000_000_000 + np.arange(4) // 10
    assert data.interactions.times.tolist() == expected.tolist()


def test_dates_and_missing_times():
    data = read({"user": [1, 2, 3], "item": [1, 2, 3], "date": ["1970-01-02", None, "1970-01-03"]})
    assert data.interactions.times.tolist() == [86400, NO_TIME, 2 * 86400]
    assert not data.has_times


def test_rows_without_ids_are_dropped_and_said(caplog):
    data = read({"user": [1, None, 2], "item": ["a", "b", None], "rating": [1, 2, 3]}, at_least=1)
    assert len(data) == 1 and data.report.dropped == {"no user or no item": 2} and data.report.rows_read == 3
    assert "2 of 3 rows dropped" in caplog.text


REPEATED = {
    "user": [1, 1, 1, 2, 2],
    "item": [5, 6, 5, 5, 6],
    "rating": [1.0, 2.0, 4.0, 3.0, 3.0],
    "timestamp": [9, 1, 2, 3, 4],
    "weight": [1.0, 1.0, 3.0, 1.0, 1.0],
}


@pytest.mark.parametrize(("how", "rating", "weight"), [("last", 1.0, 1.0), ("mean", 2.5, 2.0), ("sum", 5.0, 4.0)])
def test_duplicates(how, rating, weight):
    data = read(REPEATED, duplicates=how)
    assert data.frame().rows() == [(1, 5, rating, weight, 9), (1, 6, 2.0, 1.0, 1), (2, 5, 3.0, 1.0, 3), (2, 6, 3.0, 1.0, 4)]
    assert sum(data.report.dropped.values()) == 1 and data.report.rows_kept == 4


def test_the_last_by_order_without_times():
    frame = pl.DataFrame(REPEATED).drop("timestamp", "weight")
    assert read(frame).frame()["rating"].to_list() == [2.0, 4.0, 3.0, 3.0]


def test_the_sum_of_likes_is_how_many():
    frame = pl.DataFrame(REPEATED).select("user", "item")
    assert read(frame, duplicates="sum").frame()["weight"].to_list() == [1.0, 2.0, 1.0, 1.0]
    assert read(frame.unique(maintain_order=True), duplicates="sum").frame()["weight"].to_list() == [1.0] * 4


def test_context_columns_are_encoded():
    data = read(FRAME.with_columns(pl.Series("hour", [3, 4, None, 3])), context=["hour", "day"])
    assert data.interactions.context["hour"].tolist() == [0, 1, -1, 0]
    assert data.contexts["day"].ids.to_list() == [0]


def test_pairs_need_no_rating_and_no_second_user(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("userId,movieId,rating\n1,10,\n1,20,\n")
    assert read_pairs(path).rows() == [(1, 10), (1, 20)]
    assert read_pairs(FRAME.head(1)).rows() == [(1, 10, 5.0, 100)]


def test_side_tables_and_vectors(tmp_path):
    np.save(tmp_path / "poster.npy", np.eye(3, 2, dtype=np.float32))
    np.save(tmp_path / "cover.npy", np.eye(2, dtype=np.float64))
    np.save(tmp_path / "cover.ids.npy", np.array([30, 10]))
    np.savez(tmp_path / "text.npz", ids=np.array(["20"]), vectors=np.ones((1, 3)))
    table = pl.DataFrame({"sku": [10, 20, 30], "name": ["a", "b", "c"], "kind": ["x", "y", "x"]})
    data = read(FRAME, items=[table, tmp_path / "poster.npy", tmp_path / "cover.npy"], users={"user": [1, 2, 3], "age": [20, 30, 40]})
    assert data.item_table.columns == ["item_id", "title", "kind", "poster", "cover"]
    assert [b.kind for b in data.item_features.blocks] == ["category", "vector", "vector"]
    assert data.item_features["cover"].matrix.counts.tolist() == [2, 0, 2]
    assert data.user_features["age"].matrix.n_rows == 3
    assert read(FRAME, items=str(tmp_path / "text.npz")).item_features["text"].matrix.counts.tolist() == [0, 3, 0]


def test_memory_stays_under_forty_bytes_a_rating():
    n = 200_000
    rng = np.random.default_rng(0)
    pairs = rng.choice(1000 * 1000, n, replace=False)
    frame = pl.DataFrame({"user": pairs // 1000, "item": pairs % 1000, "rating": rng.integers(1, 6, n), "timestamp": np.arange(n)})
    events = read(frame).interactions
    assert sum(c.nbytes for c in (events.users, events.items, events.ratings, events.times)) == 20 * n


@pytest.mark.parametrize("far_apart", [False, True])
def test_repeats_are_found_near_and_far(far_apart):
    n = 3000 if far_apart else 30
    users = np.concatenate([np.arange(n), [4]])
    frame = pl.DataFrame({"user": users, "item": users * 7 % n})
    assert len(read(frame)) == n
    with pytest.raises(InputError, match=rf"user 4 has item 28 in rows 5 and {n + 1}"):
        read(frame, duplicates="error")
