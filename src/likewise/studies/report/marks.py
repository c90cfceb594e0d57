"""Pictures made of HTML and a little SVG: they follow light and dark, keep their letters' size on a phone, and are read aloud as lists.

Every text that comes from data goes through `text` here, which escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray


def text(value: object) -> str:
    """Anything, escaped for HTML and for attributes."""
    return escape(str(value), quote=True)


@dataclass(frozen=True)
class Mark:
    """One line of a picture of values with intervals.

    Parameters
    ----------
    label, said : str
        What it is, and its value in words.
    value, low, high : float
    tone : "", "good", "bad" or "quiet"
    note : str
        Smaller, beside the label.
    """

    label: str
    value: float
    low: float
    high: float
    said: str
    tone: str = ""
    note: str = ""


def marks(rows: Sequence[Mark], reference: float | None = None, caption: str = "") -> str:
    """Points with intervals, a line each, on one scale; `reference` is drawn through all of them."""
    ends = [v for row in rows for v in (row.low, row.high)] + ([reference] if reference is not None else [])
    low, high = min(ends), max(ends)
    room = 0.04 * (high - low or 1.0)
    low, high = low - room, high + room
    lines = [_mark(row, low, high) for row in rows]
    ticks = "".join(f'<span style="left:{_at(t, low, high)}%">{tick_word(t)}</span>' for t in ticks_of(low, high, 3))
    line = "" if reference is None else f"--ref:{_at(reference, low, high)}%"
    title = f'<p class="unit">{text(caption)}</p>' if caption else ""
    style = f' style="{line}"' if line else ""
    kind = "marks ruled" if line else "marks"
    return f'{title}<ol class="{kind}"{style}>{"".join(lines)}</ol><div class="scale" aria-hidden="true"><div>{ticks}</div></div>'


def _mark(row: Mark, low: float, high: float) -> str:
    start, end = _at(row.low, low, high), _at(row.high, low, high)
    note = f"<small>{text(row.note)}</small>" if row.note else ""
    return (
        f'<li class="{row.tone}"><span class="label">{text(row.label)} {note}</span><span class="track" aria-hidden="true">'
        f'<i class="bar" style="left:{start}%;width:{round(end - start, 2)}%"></i>'
        f'<i class="dot" style="left:{_at(row.value, low, high)}%"></i>'
        f'</span><span class="said">{text(row.said)}</span></li>'
    )


def bars(labels: Sequence[str], values: Sequence[float], said: Sequence[str], second: Sequence[float] | None = None) -> str:
    """Upright bars, one or two a label, as a list."""
    most = max([*values, *(second or [])], default=0) or 1
    cells = []
    for n, (label, value, word) in enumerate(zip(labels, values, said, strict=True)):
        other = "" if second is None else f'<i class="second" style="height:{100 * second[n] / most:.1f}%"></i>'
        cells.append(
            f'<li><span class="stack" aria-hidden="true"><i style="height:{100 * value / most:.1f}%"></i>{other}</span>'
            f'<span class="label">{text(label)}</span><span class="said">{text(word)}</span></li>'
        )
    return f'<ol class="bars">{"".join(cells)}</ol>'


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, its points, and whether its points are drawn or it is a quiet reference."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    tone: str = "one"
    dots: bool = False
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def chart(lines: Sequence[Line], x_label: str, y_label: str, said: str, percent: bool = False) -> str:
    """Lines over a shared pair of scales, with a legend; `said` is what a reader who cannot see it is told."""
    xs = np.concatenate([np.asarray(line.x, float) for line in lines])
    ys = np.concatenate([np.asarray(part, float) for line in lines for part in (line.y, line.low, line.high) if part is not None])
    xs, ys = xs[np.isfinite(xs)], ys[np.isfinite(ys)]
    (x0, x1), (y0, y1) = _padded(xs, 0.0), _padded(ys, 0.06)
    shapes = "".join(_line(line, (x0, x1), (y0, y1)) for line in lines)
    x_ticks, y_ticks = ticks_of(x0, x1, 5), ticks_of(y0, y1, 4)
    grid = "".join(f'<line x1="0" x2="100" y1="{100 - _at(t, y0, y1):.2f}" y2="{100 - _at(t, y0, y1):.2f}"/>' for t in y_ticks)
    words = [f"{100 * t:g} %" for t in x_ticks] if percent else [tick_word(t) for t in x_ticks]
    below = "".join(f'<span style="left:{_at(t, x0, x1)}%">{word}</span>' for t, word in zip(x_ticks, words, strict=True))
    y_words = [f"{100 * t:g} %" for t in y_ticks] if percent else [tick_word(t) for t in y_ticks]
    beside = "".join(f'<span style="bottom:{_at(t, y0, y1)}%">{word}</span>' for t, word in zip(y_ticks, y_words, strict=True))
    legend = "".join(f'<li class="{line.tone}">{text(line.name)}</li>' for line in lines if len(lines) > 1)
    return (
        f'<div class="chart"><ul class="legend">{legend}</ul><p class="unit">{text(y_label)}</p>'
        f'<div class="plot" role="img" aria-label="{text(said)}"><div class="y" aria-hidden="true">{beside}</div>'
        f'<div class="area">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><g class="grid">{grid}</g>{shapes}</svg>'
        f'{"".join(_dots(line, (x0, x1), (y0, y1)) for line in lines)}</div><div class="x" aria-hidden="true">{below}</div></div>'
        f'<p class="unit x-unit">{text(x_label)}</p></div>'
    )


def _line(line: Line, x: tuple[float, float], y: tuple[float, float]) -> str:
    points = [(_at(a, *x), 100 - _at(b, *y)) for a, b in zip(line.x, line.y, strict=True) if math.isfinite(b)]
    path = " ".join(f"{a:.2f},{b:.2f}" for a, b in points)
    return f'<polyline class="{line.tone}" points="{path}"/>'


def _dots(line: Line, x: tuple[float, float], y: tuple[float, float]) -> str:
    if not line.dots:
        return ""
    out = []
    for n, (a, b) in enumerate(zip(line.x, line.y, strict=True)):
        if line.low is not None and line.high is not None:
            low, high = _at(line.low[n], *y), _at(line.high[n], *y)
            out.append(f'<i class="whisker {line.tone}" style="left:{_at(a, *x)}%;bottom:{low}%;height:{round(high - low, 2)}%"></i>')
        out.append(f'<i class="point {line.tone}" style="left:{_at(a, *x)}%;bottom:{_at(b, *y)}%"></i>')
    return "".join(out)


def _padded(values: NDArray[np.float64], share: float) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = (high - low or abs(high) or 1.0) * share
    return low - room, (high + room if high > low or room else low + 1.0)


def ticks_of(low: float, high: float, about: int) -> list[float]:
    """Round numbers inside an interval, about so many.

    >>> ticks_of(0.13, 0.92, 4)
    [0.2, 0.4, 0.6, 0.8]
    """
    span = (high - low) / max(about, 1)
    if not span > 0 or not math.isfinite(span):
        return [low]
    ten = 10.0 ** math.floor(math.log10(span))
    step = min((f * ten for f in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - span))
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_word(value: float) -> str:
    """A number on a scale, as short as it can be."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _at(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / (high - low), 2) if high > low else 50.0
