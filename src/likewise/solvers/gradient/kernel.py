"""Gradient descent one rating at a time: forward, gradient and update of the dot product in one pass over two rows.

    score = mean + b_u + b_i + p_u . q_i
    squared    loss = (r - link(score))^2           logistic   loss = log(1 + e^score) - r score
    ranking    loss = log(1 + e^-(score_i - score_j)), j not among the user's items (BPR, Rendle et al. 2009)

plus hold / 2 * |row|^2 for every row that an event looks up. Rows are padded to whole vectors; what belongs to one row beside
its factors (bias, how it is held, Adagrad's running sum) lies side by side in one short line, so an event touches four places.
Indices are unsigned, since a signed one is checked for counting from the end and the loop stops being a vector loop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from likewise.shapes import Floats

LANES = 16
"""Factors are padded to a multiple: one vector of the widest kind, one cache line."""
BIAS, HOLD, SEEN = np.uint64(0), np.uint64(1), np.uint64(2)
"""Columns of a row's line: its bias, its L2, Adagrad's running mean square; a fourth fills the line up."""
FREE, SIGMOID, LOGISTIC = 0, 1, 2


class Tables(NamedTuple):
    """What is learned: factors float32 [row, padded factor], lines float32 [row, 4]."""

    user_factors: Floats
    item_factors: Floats
    user_lines: Floats
    item_lines: Floats


class Pace(NamedTuple):
    """How a step is taken: the rate, 1 if there are biases else 0, the columns of Adagrad's mean or 0 for plain steps; mean, link."""

    rate: np.float32
    bias: np.float32
    adagrad: np.float32
    eps: np.float32
    mean: np.float32
    kind: int
    low: np.float32
    span: np.float32


_FAST = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, boundscheck=False, fastmath=_FAST)
def descend(users, items, targets, weights, tables, pace, draw, negatives):  # type: ignore[no-untyped-def]
    """One pass over events with a target each; returns the sum of their losses before each step.

    After each event come `negatives` items that the user has not, with target zero. `draw` is (choices, indptr, columns, state):
    the items to draw from, each user's own items in rising order, the generator's state. `weights` may be empty.
    """
    p, q, a, c = tables
    rate, bias, adagrad, eps, mean, kind, low, span = pace
    choices, indptr, columns, state = draw
    width = np.uint64(p.shape[1])
    total = 0.0
    weight = np.float32(1)
    for n in range(len(users)):
        u, i, target = np.uint64(users[n]), np.uint64(items[n]), targets[n]
        if len(weights) > 0:
            weight = weights[n]
        for m in range(1 + negatives):
            if m > 0:
                j = _unseen(users[n], choices, indptr, columns, state)
                if j < 0:
                    continue
                i, target = np.uint64(j), np.float32(0)
            dot = np.float32(0)
            for f in range(width):
                dot += p[u, f] * q[i, f]
            loss, pull = _pull(mean + a[u, BIAS] + c[i, BIAS] + dot, target, kind, low, span)
            total += weight * loss
            pull *= weight
            rate_u, rate_i = rate, rate
            if adagrad > 0:
                size_p, size_q = np.float32(0), np.float32(0)
                for f in range(width):
                    size_p += p[u, f] * p[u, f]
                    size_q += q[i, f] * q[i, f]
                a[u, SEEN] += pull * pull * (size_q + bias) / adagrad
                c[i, SEEN] += pull * pull * (size_p + bias) / adagrad
                rate_u, rate_i = _adapted(rate, a[u, SEEN], eps), _adapted(rate, c[i, SEEN], eps)
            a[u, BIAS] += bias * rate_u * (pull - a[u, HOLD] * a[u, BIAS])
            c[i, BIAS] += bias * rate_i * (pull - c[i, HOLD] * c[i, BIAS])
            keep_u, keep_i = np.float32(1) - rate_u * a[u, HOLD], np.float32(1) - rate_i * c[i, HOLD]
            step_u, step_i = rate_u * pull, rate_i * pull
            for f in range(width):
                pf, qf = p[u, f], q[i, f]
                p[u, f] = keep_u * pf + step_u * qf
                q[i, f] = keep_i * qf + step_i * pf
    return total


@njit(cache=True, nogil=True, boundscheck=False, fastmath=_FAST)
def descend_pairs(users, items, weights, tables, pace, draw, negatives):  # type: ignore[no-untyped-def]
    """One pass over likes, each set beside `negatives` drawn items; returns the sum of the losses. Arguments as for `descend`."""
    p, q, a, c = tables
    rate, bias, adagrad, eps, _, _, low, span = pace
    choices, indptr, columns, state = draw
    width = np.uint64(p.shape[1])
    total = 0.0
    weight = np.float32(1)
    for n in range(len(users)):
        u, i = np.uint64(users[n]), np.uint64(items[n])
        if len(weights) > 0:
            weight = weights[n]
        for _ in range(negatives):
            drawn = _unseen(users[n], choices, indptr, columns, state)
            if drawn < 0:
                continue
            j = np.uint64(drawn)
            dot = np.float32(0)
            for f in range(width):
                dot += p[u, f] * (q[i, f] - q[j, f])
            loss, pull = _pull(c[i, BIAS] - c[j, BIAS] + dot, np.float32(1), LOGISTIC, low, span)
            total += weight * loss
            pull *= weight
            rate_u, rate_i, rate_j = rate, rate, rate
            if adagrad > 0:
                size_p, size_d = np.float32(0), np.float32(0)
                for f in range(width):
                    size_p += p[u, f] * p[u, f]
                    size_d += (q[i, f] - q[j, f]) ** 2
                a[u, SEEN] += pull * pull * size_d / adagrad
                c[i, SEEN] += pull * pull * (size_p + bias) / adagrad
                c[j, SEEN] += pull * pull * (size_p + bias) / adagrad
                rate_u, rate_i, rate_j = _adapted(rate, a[u, SEEN], eps), _adapted(rate, c[i, SEEN], eps), _adapted(rate, c[j, SEEN], eps)
            c[i, BIAS] += bias * rate_i * (pull - c[i, HOLD] * c[i, BIAS])
            c[j, BIAS] -= bias * rate_j * (pull + c[j, HOLD] * c[j, BIAS])
            keep_u = np.float32(1) - rate_u * a[u, HOLD]
            keep_i, keep_j = np.float32(1) - rate_i * c[i, HOLD], np.float32(1) - rate_j * c[j, HOLD]
            step_u, step_i, step_j = rate_u * pull, rate_i * pull, rate_j * pull
            for f in range(width):
                pf, qi, qj = p[u, f], q[i, f], q[j, f]
                p[u, f] = keep_u * pf + step_u * (qi - qj)
                q[i, f] = keep_i * qi + step_i * pf
                q[j, f] = keep_j * qj - step_j * pf
    return total


@njit(cache=True, nogil=True, boundscheck=False, fastmath=_FAST)
def scores_of(users, items, tables, mean):  # type: ignore[no-untyped-def]
    """Scores float32 [event] before the link."""
    p, q, a, c = tables
    width = np.uint64(p.shape[1])
    scores = np.empty(len(users), np.float32)
    for n in range(len(users)):
        u, i = np.uint64(users[n]), np.uint64(items[n])
        dot = np.float32(0)
        for f in range(width):
            dot += p[u, f] * q[i, f]
        scores[n] = mean + a[u, BIAS] + c[i, BIAS] + dot
    return scores


@njit(nogil=True, fastmath=_FAST)
def _pull(score, target, kind, low, span):  # type: ignore[no-untyped-def]
    """The loss, and minus its derivative by the score."""
    if kind == FREE:
        error = target - score
        return error * error, np.float32(2) * error
    # tanh does not overflow where exp would
    share = np.float32(0.5) + np.float32(0.5) * np.float32(np.tanh(np.float32(0.5) * score))
    if kind == SIGMOID:
        error = target - low - span * share
        return error * error, np.float32(2) * error * span * share * (np.float32(1) - share)
    loss = max(score, np.float32(0)) - target * score + np.float32(np.log1p(np.exp(-abs(score))))
    return loss, target - share


@njit(nogil=True, fastmath=_FAST)
def _adapted(rate, seen, eps):  # type: ignore[no-untyped-def]
    """Row-wise Adagrad: the rate over the root of the running sum of mean squared gradients."""
    return rate / (np.sqrt(seen) + eps)


@njit(nogil=True, boundscheck=False)
def _unseen(user, choices, indptr, columns, state):  # type: ignore[no-untyped-def]
    """An item drawn evenly from the choices and not among the user's own; -1 if sixteen draws found none."""
    for _ in range(16):
        # splitmix64 (Steele, Lea and Flood 2014)
        state[0] += np.uint64(0x9E3779B97F4A7C15)
        z = state[0]
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        item = choices[np.int64(((z >> np.uint64(32)) * np.uint64(len(choices))) >> np.uint64(32))]
        low, high = indptr[user], indptr[user + 1]
        while low < high:
            middle = (low + high) >> 1
            if columns[middle] < item:
                low = middle + 1
            else:
                high = middle
        if low == indptr[user + 1] or columns[low] != item:
            return item
    return np.int32(-1)
