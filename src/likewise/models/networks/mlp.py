"""A multilayer perceptron over concatenated embeddings.

    score(u, i) = mean + w . h_L,    h_0 = [p_u ; q_i],    h_l = dropout(relu(W_l h_(l-1) + c_l))

The user's and the item's embedding may differ in size ("auto" follows the number of rows: min(600, round(1.6 n^0.56))). Able to take
any interaction, but on ratings alone no better than the dot product (Rendle et al. 2020). A row never seen gets the mean row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.models.link import Link
from likewise.models.networks.base import (
    Facts,
    Init,
    Network,
    Output,
    as_tuples,
    check_layers,
    check_output,
    check_share,
    check_width,
    embedding_width,
    output_link,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


@dataclass(frozen=True)
class MLP(Network):
    """Settings of the multilayer perceptron.

    Parameters
    ----------
    embedding : int, "auto", or a pair of them for users and items
    hidden : sizes of the hidden layers.
    dropout : shares dropped after each hidden layer; the list may be shorter than `hidden`.
    embedding_dropout : share dropped of the concatenated embeddings.
    norm : batch norm after each hidden layer.
    output : "sigmoid", "clip", "free" or "relu"
        Squeeze into `range`, limit to it, leave the score, or keep it from falling below zero.
    range : (low, high) or None, from the data
    init : start of the embeddings: "normal" (0.1), "truncated" (0.01, cut at two deviations, as fastai starts) or "scaled" (by
        1 / sqrt(width)).
    freeze : layers held still: any of "users", "items", "hidden".
    """

    embedding: int | Literal["auto"] | tuple[int | Literal["auto"], int | Literal["auto"]] = 50
    hidden: tuple[int, ...] = (100, 50)
    dropout: tuple[float, ...] = ()
    embedding_dropout: float = 0.0
    norm: bool = False
    output: Output = "sigmoid"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "mlp"

    def __post_init__(self) -> None:
        as_tuples(self, "embedding", "hidden", "dropout", "range", "freeze")
        for width in self._sides:
            check_width("embedding", width)
        if not self.hidden:
            raise InputError("hidden must name at least one layer; got none")
        check_layers(self.hidden, self.dropout)
        check_share("embedding_dropout", self.embedding_dropout)
        check_output(self.output, self.range, self.init)

    @property
    def _sides(self) -> tuple[int | str, int | str]:
        return self.embedding if isinstance(self.embedding, tuple) else (self.embedding, self.embedding)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return embedding_width(self._sides[0], facts.data.n_users), embedding_width(self._sides[1], facts.data.n_items)

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        user, item = self.widths(facts)
        return {"users": facts.ids("user", user, self.init), "items": facts.ids("item", item, self.init)}

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        from torch import nn

        from likewise.models.networks.layers import dense

        return {"drop": nn.Dropout(self.embedding_dropout), "hidden": dense([sum(widths), *self.hidden], self.dropout, self.norm)}

    def person(self, net: Any, users: Tensor) -> Tensor:
        rows: Tensor = net.users(users)  # [batch, user width]
        return rows

    def item(self, net: Any, items: Tensor) -> Tensor:
        rows: Tensor = net.items(items)  # [batch, item width]
        return rows

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        import torch

        from likewise.models.networks.layers import dense_grid, is_grid

        if is_grid(person, item) and not net.drop.training:  # every person with every item: the first layer sees each side once
            return dense_grid(net.hidden, person, item)[..., 0]
        pair = net.drop(torch.cat([person, item], -1))  # [..., user width + item width]
        score: Tensor = net.hidden(pair)[..., 0]
        return score

    def vectors(self, person: Tensor, item: Tensor) -> None:
        return None

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.fitted import FittedNetwork

        return FittedNetwork.trained(self, nets, facts)
