import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from likewise.data.features import Features
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError

TABLE = pl.DataFrame(
    {
        "item_id": [10, 20, 30, 40],
        "title": ["A", "B", "C", "D"],
        "colour": ["red", "blue", "red", "green"],
        "genres": ["Comedy|Drama", "Drama", None, "War|"],
        "year": [1990, None, 2010, 1800],
        "poster": [[1.0, 0.0], [0.0, 1.0], None, [9.0, 9.0]],
        "tags": [["Fun", "fun", "dark"], [], None, ["x"]],
    }
)


@pytest.fixture
def fitted():
    return Features.fit(TABLE, "item_id", Vocabulary.of([10, 20, 30]))


def test_each_kind_is_encoded_as_documented(fitted):
    assert [(b.name, b.kind) for b in fitted.blocks] == [
        ("colour", "category"),
        ("genres", "set"),
        ("year", "number"),
        ("poster", "vector"),
        ("tags", "tags"),
    ]
    assert fitted["colour"].columns == ("colour=blue", "colour=red")  # green belongs to 40, which is not in the vocabulary
    assert fitted["colour"].matrix.toarray().tolist() == [[0, 1], [1, 0], [0, 1]]
    assert fitted["genres"].matrix.toarray().tolist() == [[1, 1], [0, 1], [0, 0]]
    assert fitted["year"].columns == ("year", "year missing")
    np.testing.assert_allclose(fitted["year"].matrix.toarray(), [[-1, 0], [0, 1], [1, 0]])
    poster = fitted["poster"].matrix.toarray()
    np.testing.assert_allclose(poster[:2].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose((poster[:2] ** 2).sum(1).mean(), 1, rtol=1e-6)
    assert fitted["poster"].matrix.counts.tolist() == [2, 2, 0]
    tags = fitted["tags"].matrix.toarray()
    np.testing.assert_allclose(tags[0], np.log1p([1, 2]) / np.linalg.norm(np.log1p([1, 2])), rtol=1e-6)
    assert fitted["tags"].columns == ("tags=dark", "tags=fun")
    assert fitted.ignored == {"title": "names the row"}


def test_design_puts_blocks_side_by_side(fitted):
    design = fitted.design()
    np.testing.assert_array_equal(design.toarray(), np.hstack([b.matrix.toarray() for b in fitted.blocks]))
    assert design.width == fitted.width == len(fitted.columns)


def test_encoding_others_counts_what_was_never_seen(fitted):
    other = fitted.encode(TABLE.filter(pl.col("item_id") == 40))
    assert other.unseen == {"colour": 1, "genres": 1, "tags": 1}
    assert other["colour"].matrix.toarray().tolist() == [[0, 0]]
    np.testing.assert_allclose(other["year"].matrix.toarray(), [[-20, 0]])
    assert fitted.encode(TABLE.head(3)).design().toarray().tolist() == fitted.design().toarray().tolist()
    bare = fitted.encode(pl.DataFrame({"item_id": [1]}))
    assert bare.design().toarray().tolist() == [[0, 0, 0, 0, 0, 1, 0, 0, 0, 0]]


def test_state_round_trip(fitted):
    described, arrays = fitted.state()
    again = Features.from_state(json.loads(json.dumps(described)), arrays)
    assert again.columns == fitted.columns
    np.testing.assert_array_equal(again.design().toarray(), fitted.design().toarray())
    np.testing.assert_array_equal(again.encode(TABLE).design().toarray(), fitted.encode(TABLE).design().toarray())


def test_take_and_stack(fitted):
    taken = fitted.take(np.array([2, -1, 0], np.int32))
    assert taken.design().toarray()[1].tolist() == [0] * fitted.width
    both = fitted.stack(fitted.encode(TABLE))
    assert len(both) == 7
    np.testing.assert_array_equal(both.design().toarray()[:3], fitted.design().toarray())
    np.testing.assert_array_equal(both.design().toarray()[3:], fitted.encode(TABLE).design().toarray())
    with pytest.raises(InputError, match="same columns"):
        fitted.stack(Features.fit(TABLE, "item_id", Vocabulary.of([40])))


def test_ids_without_a_row_have_everything_missing():
    features = Features.fit(TABLE, "item_id", Vocabulary.of([10, 20, 99]))
    assert features["year"].matrix.toarray()[2].tolist() == [0, 1]
    assert features["colour"].matrix.counts.tolist() == [1, 1, 0]


def test_kinds_are_inferred_and_overruled():
    ids = list(range(60))
    table = pl.DataFrame(
        {"item_id": ids, "name_of_it": [f"n{i}" for i in ids], "code": [i % 3 for i in ids], "ok": [i % 2 == 0 for i in ids]}
    ).with_columns(pl.lit(dt.date(2020, 1, 1)).alias("since"), pl.lit(None, dtype=pl.Float64).alias("empty"))
    features = Features.fit(table, "item_id", Vocabulary.of(ids))
    assert {b.name: b.kind for b in features.blocks} == {"code": "number", "ok": "category", "since": "number"}
    assert set(features.ignored) == {"name_of_it", "empty"} and "60 different values" in features.ignored["name_of_it"]
    forced = Features.fit(table, "item_id", Vocabulary.of(ids), {"code": "category", "ok": "ignore", "name_of_it": "category"})
    assert forced["code"].columns == ("code=0", "code=1", "code=2") and forced["name_of_it"].matrix.width == 60
    assert forced.ignored["ok"] == "left out as asked"


@pytest.mark.parametrize(
    ("columns", "kinds", "message"),
    [
        ({"x": ["a", "b"]}, {"x": "number"}, "must hold numbers; it holds 'a'"),
        ({"x": ["a", "b"]}, {"x": "colour"}, "must be one of category, set, number, vector, tags, ignore"),
        ({"x": ["a", "b"]}, {"y": "set"}, "names column 'y', which the table lacks"),
        ({"x": [[1.0], [1.0, 2.0]]}, {}, "must have one length; found lengths 1 and 2"),
        ({"x": [[1.0], [float("nan")]]}, {}, "must be finite; the one in row 2 is not"),
        ({"x": ["a", "b"]}, {"x": "vector"}, "must hold lists of numbers"),
    ],
)
def test_bad_tables_are_refused(columns, kinds, message):
    with pytest.raises(InputError, match=message):
        Features.fit(pl.DataFrame({"item_id": [1, 2], **columns}), "item_id", Vocabulary.of([1, 2]), kinds)


def test_an_id_with_two_rows_is_refused():
    with pytest.raises(InputError, match="1 has several rows"):
        Features.fit(pl.DataFrame({"item_id": [1, 1], "x": [1, 2]}), "item_id", Vocabulary.of([1, 2]))


def test_vectors_of_another_length_are_refused(fitted):
    with pytest.raises(InputError, match="must have 2 numbers"):
        fitted.encode(pl.DataFrame({"poster": [[1.0, 2.0, 3.0]]}))
    with pytest.raises(InputError, match="there is no feature block 'size'"):
        fitted["size"]


def test_array_columns_are_vectors():
    table = pl.DataFrame({"item_id": [1, 2, 3], "v": pl.Series(np.eye(3, 4, dtype=np.float32))})
    features = Features.fit(table, "item_id", Vocabulary.of([1, 2, 3, 4]))
    assert features["v"].kind == "vector" and features["v"].matrix.counts.tolist() == [4, 4, 4, 0]
