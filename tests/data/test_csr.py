import numpy as np
import pytest
from hypothesis import given, strategies as st

from likewise.data.csr import CSR, counting_sort, csr_from_pairs, empty_csr, ragged_take
from likewise.errors import InputError

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(-9, 9)), max_size=40)


def build(entries):
    rows, columns, values = (np.array([e[n] for e in entries], t) for n, t in ((0, np.int32), (1, np.int32), (2, np.float32)))
    return csr_from_pairs(rows, columns, values, 6, 4)


@given(PAIRS)
def test_pairs_land_where_they_belong(entries):
    naive = np.zeros((6, 4), np.float32)
    for row, column, value in entries:
        naive[row, column] += value
    csr = build(entries)
    np.testing.assert_array_equal(csr.toarray(), naive)
    np.testing.assert_array_equal(csr.transpose().toarray(), naive.T)
    for r in range(6):
        assert csr.row(r).tolist() == [column for row, column, _ in entries if row == r]


@given(PAIRS, st.lists(st.integers(-1, 5), max_size=8))
def test_taking_rows(entries, rows):
    csr = build(entries)
    dense = np.vstack([csr.toarray(), np.zeros((1, 4), np.float32)])
    np.testing.assert_array_equal(csr.take(np.array(rows, np.int32)).toarray(), dense[rows].reshape(len(rows), 4))


@given(st.lists(st.integers(0, 9)))
def test_counting_sort_is_the_stable_sort(keys):
    indptr, order = counting_sort(np.array(keys, np.int32), 10)
    assert order.tolist() == sorted(range(len(keys)), key=keys.__getitem__)
    assert np.diff(indptr).tolist() == [keys.count(n) for n in range(10)]


def test_ragged_take_of_nobody():
    indptr, positions = ragged_take(np.array([0, 2, 3], np.int64), np.array([-1, 1], np.int32))
    assert indptr.tolist() == [0, 0, 1] and positions.tolist() == [2]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="found 0 to 7"):
        counting_sort(np.array([0, 7], np.int32), 7)
    with pytest.raises(InputError, match="indptr"):
        CSR(np.array([0, 2], np.int64), np.zeros(1, np.int32), None, 1)
    with pytest.raises(InputError, match="one number an entry"):
        CSR(np.array([0, 1], np.int64), np.zeros(1, np.int32), np.zeros(2, np.float32), 1)
    assert empty_csr(3, 2).toarray().shape == (3, 2)
