"""SVD++: the dot product whose users are also what they rated (Koren 2008).

    score(u, i) = mean + b_u + b_i + q_i . (p_u + |N(u)|^-1/2 * sum_{j in N(u)} y_j)

and with `mirror`, the "flipped" SVD++ (Rendle, Zhang and Koren 2019), instead of q_i

    q_i + |R(i)|^-1/2 * sum_{v in R(i)} x_v

N(u) are the items that u rated in train, whatever the rating; R(i) the users who rated i. Each sum is computed once a batch for the
users in it. A person never seen gets the sum from their own history, and p_u by ridge regression. After training the model is vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from likewise.data.csr import CSR
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Init, Network, Output, as_tuples, check_output, check_share, output_link

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.models.networks.net import Net


@dataclass(frozen=True)
class SVDpp(Network):
    """Settings of SVD++.

    Parameters
    ----------
    factors : int, at least 1
    mirror : whether items are also who rated them, R(i), whatever they gave.
    history_dropout : share of a history left out of each sum while training, so that a rating leans less on its own item's y.
    output, range, init : as in `MLP`.
    freeze : layers held still: any of "users", "items", "implicit", "mirrored".
    """

    factors: int = 20
    mirror: bool = False
    history_dropout: float = 0.0
    output: Output = "clip"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "svdpp"

    def __post_init__(self) -> None:
        as_tuples(self, "range", "freeze")
        if self.factors < 1:
            raise InputError(f"factors must be at least 1; got {self.factors}")
        check_share("history_dropout", self.history_dropout)
        check_output(self.output, self.range, self.init)

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        return output_link(self.output, self.range, data, stated)

    def widths(self, facts: Facts) -> tuple[int, int]:
        return self.factors + 1, self.factors + 1

    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        from likewise.models.networks.layers import Ragged, Table, column_sums

        layers: dict[str, nn.Module] = {
            "users": Table(facts.data.n_users, self.factors + 1, self.init, seen=facts.seen("user"), bias=True),
            "items": Table(facts.data.n_items, self.factors + 1, self.init, seen=facts.seen("item"), bias=True),
        }
        rated = _averages(facts.data.by_user, facts.data.n_items)
        layers |= {"implicit": Table(rated.width, self.factors, "zero", column_sums(rated, facts.seen("user"))), "history": Ragged(rated)}
        if self.mirror:
            raters = _averages(facts.data.by_item, facts.data.n_users)
            layers["mirrored"] = Table(raters.width, self.factors, "zero", column_sums(raters, facts.seen("item")))
            layers["raters"] = Ragged(raters)
        return layers

    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        return {}

    def person(self, net: Any, users: Tensor) -> Tensor:
        return self._summed(net, users, net.users, net.implicit, net.history)

    def item(self, net: Any, items: Tensor) -> Tensor:
        if self.mirror:
            return self._summed(net, items, net.items, net.mirrored, net.raters)
        rows: Tensor = net.items(items)
        return rows

    def _summed(self, net: Any, rows: Tensor, own: Any, implicit: Any, histories: Any) -> Tensor:
        from torch.nn.functional import pad

        given = histories.sums(implicit.weight, rows, self.history_dropout if net.training else 0.0)  # [batch, factor]
        vectors: Tensor = own(rows) + pad(given, (0, 1))
        return vectors

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


def _averages(histories: Histories, width: int) -> CSR:
    """Each history with one over the root of its length as values."""
    scale = np.repeat(1 / np.sqrt(np.maximum(histories.counts, 1)), histories.counts).astype(np.float32)
    return CSR(histories.indptr, histories.rows, scale, width)
