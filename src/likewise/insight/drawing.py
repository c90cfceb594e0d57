"""A model drawn: boxes for what is looked up and computed, with shapes, from the rows on the left to the rating on the right.

Networks are read from their real module (`models.networks.graph`); the models in closed form are drawn from their equation and the
shapes of their arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np

from likewise.answers import Answers
from likewise.errors import InputError
from likewise.models.graph import Graph, Node
from likewise.models.networks.base import Network

WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 148.0, 46.0, 56.0, 20.0, 12.0
STYLE = (
    ".lw-node rect{fill:#fff;stroke:#8a8f98;stroke-width:1.2}"
    ".lw-node text{font:600 13px system-ui,sans-serif;fill:#1b1e24;text-anchor:middle}"
    ".lw-node .lw-detail{font-weight:400;font-size:11.5px;fill:#5a606b}.lw-edge{fill:none;stroke:#8a8f98;stroke-width:1.4}"
    ".lw-table rect{fill:#e7eefc;stroke:#3b63c4}.lw-layer rect{fill:#e4f3ee;stroke:#1d7a5f}.lw-operation rect{stroke-dasharray:3 3}"
    ".lw-output rect{fill:#1b1e24;stroke:#1b1e24}.lw-output text,.lw-output .lw-detail{fill:#fff}.lw-arrow{fill:#8a8f98}"
    "@media (prefers-color-scheme:dark){.lw-node rect{fill:#1d2026}.lw-node text{fill:#eceef2}.lw-node .lw-detail{fill:#a9b0bd}"
    ".lw-table rect{fill:#1d2a4a;stroke:#7fa0f0}.lw-layer rect{fill:#16332b;stroke:#56b596}"
    ".lw-output rect{fill:#eceef2;stroke:#eceef2}.lw-output text,.lw-output .lw-detail{fill:#1b1e24}}"
)


@dataclass(frozen=True, eq=False)
class Drawing:
    """An SVG picture of a model; it shows itself in notebooks.

    Parameters
    ----------
    graph : Graph
    title : str
    """

    graph: Graph
    title: str

    @property
    def svg(self) -> str:
        """The picture as one SVG element that follows light and dark."""
        return _svg(self.graph, self.title)

    def save(self, path: str | Path) -> None:
        """Write the SVG to a file ending in .svg."""
        if Path(path).suffix.lower() != ".svg":
            raise InputError(f"drawings are SVG, so the file must end in .svg; got {str(path)!r}")
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        lines = []
        for place, node in enumerate(self.graph.nodes):
            feeding = ", ".join(self.graph.nodes[a].label for a, b in self.graph.edges if b == place)
            lines.append(f"{node.label} {node.detail}".strip() + (f"  <- {feeding}" if feeding else ""))
        return "\n".join([self.title, *lines])


def draw(answers: Answers) -> Drawing:
    """The picture of a fitted model."""
    config = answers.fitted.config
    if isinstance(config, Network):
        from likewise.models.networks.graph import graph_of

        graph = graph_of(config, answers.data)
    else:
        graph = answers.fitted.graph()
    return Drawing(graph, f"{type(config).__name__}: {answers.data.n_users:,} users, {answers.data.n_items:,} items")


def _layers(graph: Graph) -> list[int]:
    """Column of each node: one further than the furthest node that leads into it."""
    column = [0] * len(graph.nodes)
    for _ in graph.nodes:
        for a, b in graph.edges:
            column[b] = max(column[b], column[a] + 1)
    last = max(column, default=0)
    leads = {a for a, _ in graph.edges}
    for place in reversed(range(len(graph.nodes))):  # what has nothing before it stands right beside what it leads into
        if place in leads and not any(b == place for _, b in graph.edges) and graph.nodes[place].kind != "input":
            column[place] = min(column[b] for a, b in graph.edges if a == place) - 1
    return [last if node.kind == "output" else c for node, c in zip(graph.nodes, column, strict=True)]


def _placed(graph: Graph) -> tuple[list[tuple[float, float]], list[list[tuple[float, float]]], tuple[float, float]]:
    """Where each box's top left corner is, the corners each edge runs through, and the size of the whole."""
    column = _layers(graph)
    chains: list[list[int]] = []
    columns = list(column)
    for a, b in graph.edges:  # an edge across columns gets a place of its own in each of them
        chain = [a]
        for c in range(column[a] + 1, column[b]):
            columns.append(c)
            chain.append(len(columns) - 1)
        chains.append([*chain, b])
    members = [[n for n, c in enumerate(columns) if c == at] for at in range(max(columns, default=0) + 1)]
    links = [(a, b) for chain in chains for a, b in pairwise(chain)]
    height = {n: HEIGHT if n < len(graph.nodes) else EDGE for n in range(len(columns))}
    y = dict.fromkeys(range(len(columns)), 0.0)
    for sweep in range(6):
        for at in range(len(members)) if sweep % 2 == 0 else range(len(members) - 1, -1, -1):
            near = {
                n: [a if b == n else b for a, b in links if (b == n and sweep % 2 == 0) or (a == n and sweep % 2 == 1)] for n in members[at]
            }
            wish = {n: float(np.mean([y[m] for m in near[n]])) if near[n] else y[n] for n in members[at]}
            members[at].sort(key=lambda n: wish[n])
            total = sum(height[n] + DOWN for n in members[at]) - DOWN
            top = float(np.mean([wish[n] for n in members[at]])) - total / 2
            for n in members[at]:
                y[n] = top + height[n] / 2
                top += height[n] + DOWN
    least = min((y[n] - height[n] / 2 for n in y), default=0.0)
    most = max((y[n] + height[n] / 2 for n in y), default=0.0)
    x = {n: 8 + columns[n] * (WIDTH + ACROSS) for n in y}
    boxes = [(x[n], y[n] - least + 8 - HEIGHT / 2) for n in range(len(graph.nodes))]
    paths = []
    for chain in chains:
        points = [(x[chain[0]] + WIDTH, y[chain[0]] - least + 8)]
        for n in chain[1:-1]:
            points += [(x[n], y[n] - least + 8), (x[n] + WIDTH, y[n] - least + 8)]
        paths.append([*points, (x[chain[-1]] - 7, y[chain[-1]] - least + 8)])
    return boxes, paths, (16 + len(members) * (WIDTH + ACROSS) - ACROSS, most - least + 16)


def _svg(graph: Graph, title: str) -> str:
    boxes, paths, (width, height) = _placed(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lw-drawing" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title><style>{STYLE}</style>'
        '<defs><marker id="lw-arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path class="lw-arrow" d="M0 0L8 4L0 8z"/></marker></defs>'
    ]
    for points in paths:
        d = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for n, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
            bend = (x0 + x1) / 2
            d += f"C{bend:.1f} {y0:.1f} {bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}" if n % 2 == 0 else f"L{x1:.1f} {y1:.1f}"
        parts.append(f'<path class="lw-edge" d="{d}" marker-end="url(#lw-arrow)"/>')
    parts += [_box(node, x, y) for node, (x, y) in zip(graph.nodes, boxes, strict=True)]
    return "".join([*parts, "</svg>"])


def _box(node: Node, x: float, y: float) -> str:
    middle = x + WIDTH / 2
    label = f'<text x="{middle:.1f}" y="{y + (20 if node.detail else 28):.1f}">{escape(_short(node.label))}</text>'
    detail = f'<text class="lw-detail" x="{middle:.1f}" y="{y + 36:.1f}">{escape(_short(node.detail, 24))}</text>' if node.detail else ""
    rect = f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" rx="{23 if node.kind in ("input", "output") else 7}"/>'
    return f'<g class="lw-node lw-{node.kind}">{rect}{label}{detail}</g>'


def _short(text: str, most: int = 19) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
