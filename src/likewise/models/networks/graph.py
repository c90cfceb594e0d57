"""The graph of a network as it runs: two rows are sent through the real module and what happened is read from autograd's record.

Layers are the module's leaves, caught by forward hooks with the shapes that went through them; operations between layers are the
nodes of the autograd graph from the score back to the tables.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from likewise.data.dataset import Dataset
from likewise.models.base import Model
from likewise.models.graph import Graph, Kind
from likewise.models.networks.base import Facts, network_of
from likewise.models.networks.layers import Table
from likewise.models.networks.net import Net

WORDS = {
    "Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "Sum": "sum", "Mean": "mean", "Cat": "concatenate",
    "Stack": "stack", "Bmm": "matrix product", "Mm": "matrix product", "Mv": "matrix product", "Addmm": "matrix product",
    "Baddbmm": "matrix product", "Sigmoid": "sigmoid", "Relu": "relu", "Tanh": "tanh", "Softmax": "softmax", "IndexAdd": "sum by row",
    "ScatterAdd": "sum by row", "LinalgVectorNorm": "norm", "Triu": "pairs", "EmbeddingBag": "embedding bag",
    "_BiasedDot": "dot + biases", "_BagSum": "sum of features",
}  # fmt: skip
"""Operations that are drawn; those that only move numbers about are not."""


TABLES = (Table, nn.Embedding, nn.EmbeddingBag)


def graph_of(model: Model, data: Dataset) -> Graph:
    """The graph of a model's network on this data; InputError for a model that has none."""
    network = network_of(model)
    facts = Facts.of(data, network.link(data.interactions, data.rating_range))
    with torch.random.fork_rng(devices=[]):
        net = Net(network, facts).eval()
    net.requires_grad_(True)
    trace = _Trace(net)
    with torch.enable_grad():
        score = trace.run(data)
    last = trace.reach(score)
    trace.graph.add("rating" if facts.link.rates else "score", facts.link.label, "output", last)
    return trace.graph


class _Trace:
    """What ran: the layers behind each autograd node, in the order of their calls."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.graph = Graph()
        self.source = ""
        self.ran: dict[Any, list[tuple[str, nn.Module, tuple[Any, ...], Tensor, str]]] = {}
        self.inputs: dict[str, int] = {}
        self.reached: dict[Any, tuple[int, ...]] = {}
        self.placed: dict[str, int] = {}
        self.modules = dict(net.named_modules())
        self.parameters = {id(parameter): name for name, parameter in net.named_parameters()}

    def run(self, data: Dataset) -> Tensor:
        """Send the first rows through the module."""
        hooks = [module.register_forward_hook(self._hook(name)) for name, module in self.net.named_modules() if _is_leaf(module)]
        n = min(2, data.n_users, data.n_items)
        rows = torch.arange(n)
        try:
            self.source = "user row"
            person = self.net.person(rows)
            self.reach(person)
            self.source = "item row"
            item = self.net.item(rows)
            self.reach(item)
            self.source = "context"
            score = self.net.join(person, item, {name: torch.zeros(n, dtype=torch.int64) for name in data.contexts})
        finally:
            for hook in hooks:
                hook.remove()
        return score

    def _hook(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor) and output.grad_fn is not None:
                self.ran.setdefault(output.grad_fn, []).append((name, module, inputs, output, self.source))

        return hook

    def reach(self, value: Tensor) -> tuple[int, ...]:
        """The nodes whose output a tensor holds."""
        return self._reach(value.grad_fn)

    def _reach(self, fn: Any) -> tuple[int, ...]:
        if fn is None:
            return ()
        if fn not in self.reached:
            ran = self.ran.get(fn, [])
            # a dropout at rest hands on what it was given, so it shares its node with what made that
            made = [entry for entry in ran if not any(_same(value, fn) for value in entry[2])]
            last = self._layer(*made[0]) if made else self._operation(fn)
            for name, module, _, output, _ in ran:
                if not made or module is not made[0][1]:
                    last = (self.graph.add(_layer_label(name, module, "operation"), _layer_shape(module, output), "operation", last),)
            self.reached[fn] = last
        return self.reached[fn]

    def _layer(self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Tensor, source: str) -> tuple[int, ...]:
        flows = [value for value in inputs if isinstance(value, Tensor) and value.grad_fn is not None]
        before = tuple(dict.fromkeys(place for value in flows for place in self.reach(value))) or (self._input(source),)
        kind: Kind = "table" if isinstance(module, TABLES) else "layer" if _learned(module) else "operation"
        return (self.graph.add(_layer_label(name, module, kind), _layer_shape(module, output), kind, before),)

    def _operation(self, fn: Any) -> tuple[int, ...]:
        if hasattr(fn, "variable"):
            name = self.parameters.get(id(fn.variable), "parameter")
            if name not in self.placed:
                owner = self.modules.get(name.rpartition(".")[0])
                kind: Kind = "table" if isinstance(owner, TABLES) else "layer"
                self.placed[name] = self.graph.add(
                    name.removesuffix(".weight"), _shape(fn.variable.shape), kind, (self._input(self.source),)
                )
            return (self.placed[name],)
        before = tuple(dict.fromkeys(place for feeding, _ in fn.next_functions for place in self._reach(feeding)))
        word = WORDS.get(type(fn).__name__.partition("Backward")[0])
        if word is None or (len(before) < 2 and word in ("add", "subtract")):  # a constant moves the score, nothing flows into it
            return before
        if word == "add" and len(before) > 1:  # a sum of sums is one sum
            merged = [place for place in before if self.graph.nodes[place].label == "add"]
            if merged:
                for place in before:
                    if place != merged[0] and (place, merged[0]) not in self.graph.edges:
                        self.graph.edges.append((place, merged[0]))
                return (merged[0],)
        return (self.graph.add(word, "", "operation", before),)

    def _input(self, source: str) -> int:
        if source not in self.inputs:
            self.inputs[source] = self.graph.add(source, "[batch]", "input")
        return self.inputs[source]


def _is_leaf(module: nn.Module) -> bool:
    return not any(True for _ in module.children())


def _same(value: Any, fn: Any) -> bool:
    return isinstance(value, Tensor) and value.grad_fn is fn


def _learned(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _layer_label(name: str, module: nn.Module, kind: Kind) -> str:
    return name if kind == "table" else type(module).__name__


def _layer_shape(module: nn.Module, output: Tensor) -> str:
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim == 2:
        return _shape(weight.shape)
    if isinstance(module, nn.Dropout):
        return f"{module.p:g}"
    return f"[batch, {output.shape[-1]}]" if output.ndim > 1 else "[batch]"


def _shape(sizes: Any) -> str:
    return " × ".join(f"{size:,}" for size in sizes)
