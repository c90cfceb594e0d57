"""Two towers: user and item vectors made of ids and features, met by a dot product or a perceptron.

    person = x_u + t(features of u)        item = x_i + t'(features of i)
    score(u, i) = mean + b_u + b_i + person . item          or          mean + b_u + b_i + MLP([person ; item])

`t` sums one vector a feature (LightFM; Kula 2015), or is a small perceptron over that sum (the retrieval tower). Every kind of feature
that the data layer encodes takes part, text and image vectors included. An id never seen is answered from its features alone; with a
dot head the fitted model is vectors and answers without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from likewise.data.features import Features
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Init, Network, Output, as_tuples, check_layers, check_output, check_share, output_link

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


@dataclass(frozen=True)
class TwoTower(Network):
    """Settings of the two towers.

    Parameters
    ----------
    factors : int, at least 1
        Length of both vectors.
    hidden : sizes of the towers' hidden layers over the summed features; empty for the plain sum.
    dropout : shares dropped after the towers' layers; may be shorter than `hidden`.
    ids : whether users and items also have vectors of their own.
    id_dropout : share of the ids whose own vector is left out while training, so that features learn to stand alone.
    join : "dot", or "mlp" with layers `join_hidden`.
    output, range, init : as in `MLP`.
    freeze : layers held still: any of "users", "items", "user_tower", "item_tower", "joined".
    """

    factors: int = 50
    hidden: tuple[int, ...] = ()
    dropout: tuple[float, ...] = ()
    ids: bool = True
    id_dropout: float = 0.0
    join: Literal["dot", "mlp"] = "dot"
    join_hidden: tuple[int, ...] = (64, 32)
    output: Output = "clip"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "two-tower"

    def __post_init__(self) -> None:
        as_tuples(self, "hidden", "dropout", "join_hidden", "range", "freeze")
        if self.factors < 1:
            raise InputError(f"factors must be at least 1; got {self.factors}")
        if self.join not in ("dot", "mlp"):
            raise InputError(f"join must be 'dot' or 'mlp'; got {self.join!r}")
        if self.join == "mlp" and not self.join_hidden:
            raise InputError("join_hidden must name at least one layer; got none")
        check_layers(self.hidden, self.dropout)
        check_layers(self.join_hidden, ())
        check_share("id_dropout", self.id_dropout)
        check_output(self.output, self.range, self.init)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.factors + 1, self.factors + 1

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        from likewise.models.networks.layers import FeatureTower

        if not self.ids and facts.user_features is None and facts.item_features is None:
            raise InputError("two towers without ids need features: give tables of users or items, or set ids=True")
        layers: dict[str, nn.Module] = {}
        sides: tuple[tuple[Side, Features | None], ...] = (("user", facts.user_features), ("item", facts.item_features))
        for side, features in sides:
            own = facts.ids(side, self.factors + 1, self.init if self.ids or features is None else "zero", bias=True)
            own.requires_grad_(self.ids or features is None)
            layers[f"{side}s"] = own
            if features is not None:
                layers[f"{side}_tower"] = FeatureTower(features.design(), self.factors + 1, facts.seen(side), self.hidden, self.dropout)
        return layers

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        from likewise.models.networks.layers import dense

        return {"joined": dense([2 * self.factors, *self.join_hidden])} if self.join == "mlp" else {}

    def person(self, net: Any, users: Tensor) -> Tensor:
        return self._side(net, users, net.users, getattr(net, "user_tower", None))

    def item(self, net: Any, items: Tensor) -> Tensor:
        return self._side(net, items, net.items, getattr(net, "item_tower", None))

    def _side(self, net: Any, rows: Tensor, own: Any, tower: Any) -> Tensor:
        import torch

        vectors: Tensor = own(rows)  # [batch, factor + 1], the bias last
        if net.training and self.id_dropout:
            vectors = vectors * (torch.rand(len(rows), 1, device=rows.device) >= self.id_dropout)
        return vectors if tower is None else vectors + tower(rows)

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        import torch

        from likewise.models.networks.layers import biased_dot

        if self.join == "dot":
            return biased_dot(person, item)
        joined: Tensor = net.joined(torch.cat([person[..., :-1], item[..., :-1]], -1))[..., 0]
        return joined + person[..., -1] + item[..., -1]

    def vectors(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor] | None:
        from likewise.models.networks.layers import with_biases

        return with_biases(person, item) if self.join == "dot" else None

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.fitted import FittedNetwork
        from likewise.models.networks.gather import sums_of

        if self.join == "mlp" or facts.levels is not None:
            return FittedNetwork.trained(self, nets, facts)
        return sums_of(self, nets, facts)
