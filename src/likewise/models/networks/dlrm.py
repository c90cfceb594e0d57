"""DLRM: embeddings of every field, their pairwise dot products, and a perceptron on top (Naumov et al. 2019).

    z = bottom MLP(numbers and vectors)          v_1 .. v_F = ids, category fields, contexts, z        (all of one width)
    score(u, i) = mean + b_u + b_i + top MLP([mean of the v ; (v_a . v_b) for a < b])

Fields are the user's and the item's id, each block of categories, sets or tags (the sum of its members' vectors), each context,
and the numeric and vector blocks of a side through that side's bottom MLP. Two things differ from the original: ids have biases of
their own beside the perceptron, which ratings need and a perceptron learns slowly; and with numbers on either side or none, the mean of
all fields stands where the original hands z to the top. An unknown context is the zero vector; a row never seen gets the mean row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from likewise.data.features import Features
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Init, Network, Output, as_tuples, check_layers, check_output, output_link

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net

NUMERIC = ("number", "vector")


@dataclass(frozen=True)
class DLRM(Network):
    """Settings of DLRM.

    Parameters
    ----------
    factors : int, at least 1
        Width of every field's vector.
    bottom : hidden sizes of the perceptrons over numbers and vectors.
    top : hidden sizes of the perceptron over the dot products.
    dropout : shares dropped after the top's layers; may be shorter than `top`.
    output, range, init : as in `MLP`.
    freeze : layers held still: any of "users", "items", "user_fields", "item_fields", "top".
    """

    factors: int = 16
    bottom: tuple[int, ...] = (32,)
    top: tuple[int, ...] = (64, 32)
    dropout: tuple[float, ...] = ()
    output: Output = "sigmoid"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "dlrm"

    def __post_init__(self) -> None:
        as_tuples(self, "bottom", "top", "dropout", "range", "freeze")
        if self.factors < 1:
            raise InputError(f"factors must be at least 1; got {self.factors}")
        if not self.top:
            raise InputError("top must name at least one layer; got none")
        check_layers(self.bottom, ())
        check_layers(self.top, self.dropout)
        check_output(self.output, self.range, self.init)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.factors * (1 + _fields(facts.user_features)) + 1, self.factors * (1 + _fields(facts.item_features)) + 1

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        from torch import nn

        from likewise.models.networks.layers import FeatureTower

        layers: dict[str, nn.Module] = {}
        sides: tuple[tuple[Side, Features | None], ...] = (("user", facts.user_features), ("item", facts.item_features))
        for side, features in sides:
            layers[f"{side}s"] = facts.ids(side, self.factors + 1, self.init, bias=True)
            fields: list[nn.Module] = []
            if features is not None:
                sets = [b.matrix for b in features.blocks if b.kind not in NUMERIC]
                fields = [FeatureTower(block, self.factors, facts.seen(side), bias=False) for block in sets]
                if numbers := [b for b in features.blocks if b.kind in NUMERIC]:
                    design = Features(features.encoders, tuple(numbers), features.n_rows).design()
                    fields.append(FeatureTower(design, self.factors, facts.seen(side), self.bottom))
            layers[f"{side}_fields"] = nn.ModuleList(fields)
        return layers

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        from torch import nn

        from likewise.models.networks.layers import Table, dense

        fields = (sum(widths) - 2) // self.factors + len(contexts)
        tables = {name: Table(size, self.factors, self.init, np.full(size, 1 / size, np.float32)) for name, size in contexts.items()}
        sizes = [self.factors + fields * (fields - 1) // 2, *self.top]
        return {"contexts": nn.ModuleDict(tables), "top": dense(sizes, self.dropout)}

    def person(self, net: Any, users: Tensor) -> Tensor:
        return self._side(users, net.users, net.user_fields)

    def item(self, net: Any, items: Tensor) -> Tensor:
        return self._side(items, net.items, net.item_fields)

    def _side(self, rows: Tensor, own: Any, fields: Any) -> Tensor:
        import torch

        ids = own(rows)
        return torch.cat([ids[:, :-1], *(field(rows) for field in fields), ids[:, -1:]], -1)  # [batch, field * factor + 1]

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        import torch

        lead, d = person.shape[:-1], self.factors
        vectors = [side[..., :-1].reshape(*lead, side.shape[-1] // d, d) for side in (person, item)]
        for name, table in net.contexts.items():
            rows = context.get(name)
            if rows is None:
                vectors.append(person.new_zeros(*lead, 1, d))
            else:
                vectors.append((table(rows.reshape(-1).clamp_min(0)).reshape(*lead, d) * (rows >= 0)[..., None])[..., None, :])
        fields = torch.cat(vectors, -2)  # [..., field, factor]
        pairs = torch.triu_indices(fields.shape[-2], fields.shape[-2], 1, device=fields.device)
        dots = (fields @ fields.transpose(-1, -2))[..., pairs[0], pairs[1]]
        joined: Tensor = net.top(torch.cat([fields.sum(-2) / fields.shape[-2], dots], -1))[..., 0]
        return joined + person[..., -1] + item[..., -1]

    def vectors(self, person: Tensor, item: Tensor) -> None:
        return None

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.fitted import FittedNetwork

        return FittedNetwork.trained(self, nets, facts)


def _fields(features: Features | None) -> int:
    if features is None:
        return 0
    return sum(b.kind not in NUMERIC for b in features.blocks) + any(b.kind in NUMERIC for b in features.blocks)
