"""The main pictures beside the ones that were looked at and found good.

A reference is a picture shrunk to a grid of cells, each a digit of how dark it is: a text file that a review can read. After a
change that is meant to be seen, look at the new pictures and write them: `python -m tests.insight.test_reference_pictures`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.recommender import Recommender
from tests.insight.worlds import world

matplotlib = pytest.importorskip("matplotlib")

REFERENCES = Path(__file__).parent / "reference"
ROWS, COLUMNS, CELL = 40, 80, 10
DIGITS = 9
TOLERATED = 0.12
"""Mean difference of a cell, in digits: fonts and the last digits of a fit may differ, a missing line or label is more."""


@cache
def measured() -> tuple[Recommender, Dataset]:
    train, test = lw.split(world(), by="time")
    solver = lw.Gradient(epochs=40, optimizer=lw.SGD(0.02), engine="one-pass")
    return lw.Recommender(lw.Dot(factors=4), solver).fit(train, valid=test), test


PICTURES = {
    "biases": lambda rec, test, ax: rec.insight.items().plot(6, ax=ax),
    "axis-ends": lambda rec, test, ax: rec.insight.axes().plot(1, n=5, ax=ax),
    "map": lambda rec, test, ax: rec.insight.map().plot(colour="genres", labels=8, ax=ax),
    "training": lambda rec, test, ax: rec.insight.training().plot(ax=ax),
    "calibration": lambda rec, test, ax: rec.insight.calibration(test).plot(ax=ax),
    "comparison": lambda rec, test, ax: rec.evaluate(test).plot(ax=ax),
}


def drawn(name: str) -> list[str]:
    """A picture as lines of digits, 0 for the lightest cell."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(COLUMNS * CELL / 100, ROWS * CELL / 100), dpi=100, layout="constrained")
        PICTURES[name](*measured(), figure.add_subplot())
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        ink = 255 - np.asarray(canvas.buffer_rgba())[..., :3].mean(2)
    cells = ink.reshape(ROWS, CELL, COLUMNS, CELL).mean((1, 3)) / 255
    return ["".join(map(str, row)) for row in np.rint(np.sqrt(cells) * DIGITS).astype(int)]


def difference(one: list[str], other: list[str]) -> float:
    """Mean difference of the cells, in digits."""
    first, second = (np.array([list(map(int, line)) for line in lines]) for lines in (one, other))
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_it_was_found_good(name):
    reference = (REFERENCES / f"{name}.txt").read_text().split()
    assert difference(drawn(name), reference) < TOLERATED


def test_the_pictures_differ_by_more_than_is_tolerated():
    """So that the comparison can fail: every reference is far from every other, and from itself without a tenth of its lines."""
    references = {name: (REFERENCES / f"{name}.txt").read_text().split() for name in PICTURES}
    for name, lines in references.items():
        assert all(difference(lines, other) > 2 * TOLERATED for known, other in references.items() if known != name)
        inked = sorted(range(ROWS), key=lambda row: -sum(map(int, lines[row])))[: ROWS // 10]
        assert difference(lines, [line if row not in inked else "0" * COLUMNS for row, line in enumerate(lines)]) > TOLERATED


if __name__ == "__main__":
    for name in PICTURES:
        (REFERENCES / f"{name}.txt").write_text("\n".join(drawn(name)) + "\n")
