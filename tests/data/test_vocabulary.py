from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from likewise.data import lookup
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError, UnknownIdError

SMALL = st.integers(-50, 50)
ANY_INT = st.integers(-(2**63), 2**63 - 1)
IDS = st.one_of(st.lists(SMALL, min_size=1), st.lists(ANY_INT, min_size=1), st.lists(st.text(), min_size=1))


@given(IDS)
def test_every_id_finds_its_row_and_back(values):
    vocabulary = Vocabulary.of(values)
    assert vocabulary.ids.to_list() == sorted(set(values))
    rows = vocabulary.rows(values)
    assert rows.dtype == np.int32
    assert vocabulary.take(rows).to_list() == values
    assert [vocabulary.row(v) for v in values] == rows.tolist()
    again = Vocabulary.from_arrow(vocabulary.to_arrow())
    assert again == vocabulary and again.kind == vocabulary.kind


@given(IDS, st.randoms())
def test_order_of_the_values_does_not_matter(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert Vocabulary.of(shuffled) == Vocabulary.of(values)


@given(
    st.one_of(st.tuples(st.lists(ANY_INT, min_size=1), st.lists(ANY_INT)), st.tuples(st.lists(st.text(), min_size=1), st.lists(st.text())))
)
def test_extending_keeps_rows_and_finds_the_new(both):
    old, new = both
    before = Vocabulary.of(old)
    after = before
    for n in range(0, len(new), 2):
        after = after.extend(new[n : n + 2])
    assert after.rows(before.ids).tolist() == list(range(len(before)))
    assert sorted(after.ids.to_list()) == sorted(set(old) | set(new))
    assert after.rows(after.ids).tolist() == list(range(len(after)))
    assert [after.row(v) for v in new] == after.rows(new).tolist() if new else True
    assert Vocabulary.from_arrow(after.to_arrow()).rows(after.ids).tolist() == list(range(len(after)))


@given(st.lists(ANY_INT, min_size=1), st.lists(ANY_INT))
def test_unknown_ints_are_minus_one(known, asked):
    vocabulary = Vocabulary.of(known)
    place = {v: n for n, v in enumerate(sorted(set(known)))}
    assert vocabulary.rows(np.array(asked, np.int64)).tolist() == [place.get(v, -1) for v in asked]


@pytest.mark.parametrize("n_wanted", [3, 3000])
@pytest.mark.parametrize("kind", ["dense", "sparse", "str"])
def test_few_and_many_at_once(kind, n_wanted):
    base = pl.Series(range(0, 20_000, 2))
    ids = {"dense": base, "sparse": base * 10**9, "str": base.cast(pl.String) + "-x"}[kind]
    other = {"dense": base + 1, "sparse": base * 10**9 + 1, "str": base.cast(pl.String) + "-y"}[kind]
    vocabulary = Vocabulary.of(ids)
    wanted = pl.concat([ids.head(n_wanted), other.head(n_wanted), pl.Series([None], dtype=ids.dtype)])
    expected = {raw: row for row, raw in enumerate(vocabulary.ids)}
    assert vocabulary.rows(wanted).tolist() == [expected.get(raw, -1) for raw in wanted]


def test_hashes_that_collide_are_told_apart(monkeypatch):
    monkeypatch.setattr(lookup, "_fill", lambda hashes, slots: False)
    ids = [n * 10**12 for n in range(50)]
    assert Vocabulary.of(ids).rows([*ids, 5]).tolist() == [*range(50), -1]


def test_ints_and_their_strings_are_the_same_id():
    ints, strings = Vocabulary.of([3, 20]), Vocabulary.of(["3", "20"])
    assert ints.rows(["20", "3", "03", " 3", "x", None]).tolist() == [1, 0, -1, -1, -1, -1]
    assert strings.rows([20, 3, 4]).tolist() == [0, 1, -1]
    assert "20" in ints and 20 in strings and 20.0 in ints and "020" not in ints and True not in ints and None not in ints
    assert ints.rows(np.array([3.0, np.nan])).tolist() == [0, -1]
    assert ints.extend(["7"]).row(7) == 2


def test_an_unknown_id_names_its_neighbours():
    with pytest.raises(UnknownIdError, match=r"the id 22 is not among the 3 known int ids; the nearest known are 3, 20, 30"):
        Vocabulary.of([3, 20, 30]).row(22)
    with pytest.raises(UnknownIdError, match="nearest known are 'annb', 'anna'"):
        Vocabulary.of(["zoe", "anna", "annb"]).row("annc")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, None], "must not be missing; value 2 of 2"),
        ([1.5], "not fractions such as 1.5"),
        ([[1], [2]], "int or str, not List"),
        (np.array([2**63], np.uint64), "below 2\\*\\*63"),
        ([True], "int or str, not Boolean"),
    ],
)
def test_what_cannot_be_an_id_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.of(values)


def test_repeated_ids_are_refused():
    for ids in ([1, 1], [10**12, 1, 10**12], ["b", "a", "b"], ["a", "b", "c", "d", "b"]):
        with pytest.raises(InputError, match="must be distinct"):
            Vocabulary(ids)


def test_given_order_is_kept():
    vocabulary = Vocabulary(["c", "a", "b"])
    assert vocabulary.rows(["a", "b", "c"]).tolist() == [1, 2, 0]
    assert vocabulary.id(0) == "c"


def test_rows_outside_are_refused():
    vocabulary = Vocabulary.of([1, 2])
    with pytest.raises(InputError, match="found -1 to 2"):
        vocabulary.take(np.array([-1, 2], np.int32))
    with pytest.raises(InputError, match="got 2"):
        vocabulary.id(2)


def test_empty():
    vocabulary = Vocabulary.of([])
    assert len(vocabulary) == 0 and vocabulary.rows([1, "a"]).tolist() == [-1, -1] and vocabulary.near(3) == []
    assert vocabulary.extend(["a"]).row("a") == 0


def test_threads_read_the_same():
    vocabulary = Vocabulary.of([f"user {n}" for n in range(5000)]).extend(["late"])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: vocabulary.rows(vocabulary.ids).tolist(), range(16)))
    assert all(answer == list(range(5001)) for answer in answers)


@pytest.mark.slow
def test_ten_million_ids_in_seconds():
    shuffled = np.random.default_rng(0).permutation(10_000_000)
    for values in (pl.Series(shuffled), pl.Series(shuffled) * 1_000_003, pl.Series(shuffled).cast(pl.String) + "-user"):
        vocabulary, rows = Vocabulary.encode(values)
        assert len(vocabulary) == 10_000_000 and (rows >= 0).all()
        assert vocabulary.take(rows[:1000]).equals(values[:1000], check_dtypes=True)
