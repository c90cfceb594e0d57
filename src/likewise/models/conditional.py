"""The blocked update: every row of a field drawn from its Gaussian conditional, given all other fields.

A row `(v, b)` of width `k + 1` meets each of its ratings with the design `(sum of the other fields' v, 1)`, so that

    precision = prior precision + sum of w d d'        mean = precision^-1 (prior precision prior mean + sum of w d t)

A row's ratings are gathered side by side, a chunk at a time, as `[column, rating]` with the target as one more column; the
precision and the right-hand side are then dot products of long contiguous rows, which vectorise, four by four so that each load
serves four products. Chunks are summed in float64. A few ratings, as most rows have, are added one product at a time instead, four
ratings together: sums of long rows would be mostly padding. The equations of many rows are then solved side by side, in lanes.
"""

import math

import numpy as np
from numba import njit

from likewise.models.streams import fill_normals, stream

CHUNK = 256
FEW = 12
"""Ratings up to which products are added one by one."""
LANES = 32
"""Rows whose equations are solved side by side, each step for all of them at once."""
_STRIDE = CHUNK + 16  # not a power of two, or the columns would share cache sets


@njit(cache=True, nogil=True, fastmath=True)
def _gram_tile(d, x, y, n, a):  # type: ignore[no-untyped-def]
    """Add sixteen dot products of the first n ratings: a[x + i, y + j] += d[x + i] . d[y + j]."""
    z = np.float32(0)
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = z
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = z
    x0, x1, x2, x3 = d[x], d[x + 1], d[x + 2], d[x + 3]
    y0, y1, y2, y3 = d[y], d[y + 1], d[y + 2], d[y + 3]
    for r in range(n):
        p0, p1, p2, p3 = x0[r], x1[r], x2[r], x3[r]
        q0, q1, q2, q3 = y0[r], y1[r], y2[r], y3[r]
        s00 += p0 * q0
        s01 += p0 * q1
        s02 += p0 * q2
        s03 += p0 * q3
        s10 += p1 * q0
        s11 += p1 * q1
        s12 += p1 * q2
        s13 += p1 * q3
        s20 += p2 * q0
        s21 += p2 * q1
        s22 += p2 * q2
        s23 += p2 * q3
        s30 += p3 * q0
        s31 += p3 * q1
        s32 += p3 * q2
        s33 += p3 * q3
    a[x, y] += s00
    a[x, y + 1] += s01
    a[x, y + 2] += s02
    a[x, y + 3] += s03
    a[x + 1, y] += s10
    a[x + 1, y + 1] += s11
    a[x + 1, y + 2] += s12
    a[x + 1, y + 3] += s13
    a[x + 2, y] += s20
    a[x + 2, y + 1] += s21
    a[x + 2, y + 2] += s22
    a[x + 2, y + 3] += s23
    a[x + 3, y] += s30
    a[x + 3, y + 1] += s31
    a[x + 3, y + 2] += s32
    a[x + 3, y + 3] += s33


@njit(cache=True, nogil=True, fastmath=True)
def _gather(table, partners, start, n, targets, weights, d):  # type: ignore[no-untyped-def]
    """Columns of a chunk of ratings into d [column, rating], each scaled by the square root of its weight; pads with zeros."""
    k = table.shape[1] - 1
    for r in range(n):
        d[k + 1, r] = targets[start + r]
        d[k, r] = math.sqrt(weights[start + r]) if weights.shape[0] else 1
    if partners.shape[1] == 1:
        _gather_partner(table, partners, start, n, d)
    else:
        _gather_partners(table, partners, start, n, d)
    step = 4 if n <= FEW else 16
    padded = (n + step - 1) // step * step
    for x in range(k + 2):
        for r in range(n, padded):
            d[x, r] = 0
    return padded


@njit(cache=True, nogil=True, fastmath=True)
def _gather_partner(table, partners, start, n, d):  # type: ignore[no-untyped-def]
    """The one other row of each rating."""
    k = table.shape[1] - 1
    for r in range(n):
        row, s = partners[start + r, 0], d[k, r]
        if row < 0:
            for x in range(k):
                d[x, r] = 0
            d[k + 1, r] *= s
        else:
            for x in range(k):
                d[x, r] = s * table[row, x]
            d[k + 1, r] = s * (d[k + 1, r] - table[row, k])


@njit(cache=True, nogil=True, fastmath=True)
def _gather_partners(table, partners, start, n, d):  # type: ignore[no-untyped-def]
    """The sum of the other rows of each rating; what they score among themselves is known."""
    k = table.shape[1] - 1
    for r in range(n):
        offset = np.float32(0)
        for x in range(k):
            d[x, r] = 0
        for f in range(partners.shape[1]):
            row = partners[start + r, f]
            if row < 0:
                continue
            offset += table[row, k]
            for x in range(k):
                offset += d[x, r] * table[row, x]
                d[x, r] += table[row, x]
        s = d[k, r]
        d[k + 1, r] = s * (d[k + 1, r] - offset)
        for x in range(k):
            d[x, r] *= s


@njit(cache=True, nogil=True, fastmath=True)
def _add_few(d, n, fours, gram):  # type: ignore[no-untyped-def]
    """Add the products of the columns of n ratings, four at a time, to the lower half of gram; `fours` is room for them."""
    c0, c1, c2, c3 = fours[0], fours[1], fours[2], fours[3]
    for r in range(0, n, 4):
        for x in range(gram.shape[0]):
            c0[x], c1[x], c2[x], c3[x] = d[x, r], d[x, r + 1], d[x, r + 2], d[x, r + 3]
        for x in range(gram.shape[0]):
            p0, p1, p2, p3 = c0[x], c1[x], c2[x], c3[x]
            for y in range(x + 1):
                gram[x, y] += p0 * c0[y] + p1 * c1[y] + p2 * c2[y] + p3 * c3[y]


@njit(cache=True, nogil=True)
def _add_ratings(table, partners, first, last, targets, weights, d, fours, gram):  # type: ignore[no-untyped-def]
    """Add the products of the columns of ratings [first, last) to gram, the target's last; `d` and `fours` are room to work in."""
    for start in range(first, last, CHUNK):
        n = _gather(table, partners, start, min(CHUNK, last - start), targets, weights, d)
        if n <= FEW:
            _add_few(d, n, fours, gram)
            continue
        for x in range(0, gram.shape[0], 4):
            for y in range(0, x + 4, 4):
                _gram_tile(d, x, y, n, gram)


@njit(cache=True, nogil=True, fastmath=True)
def _cholesky(a, n):  # type: ignore[no-untyped-def]
    """Lower factors of n x n matrices [row, column, lane], in place, with the reciprocals of the diagonals on the diagonals."""
    lanes = a.shape[2]
    for x in range(n):
        for y in range(x):
            for z in range(y):
                for lane in range(lanes):
                    a[x, y, lane] -= a[x, z, lane] * a[y, z, lane]
            for lane in range(lanes):
                a[x, y, lane] *= a[y, y, lane]
        for z in range(x):
            for lane in range(lanes):
                a[x, x, lane] -= a[x, z, lane] * a[x, z, lane]
        for lane in range(lanes):
            a[x, x, lane] = 1.0 / math.sqrt(max(a[x, x, lane], 1e-12))


@njit(cache=True, nogil=True, fastmath=True)
def _solve(a, n, noise, z, x_):  # type: ignore[no-untyped-def]
    """Solve [row, lane] in place with the factors of `_cholesky`; `noise * z` is added half way, where covariances are identities."""
    lanes = a.shape[2]
    for x in range(n):
        for y in range(x):
            for lane in range(lanes):
                x_[x, lane] -= a[x, y, lane] * x_[y, lane]
        for lane in range(lanes):
            x_[x, lane] *= a[x, x, lane]
    for x in range(n):
        for lane in range(lanes):
            x_[x, lane] += noise * z[lane, x]
    for x in range(n - 1, -1, -1):
        for lane in range(lanes):
            x_[x, lane] *= a[x, x, lane]
        for y in range(x):
            for lane in range(lanes):
                x_[y, lane] -= a[x, y, lane] * x_[x, lane]


@njit(cache=True, nogil=True, fastmath=True)
def _solve_one(a, n, noise, z, x_):  # type: ignore[no-untyped-def]
    """`_cholesky` and `_solve` for one row alone, as for a visitor."""
    for x in range(n):
        for y in range(x):
            s = a[x, y]
            for c in range(y):
                s -= a[x, c] * a[y, c]
            a[x, y] = s * a[y, y]
        s = a[x, x]
        for c in range(x):
            s -= a[x, c] * a[x, c]
        a[x, x] = 1.0 / math.sqrt(max(s, 1e-12))
        s = x_[x]
        for y in range(x):
            s -= a[x, y] * x_[y]
        x_[x] = s * a[x, x]
    for x in range(n - 1, -1, -1):
        x_[x] = (x_[x] + noise * z[x]) * a[x, x]
        for y in range(x):
            x_[y] -= x_[x] * a[x, y]


@njit(cache=True, nogil=True, fastmath=True)
def _pull(precision, mean, out):  # type: ignore[no-untyped-def]
    """What the prior adds to the right-hand side: precision @ mean."""
    for x in range(precision.shape[0]):
        s = 0.0
        for y in range(precision.shape[0]):
            s += precision[x, y] * mean[y]
        out[x] = s


@njit(cache=True, nogil=True)
def draw_rows(first, last, indptr, partners, targets, weights, alpha, table, prior_mean, prior_precision, key, noise, alike, out):  # type: ignore[no-untyped-def]
    """Draw rows [first, last) of one field into `out` [row, k + 1], which may be the field's part of the table itself.

    Parameters
    ----------
    indptr : int64 [row + 1], partners : int32 [entry, other field]
        The field's ratings sorted by row; the other fields' rows in `table`, -1 where unknown.
    targets, weights : float32 [entry]; weights may be empty, for all one.
    alpha : float, precision of the noise at weight one.
    table : float32 [row of any field, k + 1]
    prior_mean : float32 [row, k + 1] or [1, k + 1] for all rows alike.
    prior_precision : float64 [k + 1, k + 1]
    key : uint64, noise : float
        1 draws, -1 draws the mirror image of that around the conditional mean, 0 takes the conditional mean.
    alike : bool
        The same noise for every row, so that a row's draw does not depend on its place.
    """
    width = table.shape[1]
    tiles = (width + 1 + 3) // 4 * 4
    d = np.zeros((tiles, _STRIDE), np.float32)
    fours = np.empty((4, tiles), np.float64)
    gram = np.empty((tiles, tiles), np.float64)
    lanes = max(1, min(LANES, last - first))
    a = np.zeros((width, width, lanes), np.float64)
    x_ = np.zeros((width, lanes), np.float64)
    z = np.empty((lanes, width), np.float64)
    shared = prior_mean.shape[0] == 1
    pull = np.empty(width, np.float64)
    if shared:
        _pull(prior_precision, prior_mean[0], pull)
    for together in range(first, last, lanes):
        here = min(lanes, last - together)
        for lane in range(here):
            row = together + lane
            gram[:] = 0
            _add_ratings(table, partners, indptr[row], indptr[row + 1], targets, weights, d, fours, gram)
            if not shared:
                _pull(prior_precision, prior_mean[row], pull)
            for x in range(width):
                x_[x, lane] = alpha * gram[width, x] + pull[x]
                for y in range(x + 1):
                    a[x, y, lane] = alpha * gram[x, y] + prior_precision[x, y]
            fill_normals(stream(key, 0 if alike else row), z[lane])
        if lanes == 1:
            _solve_one(a[:, :, 0], width, noise, z[0], x_[:, 0])
        else:
            _cholesky(a, width)
            _solve(a, width, noise, z, x_)
        for lane in range(here):
            for x in range(width):
                out[together + lane, x] = x_[x, lane]
