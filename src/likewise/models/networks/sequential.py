"""Causal transformer over a person's last items: what comes next (Kang and McAuley 2018, trained by softmax).

    x_0 = start,  x_t = e_{item t-1}
    x   = x + attention(norm(x));  x = x + dense(norm(x))            a few blocks, each place sees itself and what came before
    attention of t to s ~ exp(q_t . k_s / sqrt(width) + b_{t-s})     a learned number for each head, block and distance
    score(history, i) = norm(x_T) . e_i

Order enters by distance alone (Shaw et al. 2018; Zhai et al. 2024), so that the film just before has its own weight wherever it stands.
Items have one table, read at both ends. Every event is a target of a softmax over the catalogue, or over many sampled negatives
(Klenitskiy and Vasilev 2023; Petrov and Macdonald 2023: the loss, not the network, made it strong). A batch holds whole histories;
they are cut into windows of at most `window` events, elsewhere each time, and windows of like length are computed together.
After training a person is a vector: the state after their history, which NumPy computes for newcomers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from likewise.data.csr import CSR
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network, check_share

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


@dataclass(frozen=True)
class Sequential(Network):
    """Settings of the transformer over histories.

    Parameters
    ----------
    factors : int, a multiple of `heads`
        Width of items and states.
    blocks, heads : int, at least 1
    window : int, at least 2
        Events that are read, newest first; longer histories are cut into windows while training.
    dropout : share in [0, 1)
    features : bool
        An item is its own vector and the sum of its features' vectors, so that an item nobody took stands near its like; needs a table
        of items.
    """

    factors: int = 64
    blocks: int = 2
    heads: int = 2
    window: int = 100
    dropout: float = 0.2
    features: bool = False

    name: ClassVar[str] = "sequential"
    grouped: ClassVar[Side | None] = "user"
    reads_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, least in (("factors", 1), ("blocks", 1), ("heads", 1), ("window", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if self.factors % self.heads:
            raise InputError(f"factors must be a multiple of heads; got {self.factors} factors and {self.heads} heads")
        check_share("dropout", self.dropout)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return Link("free")

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.factors, self.factors

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        from likewise.models.networks.encoder import Encoder
        from likewise.models.networks.layers import FeatureTower, Ragged, Table

        if self.features and facts.item_features is None:
            raise InputError("features=True needs a table of items and there is none: give one, or leave features at False")
        by_user, seen = facts.data.by_user, facts.seen("item")
        described = facts.item_features if self.features else None
        tower = {} if described is None else {"item_tower": FeatureTower(described.design(), self.factors, seen, bias=False)}
        return {
            "items": Table(facts.data.n_items, self.factors, "scaled", seen=seen),
            **tower,
            "encoder": Encoder(self.factors, self.blocks, self.heads, self.window, self.dropout),
            "histories": Ragged(CSR(by_user.indptr, by_user.rows, None, facts.data.n_items)),
        }

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        return {}

    def person(self, net: Any, users: Tensor) -> Tensor:
        """While training the rows are whole histories in order, and each event gets the state before it; else the state after all."""
        import torch

        if net.training:
            distinct, counts = torch.unique_consecutive(users, return_counts=True)
            _, items, _ = net.histories.take(distinct)
            states: Tensor = net.encoder(self.item(net, items), counts)
            return states
        distinct, place = torch.unique(users, return_inverse=True)
        indptr, items, _ = net.histories.take(distinct)
        last: Tensor = net.encoder.last(self.item(net, items), indptr.diff())
        return last.index_select(0, place)

    def item(self, net: Any, items: Tensor) -> Tensor:
        rows: Tensor = net.items(items)
        return rows + net.item_tower(items) if self.features else rows

    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        return (person * item).sum(-1)

    def vectors(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        return person, item

    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        from likewise.models.networks.tower import Tower
        from likewise.models.sequence import FittedSequential

        if len(nets) > 1:
            raise InputError("a sequential model is trained one seed at a time; leave averaging.seeds at 1, and blend several instead")
        (net,) = nets
        weights = {name: value.detach().cpu().numpy() for name, value in net.encoder.state_dict().items()}  # type: ignore[union-attr]
        items, people = net.everyone("item", facts.data.n_items), net.everyone("user", facts.data.n_users, block=512)
        fitted = FittedSequential(self, people.astype(np.float32), items, weights)
        if not self.features:
            return fitted
        own, table = (net.get_parameter(name).detach().cpu().numpy() for name in ("items.weight", "item_tower.table.weight"))
        return replace(fitted, tower=Tower(table), plain=own.mean(0))
