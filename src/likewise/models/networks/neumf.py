"""Neural matrix factorisation: a generalised dot product and a perceptron, joined (He et al. 2017).

    score(u, i) = mean + b_u + b_i + h . (p_u * q_i) + MLP([s_u ; t_i])

Each half has embeddings of its own. `h` starts at ones, so the first half starts as a dot product. A row never seen gets the mean row.
The halves may be trained first, a `Dot` with the same factors and an `MLP` with the same embedding and hidden layers: given both as
`start=`, the network begins as the mean of their scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Init, Network, Output, as_tuples, check_layers, check_output, output_link

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


@dataclass(frozen=True)
class NeuMF(Network):
    """Settings of neural matrix factorisation.

    Parameters
    ----------
    factors : int, at least 1
        Width of the dot-product half.
    embedding : int, at least 1
        Width of each side of the perceptron half.
    hidden : sizes of the perceptron's hidden layers.
    dropout : shares dropped after each; may be shorter than `hidden`.
    output, range, init, freeze : as in `MLP`; layers to freeze are "users", "items" (both halves), "biases", "hidden", "mix".
    """

    factors: int = 32
    embedding: int = 32
    hidden: tuple[int, ...] = (64, 32, 16)
    dropout: tuple[float, ...] = ()
    output: Output = "sigmoid"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "neumf"

    def __post_init__(self) -> None:
        as_tuples(self, "hidden", "dropout", "range", "freeze")
        if self.factors < 1 or self.embedding < 1:
            raise InputError(f"factors and embedding must be at least 1; got {self.factors} and {self.embedding}")
        if not self.hidden:
            raise InputError("hidden must name at least one layer; got none")
        check_layers(self.hidden, self.dropout)
        check_output(self.output, self.range, self.init)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.factors + self.embedding + 1, self.factors + self.embedding + 1

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        from likewise.models.networks.layers import Table

        width = self.factors + self.embedding + 1  # (factors, perceptron's embedding, bias)
        return {
            "users": Table(facts.data.n_users, width, self.init, seen=facts.seen("user"), bias=True),
            "items": Table(facts.data.n_items, width, self.init, seen=facts.seen("item"), bias=True),
        }

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        from torch import nn

        from likewise.models.networks.layers import dense

        mix = nn.Linear(self.factors, 1, bias=False)
        nn.init.ones_(mix.weight)
        return {"mix": mix, "hidden": dense([2 * self.embedding, *self.hidden], self.dropout)}

    def person(self, net: Any, users: Tensor) -> Tensor:
        rows: Tensor = net.users(users)
        return rows

    def item(self, net: Any, items: Tensor) -> Tensor:
        rows: Tensor = net.items(items)
        return rows

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        import torch

        from likewise.models.networks.layers import dense_grid, is_grid

        sizes = [self.factors, self.embedding, 1]
        p, s, user_bias = torch.split(person, sizes, -1)
        q, t, item_bias = torch.split(item, sizes, -1)
        grid = is_grid(person, item) and not net.hidden.training  # the first layer sees each side once
        perceptron = dense_grid(net.hidden, s, t) if grid else net.hidden(torch.cat([s, t], -1))
        joined: Tensor = net.mix(p * q) + perceptron + user_bias + item_bias
        return joined[..., 0]

    def vectors(self, person: Tensor, item: Tensor) -> None:
        return None

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.fitted import FittedNetwork

        return FittedNetwork.trained(self, nets, facts)
