"""The biased dot product as a network, for gradient descent: tables in, arrays back.

    score(u, i) = mean + b_u + b_i + p_u . q_i

The bias is the last column of each table, so a step looks up one row a side. Its settings and answers are in `models/dot.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from likewise.data.interactions import Interactions
from likewise.models.base import FittedModel, Side
from likewise.models.dot import Dot, FittedDot
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network
from likewise.models.softmax import FittedSoftmax

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


SIDES: tuple[Side, Side] = ("user", "item")


@dataclass(frozen=True)
class DotNetwork(Network):
    """The network of `Dot` settings."""

    dot: Dot

    @property
    def freeze(self) -> tuple[str, ...]:
        return self.dot.freeze

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return self.dot.link(data, stated)

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        width = self.dot.factors + self.dot.bias
        users, items = (facts.ids(side, width, self.dot.init, self.dot.bias) for side in SIDES)
        if facts.weighing is not None and self.dot.bias:  # the best answer that is the same for everybody
            items.start_bias(np.log((facts.data.by_item.counts + 1) / (len(facts.data) + 1)))
        return {"users": users, "items": items}

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        return {}

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.dot.factors + self.dot.bias, self.dot.factors + self.dot.bias

    def person(self, net: Any, users: Tensor) -> Tensor:
        rows: Tensor = net.users(users)
        return rows

    def item(self, net: Any, items: Tensor) -> Tensor:
        rows: Tensor = net.items(items)
        return rows

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        if not self.dot.bias:
            return (person * item).sum(-1)
        from likewise.models.networks.layers import biased_dot

        return biased_dot(person, item)

    def vectors(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        from likewise.models.networks.layers import with_biases

        return with_biases(person, item) if self.dot.bias else (person, item)

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        if facts.levels is not None:
            from likewise.models.networks.fitted import FittedNetwork

            return FittedNetwork.trained(self.dot, nets, facts)
        users = [net.everyone("user", facts.data.n_users) for net in nets]
        items = [net.everyone("item", facts.data.n_items) for net in nets]
        share = np.float32(1 / len(nets))  # the mean of several dot products is one longer dot product
        if self.dot.bias:
            biases = np.mean([u[:, -1] for u in users], 0), np.mean([i[:, -1] for i in items], 0)
            users, items = [u[:, :-1] for u in users], [i[:, :-1] for i in items]
        else:
            biases = np.zeros(facts.data.n_users, np.float32), np.zeros(facts.data.n_items, np.float32)
        if facts.cosine:
            users, items, biases = [_unit(u) for u in users], [_unit(i) for i in items], (biases[0] * 0, biases[1] * 0)
        if facts.weighing is not None:  # both sides bear the scale, so that their penalties stay alike
            root, bias = np.float32((share / facts.weighing.temperature) ** 0.5), biases[1] / np.float32(facts.weighing.temperature)
            return FittedSoftmax.trained(self.dot, np.hstack(users) * root, np.hstack(items) * root, bias, facts.weighing, facts.data)
        left, right = np.hstack(users), np.hstack(items) * share
        return FittedDot.trained(self.dot, left, right, *biases, facts.mean, facts.link, facts.data)


def _unit(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
