"""Causal transformer over a person's last items: what comes next (Kang and McAuley 2018, trained by softmax).

    x_0 = start,  x_t = e_{item t-1}
    x   = x + attention(norm(x));  x = x + dense(norm(x))            a few blocks, each place sees itself and what came before
    attention of t to s ~ exp(q_t . k_s / sqrt(width / heads) + b_{t-s})   a learned number for each head, block and distance
    score(history, i) = norm(x_T) . e_i

Order enters by distance alone (Shaw et al. 2018; Zhai et al. 2024), so that the film just before has its own weight wherever it stands.
Items have one table, read at both ends. Every event is a target of a softmax over the catalogue, without what the person had before it
where nobody meets an item twice, or over many sampled negatives
(Klenitskiy and Vasilev 2023; Petrov and Macdonald 2023: the loss, not the network, made it strong). A batch holds whole histories;
they are cut into windows of at most `window` events, elsewhere each time, and windows of like length are computed together.
After training a person is a vector: the state after their history, which NumPy computes for newcomers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network, check_share
from likewise.shapes import NO_TIME

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net

GAPS = 32
"""Classes of time between two events: unknown, then powers of two of a second, the last of 34 years and more."""


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
    gaps : bool
        The time since the event before, by powers of two, is read beside each event. A share of `dropout` of them is hidden while
        training, so that histories without times are answered too.
    """

    factors: int = 64
    blocks: int = 2
    heads: int = 2
    window: int = 100
    dropout: float = 0.2
    features: bool = False
    gaps: bool = False

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
        if self.gaps and by_user.times is None:
            raise InputError("gaps=True needs the times of events and there are none: name their column, or leave gaps at False")
        waits = gaps_of(by_user).astype(np.float32) if self.gaps else None
        described = facts.item_features if self.features else None
        tower = {} if described is None else {"item_tower": FeatureTower(described.design(), self.factors, seen, bias=False)}
        return {
            "items": Table(facts.data.n_items, self.factors, "scaled", seen=seen),
            **tower,
            **({"gaps": Table(GAPS, self.factors, "zero")} if self.gaps else {}),
            "encoder": Encoder(self.factors, self.blocks, self.heads, self.window, self.dropout),
            "histories": Ragged(CSR(by_user.indptr, by_user.rows, waits, facts.data.n_items)),
        }

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        return {}

    def person(self, net: Any, users: Tensor) -> Tensor:
        """While training the rows are whole histories in order, and each event gets the state before it; else the state after all."""
        import torch

        if net.training:
            distinct, counts = torch.unique_consecutive(users, return_counts=True)
            _, items, gaps = net.histories.take(distinct)
            states: Tensor = net.encoder(self._events(net, items, gaps), counts)
            return states
        distinct, place = torch.unique(users, return_inverse=True)
        indptr, items, gaps = net.histories.take(distinct)
        last: Tensor = net.encoder.last(self._events(net, items, gaps), indptr.diff())
        return last.index_select(0, place)

    def _events(self, net: Any, items: Tensor, gaps: Tensor) -> Tensor:
        """What the encoder reads of each event, [event, factor]."""
        if not self.gaps:
            return self.item(net, items)
        if net.training and self.dropout:
            gaps = gaps * (gaps.new_empty(gaps.shape).uniform_() >= self.dropout)
        rows: Tensor = self.item(net, items) + net.gaps(gaps.long())
        return rows

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
        gaps = net.get_parameter("gaps.weight").detach().cpu().numpy() if self.gaps else None
        fitted = FittedSequential(self, people.astype(np.float32), items, weights, gaps)
        if not self.features:
            return fitted
        own, table = (net.get_parameter(name).detach().cpu().numpy() for name in ("items.weight", "item_tower.table.weight"))
        return replace(fitted, tower=Tower(table), plain=own.mean(0))


def gaps_of(histories: Histories) -> NDArray[np.int64]:
    """How long after the one before each entry came, int64 [entry]: 0 unknown, else 1 + floor(log2(1 + seconds)).

    >>> gaps_of(Histories(np.array([0, 4]), np.zeros(4, np.int32), times=np.array([10, 10, 13, 3613]))).tolist()
    [0, 1, 3, 12]
    """
    found = np.zeros(len(histories.rows), np.int64)
    if histories.times is None or not len(found):
        return found
    known = histories.times != NO_TIME
    told = known[1:] & known[:-1]
    seconds = np.where(told, np.diff(np.where(known, histories.times, 0)), 0).clip(0)
    found[1:] = np.where(told, np.minimum(1 + np.floor(np.log2(1.0 + seconds)), GAPS - 1), 0)
    found[histories.indptr[:-1][histories.counts > 0]] = 0
    return found
