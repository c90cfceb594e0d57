"""Conditions: what they let through, against plain Python over the rows; where they point when refused."""

from datetime import date, datetime
from threading import Thread

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from likewise.errors import InputError
from likewise.ranking.catalogue import Catalogue
from likewise.ranking.where import DEEPEST, LONGEST, parse

ROWS = pl.DataFrame(
    {
        "title": ["Toy Story", "Heat", "Sabrina", 'It\'s a "Wonderful" Life', None],
        "genres": ["Animation|Comedy", "Action|Crime", "Comedy|Romance", "Drama", None],
        "tags": [["pixar", "fun"], ["heist"], [], ["classic"], None],
        "codes": [[1, 2], [3], [], [2], None],
        "year": [1995, 1995, 1954, 1946, None],
        "score": [8.3, float("nan"), 7.7, 8.6, 5.0],
        "sold": [date(1996, 1, 1), date(1996, 6, 30), None, date(1990, 5, 5), date(2000, 1, 1)],
        "seen": [datetime(1996, 1, 1, 8), datetime(1996, 1, 1, 20), None, datetime(1990, 5, 5), datetime(2000, 1, 1)],
        "stock": [True, False, True, None, True],
        "shelf no": [1, 2, 3, 4, 5],
    }
)


@pytest.fixture(scope="module")
def items():
    return Catalogue(ROWS)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("genres has 'Comedy'", [0, 2]),
        ('genres has "Comedy" and year >= 1990', [0]),
        ("not genres has 'Comedy'", [1, 3]),
        ("genres not has 'Comedy'", [1, 3]),
        ("tags has 'heist' or tags has 'fun'", [0, 1]),
        ("codes has 2", [0, 3]),
        ("codes has 2.0", [0, 3]),
        ("year = 1995", [0, 1]),
        ("year == 1995.0", [0, 1]),
        ("year != 1995", [2, 3]),
        ("year <> 1995", [2, 3]),
        ("year < 1954", [3]),
        ("year<=1954", [2, 3]),
        ("year > -1", [0, 1, 2, 3]),
        ("year in (1954, 1946.0)", [2, 3]),
        ("year not in (1954, 1946)", [0, 1]),
        ("year is null", [4]),
        ("year is not null and not (year < 1990)", [0, 1]),
        ("score > 7", [0, 2, 3]),
        ("score is null", [1]),
        ("title = 'It''s a \"Wonderful\" Life'", [3]),
        ('title = "It\'s a ""Wonderful"" Life"', [3]),
        ("title in ('Heat', 'Sabrina')", [1, 2]),
        ("title < 'I'", [1]),
        ("sold >= '1996-01-01'", [0, 1, 4]),
        ("sold >= 1996-01-02", [1, 4]),
        ("sold in (1996-01-01, '1990-05-05')", [0, 3]),
        ("seen = 1996-01-01", [0, 1]),
        ("seen <= 1996-01-01T12:00", [0, 3]),
        ("seen in (1996-01-01, 1990-05-05T00:00)", [0, 1, 3]),
        ("seen <= '1996-01-01T13:00+02:00'", [0, 3]),
        ("stock", [0, 2, 4]),
        ("not stock", [1]),
        ("stock = false", [1]),
        ("stock and (year = 1995 OR `shelf no` = 5)", [0, 4]),
        ("year = 1995 or year = 1954 and stock", [0, 1, 2]),
        ("NOT\n(year = 1995)\tAND year IS NOT NULL", [2, 3]),
    ],
)
def test_lets_through(items, condition, rows):
    mask = items.where(condition)
    assert mask.dtype == np.bool_
    assert np.flatnonzero(mask).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "message", "caret"),
    [
        ("yaer >= 1990", "no column 'yaer' (did you mean 'year'?); the columns are: title, genres", 0),
        ("year >= 1990 and genre has 'x'", "no column 'genre' (did you mean 'genres'?)", 17),
        ("year >= 'old'", "'year' holds numbers, which 'old' cannot be compared with; write year >= 1990", 8),
        ("title > 3", "'title' holds text, which 3 cannot be compared with", 8),
        ("genres = 5", "write genres has 'Comedy'", 9),
        ("tags = 'pixar'", "'tags' holds lists; write tags has 'Comedy'", 0),
        ("tags has 5", "holds lists of text, never 5", 9),
        ("codes has 'x'", "holds lists of numbers, never 'x'; write codes has 3", 10),
        ("year has 5", "'year' holds numbers, one a row; write year >= 1990", 0),
        ("year", "'year' holds numbers, not true and false", 0),
        ("stock > true", "'stock' holds true and false", 8),
        ("sold > 5", "'sold' holds dates, which 5 cannot be compared with; write sold >= 1995-01-31", 7),
        ("sold > 'soon'", "'soon' is no date; write 1995-01-31", 7),
        ("sold > 1995-02-31", "'1995-02-31' is no date", 7),
        ("year >=", "expected a value, found the end", 7),
        ("year >= and", "expected a value, found 'and'", 8),
        ("year = null", "nothing equals null; write year is null", 7),
        ("year == Comedy", "if 'Comedy' is text, put it in quotes", 8),
        ("1990 <= year", "expected a column first", 0),
        ("(year = 1995", "expected ')', found the end", 12),
        ("year = 1995)", "expected 'and', 'or' or the end, found ')'", 11),
        ("year in 1995", "expected '(' and values", 8),
        ("year in (1995 1996)", "expected ',' or ')', found '1996'", 14),
        ("year in ()", "expected a value, found ')'", 9),
        ("year is 5", "expected 'null' or 'not null', found '5'", 8),
        ("year like 5", "expected a comparison, 'in', 'has' or 'is' after 'year', found 'like'", 5),
        ("title = 'open", "this ' is never closed", 8),
        ("stock & year", "write and, or, not as words", 6),
        ("year = 19x", "cannot read '1' here", 7),
        ("__import__('os')", "'in', 'has' or 'is' after '__import__', found '('", 10),
        ("year not 5", "expected 'in' or 'has', found '5'", 9),
    ],
)
def test_errors_point_at_the_character(items, condition, message, caret):
    with pytest.raises(InputError) as caught:
        items.where(condition)
    first, line, pointer = str(caught.value).split("\n")
    assert message in first
    assert line == f"  {condition}"
    assert pointer == " " * (caret + 2) + "^"


def test_the_caret_stays_in_sight_of_long_and_many_lined_conditions(items):
    with pytest.raises(InputError) as caught:
        items.where("year = 1995 or\n" + "year = 1 or " * 40 + "yaer = 2")
    _, line, pointer = str(caught.value).split("\n")
    assert len(line) < 110
    assert line[pointer.index("^") :].startswith("yaer")


@pytest.mark.parametrize(
    "condition", ["", "   ", "x" * (LONGEST + 1), "(" * (DEEPEST + 1) + "stock" + ")" * (DEEPEST + 1), "not " * 1000 + "stock", 5]
)
def test_empty_long_deep_and_foreign_are_refused(items, condition):
    with pytest.raises(InputError, match="where"):
        items.where(condition)


@given(st.text(alphabet="yearstockhasinnulltrue'\"`()<>=!., 0159-\n|&", max_size=60))
def test_any_text_is_an_answer_or_an_input_error(text):
    try:
        mask = Catalogue(ROWS).where(text)
    except InputError:
        return
    assert mask.shape == (5,)


CONDITIONS = st.recursive(
    st.sampled_from(["year >= 1990", "year is null", "stock", "genres has 'Comedy'", "title in ('Heat', 'Sabrina')"]),
    lambda part: st.one_of(
        part.map(lambda c: f"not ({c})"), st.tuples(part, st.sampled_from(["and", "or"]), part).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})")
    ),
    max_leaves=8,
)


def naive(tree, row):
    """True, False or None (unknown) of one row, by the words of the language."""
    kind = type(tree).__name__
    if kind == "Not":
        part = naive(tree.part, row)
        return None if part is None else not part
    if kind == "Both":
        parts = [naive(part, row) for part in tree.parts]
        decided = tree.word == "or"
        return decided if decided in parts else (None if None in parts else not decided)
    cell = row[tree.column.name]
    if kind == "Null":
        return cell is None
    if cell is None:
        return None
    if kind == "Flag":
        return cell
    if kind == "Has":
        return tree.value.value in cell.split("|")
    if kind == "In":
        return cell in [value.value for value in tree.values]
    return cell >= tree.value.value


@given(CONDITIONS)
def test_and_or_not_follow_three_valued_logic(condition):
    tree = parse(condition)
    expected = [naive(tree, row) is True for row in ROWS.iter_rows(named=True)]
    assert Catalogue(ROWS).where(condition).tolist() == expected


def test_an_answer_is_remembered_and_cannot_be_written_to(items):
    mask = items.where("year = 1995")
    assert items.where("year = 1995") is mask
    with pytest.raises(ValueError, match="read-only"):
        mask[0] = False
    for n in range(100):
        items.where(f"year = {n}")
    assert len(items._masks) == 64


def test_zones_categories_and_enums():
    table = pl.DataFrame(
        {
            "when": pl.Series([datetime(2020, 1, 1, 23), None]).dt.replace_time_zone("America/New_York"),
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "size": pl.Series(["S", "L"], dtype=pl.Enum(["S", "M", "L"])),
            "small": pl.Series([1, 255], dtype=pl.UInt8),
        }
    )
    items = Catalogue(table)
    assert items.where("when = 2020-01-02").tolist() == [True, False]
    assert items.where("kind = 'b' or size = 'S'").tolist() == [True, True]
    assert items.where("kind has 'b'").tolist() == [False, True]
    assert items.where("small > -1 and small < 100000").tolist() == [True, True]
    assert items.where("small in (255, 99999999999)").tolist() == [False, True]


def test_many_threads_get_the_same_answers(items):
    conditions = [f"year >= {1900 + n} and genres has 'Comedy'" for n in range(40)]
    expected = [Catalogue(ROWS).where(c).tolist() for c in conditions]
    wrong = []

    def ask():
        wrong.extend(c for c, e in zip(conditions, expected, strict=True) if items.where(c).tolist() != e)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_empty_table_gives_an_empty_mask():
    assert Catalogue(ROWS.head(0)).where("genres has 'Comedy' and year > 3").tolist() == []
