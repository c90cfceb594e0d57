"""Small linear systems inside a graph, in double precision: conjugate gradients, and a Cholesky factor where one is needed."""

from __future__ import annotations

import numpy as np

from likewise.artifact.export.graph import Graph, Value

CLOSE = 1e-18
"""Square of the residual, relative to its start, at which conjugate gradients stop: far below what float32 can show."""
TINY = 1e-300


def conjugate_gradients(g: Graph, base: Value, design: Value, strength: Value, right: Value, width: int) -> Value:
    """The solution x [column] of (diag(base) + design' diag(strength) design) x = right, all float64.

    Parameters
    ----------
    base, right : [column]
    design : [entry, column], at least one entry
    strength : [entry], 0 or more
    width : number of columns
    """
    across = design.turned(1, 0)
    inverse = 1.0 / (base + (strength.shaped(-1, 1) * design * design).sum(0))
    first = inverse * right
    size = (right * first).sum(0, keep=True)
    enough = size * CLOSE

    def step(_: Value, x: Value, r: Value, p: Value, size: Value) -> tuple[Value, list[Value]]:
        q = base * p + across @ (strength * (design @ p))
        reach = size / (p * q).sum(0, keep=True).most(TINY)
        x, r = x + reach * p, r - reach * q
        z = inverse * r
        after = (r * z).sum(0, keep=True)
        return (after > enough).any(), [x, r, z + after / size.most(TINY) * p, after]

    return g.loop(2 * width + 10, (size > TINY).any(), [right * 0.0, right, first, size], step)[0]


def inverse_root(g: Graph, matrices: Value, width: int) -> Value:
    """The inverse of the lower Cholesky factor of each matrix [batch, width, width], float64.

    Elimination on [A | 1] leaves D L' on the left and the inverse of the unit factor L on the right.
    """
    eye = np.eye(width)
    both = g.concat(matrices, matrices * 0.0 + eye, axis=2)
    below = g.constant(np.tril(np.ones((width, width)), -1))  # column j: the rows behind j

    def step(n: Value, m: Value) -> tuple[None, list[Value]]:
        at = n.shaped(1)
        row, column = m.take(at, 1), m.take(at, 2)
        factor = column / row.take(at, 2).most(1e-12) * below.take(at, 1)
        return None, [m - factor * row]

    left = g.loop(width, None, [both], step)[0]
    pivots = (left.slice([0], [width], [2]) * eye).sum(2, keep=True)
    return left.slice([width], [2 * width], [2]) / pivots.most(1e-12).apply("Sqrt")
