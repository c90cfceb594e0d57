"""How a score is made, as a graph: what is looked up, what is computed, with shapes. Drawn by `insight.drawing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["input", "table", "layer", "operation", "output"]


@dataclass(frozen=True)
class Node:
    """One box.

    Parameters
    ----------
    label : str
        What it is: "users", "Linear", "dot product".
    detail : str
        Its shape, or its setting.
    kind : "input", "table" (learned, looked up), "layer" (learned, computed), "operation" or "output"
    """

    label: str
    detail: str
    kind: Kind


@dataclass
class Graph:
    """Nodes, and edges as pairs of their places; without cycles, inputs first."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, label: str, detail: str = "", kind: Kind = "operation", after: tuple[int, ...] = ()) -> int:
        """A node that the nodes `after` lead into; returns its place."""
        self.nodes.append(Node(label, detail, kind))
        place = len(self.nodes) - 1
        for before in after:
            if (before, place) not in self.edges:
                self.edges.append((before, place))
        return place
