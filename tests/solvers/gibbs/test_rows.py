"""The blocked update and the random streams, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from likewise.models.conditional import draw_rows
from likewise.models.normal import normal_cdf, normal_quantile
from likewise.models.streams import derived_key, fill_normals, gamma, stream, uniform
from likewise.parallel import in_threads
from likewise.solvers.gibbs.layout import EMPTY_FLOATS, make_layout
from likewise.solvers.gibbs.noise import taken


def problem(n_ratings: int, k: int, contexts: bool, weighted: bool, seed: int = 0):
    rng = np.random.default_rng(seed)
    sizes = [7, 5, 4] if contexts else [7, 5]
    columns = [rng.integers(0, s, n_ratings).astype(np.int32) for s in sizes]
    if contexts:
        columns[2][::3] = -1
    layout = make_layout(columns, sizes, ["user", "item", "day"][: len(sizes)])
    table = rng.standard_normal((sum(sizes), k + 1)).astype(np.float32)
    targets = rng.standard_normal(n_ratings).astype(np.float32)
    weights = rng.random(n_ratings).astype(np.float32) if weighted else EMPTY_FLOATS
    root = rng.standard_normal((k + 1, k + 1))
    return layout, table, targets, weights, root @ root.T + np.eye(k + 1), rng.standard_normal((7, k + 1)).astype(np.float32)


def naive_moments(layout, table, targets, weights, precision, prior, alpha, field, row):
    """Mean and precision of one row from a loop over ratings, in the layout's order."""
    a, b = precision.copy(), precision @ prior
    for e, rows in enumerate(layout.rows):
        if rows[field] != layout.fields[field].base + row:
            continue
        others = [table[r].astype(float) for f, r in enumerate(rows) if f != field and r >= 0]
        design = np.append(sum(o[:-1] for o in others), 1.0)
        offset = sum(o[-1] for o in others) + sum(x[:-1] @ y[:-1] for n, x in enumerate(others) for y in others[:n])
        w = alpha * (weights[e] if len(weights) else 1.0)
        a += w * np.outer(design, design)
        b += w * design * (targets[e] - offset)
    return np.linalg.solve(a, b), a


def in_order(field, *values):
    """Values [rating] in the order of the field's entries."""
    return [taken(some, field.place, 1) if len(field.place) and len(some) else some for some in values]


@pytest.mark.parametrize(("n", "k", "contexts", "weighted"), [(60, 3, False, False), (900, 6, True, True), (3000, 17, False, True)])
def test_rows_have_the_moments_of_a_plain_loop(n, k, contexts, weighted):
    layout, table, targets, weights, precision, prior = problem(n, k, contexts, weighted)
    for f, field in enumerate(layout.fields):
        means = prior[: field.size]
        out = np.empty((field.size, k + 1), np.float32)
        args = (field.indptr, field.partners, *in_order(field, targets, weights), 1.7, table, means, precision, derived_key(3))
        draw_rows(0, field.size, *args, 0.0, False, out)
        plus, minus = np.empty_like(out), np.empty_like(out)
        draw_rows(0, field.size, *args, 1.0, False, plus)
        draw_rows(0, field.size, *args, -1.0, False, minus)
        np.testing.assert_allclose((plus + minus) / 2, out, atol=2e-5)
        for row in range(field.size):
            mean, a = naive_moments(layout, table, targets, weights, precision, means[row].astype(float), 1.7, f, row)
            np.testing.assert_allclose(out[row], mean, atol=3e-4)
            z = np.empty(k + 1)
            fill_normals(np.uint64(stream(derived_key(3), row)), z)
            np.testing.assert_allclose(plus[row] - out[row], np.linalg.solve(np.linalg.cholesky(a).T, z), atol=3e-4)


def test_rows_are_the_same_bytes_however_they_are_split():
    layout, table, targets, weights, precision, prior = problem(500, 5, False, True)
    field = layout.fields[0]
    outs = []
    for parts in ([(0, 7)], [(0, 2), (2, 3), (3, 7)]):
        out = np.empty((7, 6), np.float32)

        def work(n, parts=parts, out=out):
            key = derived_key(1, 2)
            args = (field.indptr, field.partners, *in_order(field, targets, weights), 1.0, table, prior, precision, key)
            draw_rows(*parts[n], *args, 1.0, False, out)

        in_threads(work, len(parts), 2)
        outs.append(out)
    np.testing.assert_array_equal(*outs)


def test_streams_are_what_they_say():
    start = np.uint64(stream(derived_key(5), 3))
    u = np.array([uniform(start, n) for n in range(20_000)])
    assert u.min() > 0
    assert u.max() <= 1
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    z = np.empty(20_001)
    fill_normals(start, z)
    assert z.mean() == pytest.approx(0, abs=0.03)
    assert z.std() == pytest.approx(1, abs=0.03)
    assert stream(derived_key(5), 4) != start
    assert derived_key(0, 1) != derived_key(1, 0)
    for shape in (0.4, 1.0, 7.5):
        g = np.array([gamma(np.uint64(stream(derived_key(6), n)), 0, shape) for n in range(20_000)])
        assert g.mean() == pytest.approx(shape, rel=0.05)
        assert g.var() == pytest.approx(shape, rel=0.1)


def test_the_normal_distribution_and_its_inverse():
    assert normal_cdf(0.0) == 0.5
    assert normal_cdf(-1.959963984540054) == pytest.approx(0.025, abs=1e-12)
    for p in (1e-200, 1e-10, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9):
        assert normal_cdf(normal_quantile(p)) == pytest.approx(p, rel=1e-9)
    assert normal_quantile(0.0) == -np.inf
    assert normal_quantile(1.0) == np.inf
