"""AutoRec, item-based: an autoencoder of each item's column of ratings, learned where there are ratings (Sedhain et al. 2015).

    score(u, i) = mean + b_u + b_i + w_u . g(c + sum_{v in R(i)} V_v x_vi * |R(i)|^-s),    x_vi = 2 + (r_vi - mean) / deviation

The hidden layer of an item is computed from everyone who rated it; `w_u` reads it out for a user. The 2 lets the input say who rated
an item as well as how, as the plain ratings 1 to 5 do in the paper, on any scale of ratings. Only rated entries count in the
loss (the mask). Batches hold whole items, so each hidden layer is computed once a batch. After training items are vectors and users
are vectors: the model answers as a dot product does, and a new person's `w_u` is found by ridge regression on the items' vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from likewise.data.csr import CSR
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network, Output, as_tuples, check_output, check_share, output_link

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net
PRESENT = np.float32(2)
"""What being rated counts beside how: deviations of the mean rating in the input."""


@dataclass(frozen=True)
class AutoRec(Network):
    """Settings of the item-based autoencoder.

    Parameters
    ----------
    hidden : int, at least 1
        Units of the hidden layer.
    activation : "sigmoid", "relu", "tanh" or "identity"
    dropout : share of an item's ratings left out of its input while training.
    scale : float in [0, 1]
        The power of the number of ratings that the input is divided by: 0 for the plain sum, 0.5 for its root, 1 for the mean.
    output, range : as in `MLP`.
    freeze : layers held still: any of "users", "code", "levels", "offset".
    """

    hidden: int = 500
    activation: Literal["sigmoid", "relu", "tanh", "identity"] = "sigmoid"
    dropout: float = 0.0
    scale: float = 0.0
    output: Output = "clip"
    range: tuple[float, float] | None = None
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "autorec"
    grouped: ClassVar[Side | None] = "item"

    def __post_init__(self) -> None:
        as_tuples(self, "range", "freeze")
        if self.hidden < 1:
            raise InputError(f"hidden must be at least 1; got {self.hidden}")
        if self.activation not in ("sigmoid", "relu", "tanh", "identity"):
            raise InputError(f"activation must be 'sigmoid', 'relu', 'tanh' or 'identity'; got {self.activation!r}")
        if not 0 <= self.scale <= 1:
            raise InputError(f"scale must lie in [0, 1]; got {self.scale}")
        check_share("dropout", self.dropout)
        check_output(self.output, self.range, "normal")

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.hidden + 1, self.hidden + 1

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        import torch
        from torch import nn

        from likewise.models.networks.layers import Ragged, Table

        raters = facts.data.by_item
        given = np.ones(len(raters.rows), np.float32)
        if raters.ratings is not None:
            given = PRESENT + (raters.ratings - raters.ratings.mean()) / max(float(raters.ratings.std()), 1e-6)
        given = (given * np.repeat(np.maximum(raters.counts, 1) ** -self.scale, raters.counts)).astype(np.float32)
        users, code = (
            Table(facts.data.n_users, self.hidden + 1, "zero", seen=facts.seen("user"), bias=True),
            Table(facts.data.n_users, self.hidden, "zero"),
        )
        with torch.no_grad():
            nn.init.xavier_uniform_(users.weight[:, :-1])
            nn.init.xavier_uniform_(code.weight)
        levels = Table(facts.data.n_items, 1, "zero", seen=facts.seen("item"), bias=True)
        offset = Table(1, self.hidden, "zero")
        ratings = Ragged(CSR(raters.indptr, raters.rows, given, facts.data.n_users))
        return {"users": users, "code": code, "levels": levels, "offset": offset, "ratings": ratings}

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        return {}

    def person(self, net: Any, users: Tensor) -> Tensor:
        rows: Tensor = net.users(users)
        return rows

    def item(self, net: Any, items: Tensor) -> Tensor:
        import torch

        distinct, place = torch.unique(items, return_inverse=True)
        given = net.ratings.sums(net.code.weight, distinct, self.dropout if net.training else 0.0)
        summed = given + net.offset.weight  # [distinct, hidden]
        hidden = summed if self.activation == "identity" else getattr(torch, self.activation)(summed)
        return torch.cat([hidden, net.levels(distinct)], -1).index_select(0, place)

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        from likewise.models.networks.layers import biased_dot

        return biased_dot(person, item)

    def vectors(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        from likewise.models.networks.layers import with_biases

        return with_biases(person, item)

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.fitted import FittedNetwork
        from likewise.models.networks.gather import sums_of

        return sums_of(self, nets, facts) if facts.levels is None else FittedNetwork.trained(self, nets, facts)
