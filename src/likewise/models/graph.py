"""How a score is made, as a graph: what is looked up, what is computed, with shapes. Drawn by `insight.drawing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from likewise.models.base import FittedModel

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

    def end(self, model: FittedModel[Any], last: int) -> Graph:
        """The graph with the model's answer behind the node `last`."""
        self.add("rating" if model.link.rates else "score", model.link.label, "output", (last,))
        return self


def of_vectors(model: FittedModel[Any]) -> Graph:
    """Rows of factors and biases looked up, their products added."""
    graph, sides = Graph(), (("user", model.n_users), ("item", model.n_items))
    rows = [graph.add(f"{side} row", "[batch]", "input") for side, _ in sides]
    tables = [model.factors("user"), model.factors("item")]
    feeding = []
    if all(table is not None for table in tables):
        draws = f", {model.n_draws} draws" if model.n_draws > 1 else ""
        width = getattr(model.config, "factors", None)
        looked_up = [
            graph.add(f"{side} factors", f"{n:,} × {width or table.shape[1]}{draws}", "table", (row,))  # type: ignore[union-attr]
            for (side, n), table, row in zip(sides, tables, rows, strict=True)
        ]
        feeding.append(graph.add("dot product", "mean over draws" if draws else "[batch]", "operation", tuple(looked_up)))
    if getattr(model.config, "bias", True):
        feeding += [graph.add(f"{side} bias", f"{n:,}", "table", (row,)) for (side, n), row in zip(sides, rows, strict=True)]
    return graph.end(model, graph.add("add", "and the mean", "operation", tuple(feeding)) if len(feeding) > 1 else feeding[0])


def of_history(model: FittedModel[Any], table: str, shape: str, operation: str, note: str = "") -> Graph:
    """A person's history met by what is known of items."""
    graph = Graph()
    met = (graph.add("history", f"[batch, {model.n_items:,}]", "input"), graph.add(table, shape, "table"))
    return graph.end(model, graph.add(operation, note, "operation", met))
