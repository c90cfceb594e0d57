"""Where training begins: other models' tables, and layers that are held still.

One model gives its tables of users and items, and the layers behind them where both have the same. A dot product and a perceptron
are the halves of `NeuMF`: it begins as the mean of the two (He et al. 2017, section 3.4.1, with an even trade-off).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.dot import FittedDot
from likewise.models.networks.base import Network
from likewise.models.networks.fitted import FittedNetwork
from likewise.models.networks.layers import Table
from likewise.models.networks.mlp import MLP
from likewise.models.networks.net import Net
from likewise.models.networks.neumf import NeuMF
from likewise.shapes import Floats
from likewise.solvers.base import Start

SIDES: tuple[tuple[Side, str], ...] = (("user", "users"), ("item", "items"))


def begin(nets: Sequence[Net], starts: Sequence[Start], network: Network) -> None:
    """Copy what `starts` have into the networks, then freeze the layers that the settings name.

    Raises InputError where tables do not fit, or a layer to freeze does not exist.
    """
    if len(starts) > 1 and not (isinstance(network, NeuMF) and len(starts) == 2):
        raise InputError(
            f"{type(network).__name__} starts from one other model and {len(starts)} were given; "
            "only NeuMF takes two, a dot product and an MLP"
        )
    for net in nets:
        if len(starts) == 2 and isinstance(network, NeuMF):
            _copy_halves(net, starts, network)
        elif starts:
            _copy(net, starts[0])
        _freeze(net, getattr(network, "freeze", ()))


def _freeze(net: Net, names: Sequence[str]) -> None:
    layers = dict(net.named_children())
    for name in names:
        if name not in layers:
            raise InputError(f"freeze names {name!r}, and this network has the layers {', '.join(sorted(layers))}")
        layers[name].requires_grad_(False)


def _copy(net: Net, start: Start) -> None:
    """The tables of users and items; the layers of the head too where they have the same names and sizes."""
    for side, name in SIDES:
        rows, table = start.model.factors(side), dict(net.named_children()).get(name)
        if rows is None or not isinstance(table, Table):
            raise InputError(f"training cannot start from {type(start.model).__name__}: both models need a table of {name}")
        if rows.shape[1] not in (table.weight.shape[1], table.weight.shape[1] - 1):
            raise _unlike(rows, table, side)
        _put(table, slice(0, rows.shape[1]), rows, start, side)
        if table.bias and (biases := _biases(start.model, side)) is not None and rows.shape[1] == table.weight.shape[1] - 1:
            _put(table, slice(rows.shape[1], None), biases, start, side)
    if isinstance(start.model, FittedNetwork) and len(start.model.heads) == 1:
        theirs, ours = start.model.heads[0].state_dict(), net.state_dict()
        if theirs and all(name in ours and ours[name].shape == value.shape for name, value in theirs.items()):
            net.load_state_dict(theirs, strict=False)


def _put(table: Table, columns: slice, rows: Floats, start: Start, side: Side) -> None:
    """Write rows of another model into columns of a table; a row that it does not know keeps its random start."""
    places = start.places(side)
    if table.weight[:, columns].shape[1] != rows.shape[1] or (places is None and len(rows) != len(table.weight)):
        raise _unlike(rows, table, side)
    with torch.no_grad():
        if places is None:
            table.weight[:, columns] = _tensor(rows, table)
        else:
            known = np.flatnonzero(places >= 0)
            table.weight[torch.from_numpy(known).to(table.weight.device), columns] = _tensor(rows[places[known]], table)


def _unlike(rows: Floats, table: Table, side: Side) -> InputError:
    return InputError(
        f"the {side}s table to start from is {list(rows.shape)} and the network's is {list(table.weight.shape)}: "
        "fit both over the same rows and with the same number of factors"
    )


def _tensor(rows: Floats, table: Table) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).to(table.weight.device)


def _biases(model: FittedModel[Any], side: Side) -> Floats | None:
    if not isinstance(model, FittedDot):
        return None
    return (model.user_bias if side == "user" else model.item_bias)[:, None]


# ---- halves -----------------------------------------------------------------------------------------------------------------------


def _copy_halves(net: Net, starts: Sequence[Start], network: NeuMF) -> None:
    """Both halves at half their weight, so that the network begins as their mean."""
    (dot, from_dot), (perceptron, from_perceptron) = _halves(starts)
    if dot.link != net.link or perceptron.link != net.link:
        raise InputError("the halves need NeuMF's own output and range, or their scores are not on one scale: fit them with the same")
    if dot.factors("user").shape[1] != network.factors:
        raise InputError(f"the dot half has {dot.factors('user').shape[1]} factors and NeuMF {network.factors}: fit it with as many")
    theirs, ours = _linear(perceptron.heads[0]), _linear(net)
    if [layer.weight.shape for layer in theirs] != [layer.weight.shape for layer in ours]:
        raise InputError(f"the MLP half needs NeuMF's layers: embedding={network.embedding}, hidden={list(network.hidden)}, no batch norm")
    tables = dict(net.named_children())
    for side, name in SIDES:
        table, biases = tables[name], _biases(dot, side)
        if not isinstance(table, Table) or biases is None:
            continue
        _put(table, slice(0, network.factors), dot.factors(side), from_dot, side)
        _put(table, slice(network.factors, network.factors + network.embedding), perceptron.factors(side), from_perceptron, side)
        _put(table, slice(table.weight.shape[1] - 1, None), biases / np.float32(2), from_dot, side)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name == "mix.weight":
                weight.fill_(0.5)
        for mine, other in zip(ours, theirs, strict=True):
            share = 0.5 if mine is ours[-1] else 1.0
            mine.weight.copy_(other.weight * share)
            mine.bias.copy_(other.bias * share)


def _linear(owner: nn.Module) -> list[nn.Linear]:
    """The layers of a perceptron; none of one with batch norm."""
    stack = dict(owner.named_children())["hidden"]
    return (
        []
        if any(isinstance(layer, nn.BatchNorm1d) for layer in stack.modules())
        else [m for m in stack.modules() if isinstance(m, nn.Linear)]
    )


def _halves(starts: Sequence[Start]) -> tuple[tuple[FittedDot, Start], tuple[FittedNetwork, Start]]:
    """The dot product and the perceptron, whichever came first."""
    dots = [(start.model, start) for start in starts if isinstance(start.model, FittedDot)]
    perceptrons = [(start.model, start) for start in starts if isinstance(start.model, FittedNetwork) and _is_perceptron(start.model)]
    if len(dots) != 1 or len(perceptrons) != 1:
        given = " and ".join(type(start.model.config).__name__ for start in starts)
        raise InputError(f"NeuMF starts from a Dot and an MLP of one seed, fitted on ratings; got {given}")
    return dots[0], perceptrons[0]


def _is_perceptron(model: FittedNetwork) -> bool:
    return isinstance(model.config, MLP) and len(model.heads) == 1 and model.heads[0].level_head is None
