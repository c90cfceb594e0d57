"""One side's rows when likes are choices: penalised maximum likelihood with the other side fixed.

A row x is found among many at once by conjugate gradients (Polak and Ribiere 1969) with Newton's step along each direction, where

    cost(x) = loss(F x + offset) + ridge / 2 * |x|^2           F: [other, column], the fixed side's vectors

and the loss is convex in the logits: a choice from the whole catalogue for a person, a yes or no of everybody for a new item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from likewise.shapes import Floats

STEPS = 40
ENOUGH = 1e-6
"""Fall of the cost, as a share of it, at which a row has settled."""
WIDE = 1 << 22
"""Logits held at once: 16 MB of float32 an array."""
NEWTON = 3
"""Newton's steps along a direction; the loss is smooth, so two are nearly exact."""


@dataclass(frozen=True, eq=False)
class Choices:
    """People who chose from the whole catalogue: loss = mass * log sum exp(logits) - wanted . logits.

    Parameters
    ----------
    wanted : float32 [row, other]
        Weight of each row's likes.
    """

    wanted: Floats

    def cost(self, logits: Floats) -> Floats:
        """[row]."""
        top = logits.max(1)
        total = np.log(np.exp(logits - top[:, None]).sum(1)) + top
        return np.asarray(self.wanted.sum(1) * total - (self.wanted * logits).sum(1), np.float32)

    def slope(self, logits: Floats) -> Floats:
        """Derivative by the logits, [row, other]."""
        return np.asarray(self.wanted.sum(1)[:, None] * softmax(logits) - self.wanted, np.float32)

    def along(self, logits: Floats, move: Floats) -> tuple[Floats, Floats]:
        """First and second derivative [row] along a move of the logits."""
        chance, mass = softmax(logits), self.wanted.sum(1)
        mean = (chance * move).sum(1)
        return mass * mean - (self.wanted * move).sum(1), mass * ((chance * move * move).sum(1) - mean * mean)


@dataclass(frozen=True, eq=False)
class Takers:
    """Who took an item and who left it: loss = sum of (mass + wanted) * log(1 + exp(logit)) - wanted * logit.

    Logits are the new item's score less the log of what all others' scores sum to.

    Parameters
    ----------
    wanted : float32 [row, other]
    mass : float32 [other]
        Weight of each person's choices of other items.
    """

    wanted: Floats
    mass: Floats

    def cost(self, logits: Floats) -> Floats:
        """[row]."""
        return np.asarray(((self.mass + self.wanted) * np.logaddexp(0, logits) - self.wanted * logits).sum(1), np.float32)

    def slope(self, logits: Floats) -> Floats:
        """Derivative by the logits, [row, other]."""
        return np.asarray((self.mass + self.wanted) * _sigmoid(logits) - self.wanted, np.float32)

    def along(self, logits: Floats, move: Floats) -> tuple[Floats, Floats]:
        """First and second derivative [row] along a move of the logits."""
        chance = _sigmoid(logits)
        both = self.mass + self.wanted
        return ((both * chance - self.wanted) * move).sum(1), (both * chance * (1 - chance) * move * move).sum(1)


Problem: TypeAlias = tuple[Choices | Takers, Floats]


def best_rows(problem: Callable[[slice], Problem], design: Floats, ridge: Floats, centre: Floats) -> Floats:
    """Rows [row, column] of least cost.

    Parameters
    ----------
    problem : the loss of a slice of the rows, and their offsets, float32 [other] or [row, other].
    design : float32 [other, column]
    ridge : float32 [row, column]
        Penalty of each number.
    centre : float32 [column]
        Where the penalty draws to, and the rows begin.
    """
    rows = np.tile(np.asarray(centre, np.float32), (len(ridge), 1))
    if not len(design):  # nothing to choose from
        return rows
    block = max(1, WIDE // max(1, len(design)))
    for start in range(0, len(rows), block):
        some = slice(start, start + block)
        rows[some] = _descend(*problem(some), design, ridge[some], rows[some])
    return rows


def softmax(logits: Floats) -> Floats:
    """Chances [row, other] that sum to one a row."""
    chance = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(chance / chance.sum(1, keepdims=True), np.float32)


def _descend(loss: Choices | Takers, offsets: Floats, design: Floats, ridge: Floats, start: Floats) -> Floats:
    away = np.zeros_like(start)
    logits: Floats = start @ design.T + offsets
    cost = loss.cost(logits)
    direction: Floats = -(loss.slope(logits) @ design)
    steepest = direction
    for _ in range(STEPS):
        move: Floats = direction @ design.T
        step = _step(loss, logits, move, away, direction, ridge)
        away = np.asarray(away + step * direction, np.float32)
        logits = np.asarray(logits + step * move, np.float32)
        was, cost = cost, np.asarray(loss.cost(logits) + 0.5 * (ridge * away * away).sum(1), np.float32)
        if (was - cost <= ENOUGH * np.abs(was)).all():
            break
        new: Floats = -(loss.slope(logits) @ design + ridge * away)
        turn = (new * (new - steepest)).sum(1) / np.maximum((steepest * steepest).sum(1), 1e-20)
        direction, steepest = np.asarray(new + np.maximum(turn, 0)[:, None] * direction, np.float32), new
    return np.asarray(start + away, np.float32)


def _step(loss: Choices | Takers, logits: Floats, move: Floats, away: Floats, direction: Floats, ridge: Floats) -> Floats:
    """How far along the direction the cost is least, [row, 1]."""
    step: Floats = np.zeros((len(logits), 1), np.float32)
    flat = (ridge * direction * direction).sum(1)
    for _ in range(NEWTON):
        first, second = loss.along(np.asarray(logits + step * move, np.float32), move)
        first = first + (ridge * (away + step * direction) * direction).sum(1)
        step = np.asarray(step - (first / np.maximum(second + flat, 1e-20))[:, None], np.float32)
    return np.asarray(np.where(np.isfinite(step), np.maximum(step, 0), 0), np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)
