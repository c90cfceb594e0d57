"""What every network promises, written so that its settings can be imported without torch.

A network is a frozen dataclass of settings that also holds the equation. It has three steps, and torch is imported inside them:

    person(net, users)  [batch] -> [batch, a]      what the network makes of a user row
    item(net, items)    [batch] -> [batch, b]      what it makes of an item row
    score(net, person, item, context)  -> [batch]  the equation that joins the two, over any leading axes

`tables` builds the layers of the first two, `head` those of the third. After training the first two are computed once for every
row and kept, so a fitted network is two matrices and its head. Where the head is a dot product (`vectors`), it becomes a model of
vectors and answers without torch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from likewise.data.features import Features
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model, Side
from likewise.models.link import Link
from likewise.shapes import Floats

if TYPE_CHECKING:
    from torch import Tensor, nn

    from likewise.data.dataset import Dataset
    from likewise.models.networks.net import Net
    from likewise.models.softmax import Weighing

Init = Literal["normal", "truncated", "scaled"]
Output = Literal["sigmoid", "clip", "free", "relu"]


TableMaker = Callable[[Side, int, int, str, bool, Floats], Any]
"""(side, rows, width, init, bias, how often each row is looked up) -> a module that is looked up like a `Table`."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What a network is told of the data before it is built.

    Parameters
    ----------
    data : Interactions
    link : Link
        The output's last step.
    mean : float
        Added to every score: the mean rating, seen through the link; 0 for losses that rank.
    user_features, item_features : Features or None
        Encoded, aligned with the rows.
    contexts : mapping of name to int
        Number of values of each context.
    levels : float32 [level] or None
        Rating levels, where the loss is on levels.
    level_kind : "ordinal" or "categorical"
    cosine : bool
        The score is the cosine of person and item.
    weighing : Weighing or None
        What likes count under the softmax over the catalogue; None for other losses.
    shares : float64 [event] or None
        How often each event is drawn, where not all are drawn alike; sums to one.
    make_table : callable or None
        Makes the tables of ids; None makes `Table`s.
    """

    data: Interactions
    link: Link
    mean: float = 0.0
    user_features: Features | None = None
    item_features: Features | None = None
    contexts: Mapping[str, int] = field(default_factory=dict)
    levels: Floats | None = None
    level_kind: Literal["ordinal", "categorical"] = "ordinal"
    cosine: bool = False
    shares: NDArray[np.float64] | None = None
    make_table: TableMaker | None = None
    weighing: Weighing | None = None

    def ids(self, side: Side, width: int, init: str, bias: bool = False) -> Any:
        """The table of a side's ids: a `Table`, or what a solver that keeps tables elsewhere makes in its place."""
        rows = self.data.n_users if side == "user" else self.data.n_items
        if self.make_table is not None:
            return self.make_table(side, rows, width, init, bias, self.seen(side))
        from likewise.models.networks.layers import Table

        return Table(rows, width, init, self.seen(side), bias)

    def seen(self, side: Side) -> Floats:
        """How often an event looks up each row of a side, float32 [row]; sums to one."""
        rows, size = (self.data.users, self.data.n_users) if side == "user" else (self.data.items, self.data.n_items)
        shares = np.full(len(rows), 1 / max(len(rows), 1)) if self.shares is None else self.shares
        return np.bincount(rows, shares, size).astype(np.float32)

    @classmethod
    def of(cls, data: Dataset, link: Link, centred: bool = True) -> Facts:
        """The facts of a data set; `centred` sets the mean."""
        ratings = data.interactions.ratings
        mean = through(link, float(ratings.mean())) if centred and ratings is not None and len(ratings) else 0.0
        return cls(data.interactions, link, mean, data.user_features, data.item_features, {n: len(v) for n, v in data.contexts.items()})


@dataclass(frozen=True)
class Network(Model):
    """Settings of a network, and its equation."""

    solvers: ClassVar[frozenset[str]] = frozenset({"gradient"})
    grouped: ClassVar[Side | None] = None
    """Batches hold all events of a user (item) together, for networks that read whole histories."""

    @abstractmethod
    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        """The output's last step on this data."""

    @abstractmethod
    def tables(self, facts: Facts) -> dict[str, nn.Module]:
        """Layers that turn rows into representations."""

    @abstractmethod
    def head(self, widths: tuple[int, int], contexts: Mapping[str, int]) -> dict[str, nn.Module]:
        """Layers that join a person [.., widths[0]] and an item [.., widths[1]]."""

    @abstractmethod
    def widths(self, facts: Facts) -> tuple[int, int]:
        """Length of a person's and of an item's representation."""

    @abstractmethod
    def person(self, net: Any, users: Tensor) -> Tensor:
        """Representations [batch, a] of user rows [batch]."""

    @abstractmethod
    def item(self, net: Any, items: Tensor) -> Tensor:
        """Representations [batch, b] of item rows [batch]."""

    @abstractmethod
    def score(self, net: Any, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """Scores of persons [..., a] and items [..., b] with the same leading axes, without the mean."""

    @abstractmethod
    def vectors(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor] | None:
        """Both sides as vectors whose dot product is the score without the mean; None where there are none."""

    @abstractmethod
    def fitted(self, nets: Sequence[Net], facts: Facts) -> FittedModel[Any]:
        """The fitted model of trained networks: one, or several seeds whose scores are averaged."""


def through(link: Link, rating: float) -> float:
    """The score that the link turns into `rating`."""
    if link.kind != "sigmoid":
        return rating
    share = (rating - link.low) / (link.high - link.low)
    share = min(max(share, 1e-3), 1 - 1e-3)
    return float(np.log(share / (1 - share)))


def output_link(output: Output, limits: tuple[float, float] | None, data: Interactions, stated: tuple[float, float] | None) -> Link:
    """A network's last step: as `Dot` has it, and "relu", which is never below zero."""
    from likewise.models.dot import Dot

    if output == "relu":
        return Link("clip", 0.0, np.inf)
    return Dot(factors=1, output=output, range=limits).link(data, stated)


def embedding_width(width: int | str, rows: int) -> int:
    """A stated width, or fastai's rule of thumb for "auto": min(600, round(1.6 n^0.56)).

    >>> embedding_width("auto", 943), embedding_width(50, 943)
    (74, 50)
    """
    return min(600, round(1.6 * rows**0.56)) if isinstance(width, str) else width


def check_width(name: str, width: int | str) -> None:
    """Refuse widths below one and words other than "auto"."""
    if width != "auto" and not (isinstance(width, int) and width >= 1):
        raise InputError(f"{name} must be at least 1 or 'auto'; got {width!r}")


def check_layers(hidden: Sequence[int], dropout: Sequence[float]) -> None:
    """Refuse layers of size 0, dropouts outside [0, 1), and more dropouts than layers."""
    for size in hidden:
        if not isinstance(size, int) or size < 1:
            raise InputError(f"hidden layers must have at least 1 unit each; got {list(hidden)}")
    for share in dropout:
        check_share("dropout", share)
    if len(dropout) > len(hidden):
        raise InputError(f"there must not be more dropouts than hidden layers; got {len(dropout)} for {len(hidden)}: leave some out")


def check_share(name: str, share: float) -> None:
    """Refuse what lies outside [0, 1)."""
    if not isinstance(share, int | float) or not 0 <= share < 1:
        raise InputError(f"{name} must lie in [0, 1); got {share!r}")


def check_output(output: str, limits: tuple[float, float] | None, init: str) -> None:
    """Refuse an unknown output, an unknown start, and a range with low >= high."""
    if output not in ("sigmoid", "clip", "free", "relu"):
        raise InputError(f"output must be 'sigmoid', 'clip', 'free' or 'relu'; got {output!r}")
    if init not in ("normal", "truncated", "scaled"):
        raise InputError(f"init must be 'normal', 'truncated' or 'scaled'; got {init!r}")
    if limits is not None:
        Link("clip", *limits)


def as_tuples(settings: Model, *names: str) -> None:
    """Make lists from preset files into tuples, so that settings compare and hash."""
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, list):
            object.__setattr__(settings, name, tuple(value))


def network_of(model: Model) -> Network:
    """The network that stands for a model's settings: itself, or the dot product's.

    Raises InputError for a model that has none.
    """
    from likewise.models.dot import Dot

    if isinstance(model, Network):
        return model
    if isinstance(model, Dot):
        from likewise.models.networks.dot import DotNetwork

        return DotNetwork(model)
    raise InputError(
        f"{type(model).__name__} has no network, so gradient descent cannot fit it; it takes one of: {', '.join(sorted(model.solvers))}"
    )
