"""Which rows of a table are alike: neighbour lists of ragged rows, in bounded memory.

Each row is compared with the others by walking through what it holds and who else holds it, so the cost is the number of
events in common and the memory one line of sums a thread, never a matrix of rows by rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows

KINDS = ("cosine", "pearson", "phi")
BLOCK = 256
"""Rows compared by one piece of work."""


@dataclass(frozen=True)
class Comparison:
    """How two rows are compared; negative similarities are left out.

    Parameters
    ----------
    k : int
        Neighbours that make one score.
    stored : int
        Neighbours kept for each row.
    shrinkage : float
    kind : "cosine", "pearson" or "phi"
        dot / (|a| |b|); dot / lengths over what both hold; correlation of being there or not.
    """

    k: int
    stored: int
    shrinkage: float
    kind: Literal["cosine", "pearson", "phi"]

    def sizes(self, rows: CSR) -> NDArray[np.float64]:
        """What `kind` divides by, of each row: entries for "phi", else the sum of squares; float64 [row]."""
        keys = np.repeat(np.arange(rows.n_rows), rows.counts)
        squares = None if self.kind == "phi" else rows.filled().astype(np.float64) ** 2
        return np.bincount(keys, squares, rows.n_rows).astype(np.float64)


def neighbour_lists(rows: CSR, own: Rows, holders: CSR, sizes: NDArray[np.float64], how: Comparison, threads: int | None = None) -> CSR:
    """The `how.stored` rows of a table most like each of `rows`, best first; equal similarities go to the lower row.

    Parameters
    ----------
    rows : CSR [target, column]
        What is compared; columns outside the table (-1) are left out.
    own : int32 [target]
        Each target's own row in the table, to leave out; -1 if it is not there.
    holders : CSR [column, row of the table]
        The table read the other way round: who holds each column.
    sizes : float64 [row of the table]
        `how.sizes` of the table.

    Returns
    -------
    CSR [target, row of the table]
        Values are similarities, above zero.
    """
    own_sizes = how.sizes(_known(rows))
    blocks = -(-rows.n_rows // BLOCK)
    found: list[tuple[Rows, Floats, NDArray[np.int64]]] = [_EMPTY] * blocks
    values, held = rows.filled(), holders.filled()

    def work(block: int) -> None:
        start, stop = block * BLOCK, min((block + 1) * BLOCK, rows.n_rows)
        found[block] = _neighbour_lists(
            rows.indptr[start : stop + 1], rows.columns, values, own[start:stop], own_sizes[start:stop],
            holders.indptr, holders.columns, held, sizes, KINDS.index(how.kind), how.shrinkage, min(how.stored, holders.width),
        )  # fmt: skip

    in_threads(work, blocks, threads)
    counts = np.concatenate([np.zeros(1, np.int64), *(block[2] for block in found)])
    columns = np.concatenate([np.empty(0, np.int32), *(block[0] for block in found)])
    return CSR(np.cumsum(counts), columns, np.concatenate([np.empty(0, np.float32), *(block[1] for block in found)]), holders.width)


def weighed(lists: CSR, lines: Rows, marks: CSR, at: Rows, k: int, restraint: float | None) -> Floats:
    """Score of each pair (a line of `lists`, a row of `marks`), float32 [pair]: the first k of the list that are in the row.

    With a restraint the mean of their values weighted by similarity, else the sum. Pairs with -1 on either side score 0.
    """
    return np.asarray(
        _weighed(
            lists.indptr, lists.columns, lists.filled(), lines.astype(np.int64), marks.indptr, marks.columns, marks.filled(),
            at.astype(np.int64), marks.width, k, -1.0 if restraint is None else restraint,
        )
    )  # fmt: skip


def with_columns(people: CSR, items: Rows, histories: Histories, values: Floats) -> CSR:
    """The table [person, item] with these items' entries replaced by `histories` (who holds each item) and `values`."""
    width = max(people.width, int(items.max()) + 1 if len(items) else 0)
    changed = np.zeros(width, np.bool_)
    changed[items] = True
    kept = ~changed[people.columns]
    known = (histories.rows >= 0) & (histories.rows < people.n_rows)
    rows = np.concatenate([np.repeat(np.arange(people.n_rows, dtype=np.int32), people.counts)[kept], histories.rows[known]])
    columns = np.concatenate([people.columns[kept], np.repeat(items, histories.counts)[known].astype(np.int32)])
    return csr_from_pairs(rows, columns, np.concatenate([people.filled()[kept], values[known]]), people.n_rows, width)


_EMPTY = (np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64))


def _known(rows: CSR) -> CSR:
    """The same rows without entries of column -1."""
    keep = (rows.columns >= 0) & (rows.columns < rows.width)
    if keep.all():
        return rows
    indptr = np.concatenate([[0], np.cumsum(keep)])[rows.indptr].astype(np.int64)
    return CSR(indptr, rows.columns[keep], rows.filled()[keep], rows.width)


@njit(cache=True, nogil=True)
def _neighbour_lists(indptr, columns, values, own, own_sizes, h_indptr, h_rows, h_values, sizes, kind, shrinkage, stored):  # type: ignore[no-untyped-def]
    n_targets, n_rows = len(indptr) - 1, len(sizes)
    n_columns = len(h_indptr) - 1
    dot, common = np.zeros(n_rows), np.zeros(n_rows, np.int32)
    squares = np.zeros((n_rows, 2)) if kind == 1 else np.zeros((1, 2))
    touched = np.empty(n_rows, np.int32)
    out_rows = np.empty(n_targets * stored, np.int32)
    out_values = np.empty(n_targets * stored, np.float32)
    counts = np.empty(n_targets, np.int64)
    end = 0
    for t in range(n_targets):
        n_touched = 0
        for e in range(indptr[t], indptr[t + 1]):
            c = columns[e]
            if c < 0 or c >= n_columns:
                continue
            value = np.float64(values[e])
            for h in range(h_indptr[c], h_indptr[c + 1]):
                row = h_rows[h]
                if common[row] == 0:
                    touched[n_touched] = row
                    n_touched += 1
                common[row] += 1
                dot[row] += value * h_values[h]
                if kind == 1:
                    squares[row, 0] += value * value
                    squares[row, 1] += np.float64(h_values[h]) * h_values[h]
        seen = _in_order(touched[:n_touched], common)
        similar = np.empty(n_touched, np.float32)
        kept = 0
        for m in range(n_touched):
            row = seen[m]
            s = _similarity(kind, dot[row], common[row], own_sizes[t], sizes[row], squares[row * (kind == 1)], n_columns)
            if row != own[t] and s > 0:
                seen[kept] = row
                similar[kept] = s * common[row] / (common[row] + shrinkage)
                kept += 1
            dot[row] = 0
            common[row] = 0
            if kind == 1:
                squares[row, 0] = 0
                squares[row, 1] = 0
        kept = _keep_best(seen, similar, kept, stored)
        order = np.argsort(-similar[:kept], kind="mergesort")
        counts[t] = kept
        for place in range(kept):
            out_rows[end] = seen[order[place]]
            out_values[end] = similar[order[place]]
            end += 1
    return out_rows[:end].copy(), out_values[:end].copy(), counts


@njit(cache=True, nogil=True)
def _similarity(kind, dot, common, a, b, squares, columns):  # type: ignore[no-untyped-def]
    """Of two rows of sizes a and b, with this product and so many columns in common; zero where nothing can be said."""
    if kind == 0:
        below = a * b
    elif kind == 1:
        below = squares[0] * squares[1]
    else:
        below = a * (columns - a) * b * (columns - b)
        dot = columns * common - a * b
    return dot / np.sqrt(below) if below > 0 else 0.0


@njit(cache=True, nogil=True)
def _in_order(touched, common):  # type: ignore[no-untyped-def]
    """The touched rows in rising order, by sorting them or by looking at all rows, whichever is cheaper."""
    if len(touched) * 8 < len(common):
        return np.sort(touched)
    rows = np.empty(len(touched), np.int32)
    n = 0
    for row in range(len(common)):
        if common[row] > 0:
            rows[n] = row
            n += 1
    return rows


@njit(cache=True, nogil=True)
def _keep_best(rows, similar, n, stored):  # type: ignore[no-untyped-def]
    """Move the `stored` most similar to the front, in the order they have; equal ones go to the earlier row."""
    if n <= stored:
        return n
    bar = np.partition(similar[:n], n - stored)[n - stored]
    ties = stored
    for m in range(n):
        ties -= similar[m] > bar
    kept = 0
    for m in range(n):
        tie = similar[m] == bar
        if similar[m] > bar or (tie and ties > 0):
            ties -= tie
            rows[kept] = rows[m]
            similar[kept] = similar[m]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _weighed(l_indptr, l_rows, l_values, lines, m_indptr, m_rows, m_values, at, width, k, restraint):  # type: ignore[no-untyped-def]
    mark, value = np.full(width, -1, np.int64), np.zeros(width)
    out = np.zeros(len(lines), np.float32)
    for pair in range(len(lines)):
        line, row = lines[pair], at[pair]
        if line < 0 or row < 0:
            continue
        if pair == 0 or at[pair - 1] != row or lines[pair - 1] < 0:
            for e in range(m_indptr[row], m_indptr[row + 1]):
                if m_rows[e] >= 0:
                    mark[m_rows[e]] = row
                    value[m_rows[e]] = m_values[e]
        total, weight, count = 0.0, 0.0, 0
        for n in range(l_indptr[line], l_indptr[line + 1]):
            j = l_rows[n]
            if mark[j] == row:
                total += l_values[n] * value[j]
                weight += l_values[n]
                count += 1
                if count == k:
                    break
        if restraint < 0:
            out[pair] = total
        elif weight + restraint > 0:
            out[pair] = total / (weight + restraint)
    return out
