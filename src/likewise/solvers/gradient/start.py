"""Where training begins: another model's tables, and layers that are held still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.models.networks.base import Network
from likewise.models.networks.net import Net


def begin(nets: Sequence[Net], start: FittedModel[Any] | None, network: Network) -> None:
    """Copy the tables of `start` into the networks' `users` and `items`, then freeze what the settings name.

    Raises InputError where tables do not fit, or a layer to freeze does not exist.
    """
    if start is not None:
        _copy_tables(nets, start)
    for name in getattr(network, "freeze", ()):
        for net in nets:
            layers = dict(net.named_children())
            if name not in layers:
                raise InputError(f"freeze names {name!r}, and this network has the layers {', '.join(sorted(layers))}")
            layers[name].requires_grad_(False)


def _copy_tables(nets: Sequence[Net], start: FittedModel[Any]) -> None:
    for side, name in (("user", "users"), ("item", "items")):
        rows = start.factors(side)  # type: ignore[arg-type]
        for net in nets:
            table = dict(net.named_parameters()).get(f"{name}.weight")
            if rows is None or table is None:
                raise InputError(f"training cannot start from {type(start).__name__}: both models need a table of {name}")
            fits = rows.shape == tuple(table.shape) or (rows.shape[0] == table.shape[0] and rows.shape[1] == table.shape[1] - 1)
            if not fits:
                raise InputError(
                    f"the {name} table to start from is {list(rows.shape)} and the network's is {list(table.shape)}: "
                    "fit both over the same rows and with the same number of factors"
                )
            with torch.no_grad():
                table[:, : rows.shape[1]] = torch.from_numpy(np.ascontiguousarray(rows)).to(table.device)
