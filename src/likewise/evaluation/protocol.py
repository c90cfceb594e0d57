"""Protocols as data: how train and test are made, which held-out items count, and among what they are ranked.

A figure means nothing without its protocol, so an evaluation carries it. The default is the one that does not flatter: every item
outside the person's own history is ranked. Ranking among a sample of negatives is possible and is always named `sampled_`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from likewise.errors import InputError
from likewise.evaluation.top_n import check_ks
from likewise.shapes import Floats, Mask

By = Literal["given", "random", "user", "time", "last", "cold-users", "cold-items"]
Pool = Literal["all", "new"]

_POSITIVE = re.compile(r"^(>=|>|<=|<|==)\s*(-?\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Protocol:
    """How lists are judged.

    Parameters
    ----------
    name : str
    by : str
        The split the protocol is defined on, as `likewise.split` names it; "given" leaves that to the caller.
    positive : str or None
        Which held-out ratings are worth finding, ">=4"; None: all.
    ks : tuple of int
        List lengths.
    negatives : int or None
        None ranks everything. A number ranks each held-out item among that many sampled ones; its figures are called `sampled_...`.
    pool : "all" or "new"
        "new" ranks only items without training events.
    exclude_seen : bool
        Leave the person's own history out of the lists.
    given : float
        For people the model was not trained on: the share of their held-out events they are introduced by; the rest is the test.
    seed : int
        Of the sampled negatives and of the events given.
    """

    name: str = "full"
    by: By = "given"
    positive: str | None = None
    ks: tuple[int, ...] = (5, 10, 20, 100)
    negatives: int | None = None
    pool: Pool = "all"
    exclude_seen: bool = True
    given: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ks", check_ks(self.ks))
        if self.positive is not None and not _POSITIVE.match(self.positive):
            raise InputError(f"positive must be a comparison with a number, as in '>=4'; got {self.positive!r}")
        if self.negatives is not None and self.negatives < 1:
            raise InputError(f"negatives must be at least 1, or None to rank everything; got {self.negatives}")
        if self.pool not in ("all", "new"):
            raise InputError(f"pool must be 'all' or 'new'; got {self.pool!r}")
        if not 0 <= self.given < 1:
            raise InputError(f"given must be a share in [0, 1); got {self.given}")

    @property
    def prefix(self) -> str:
        """What the names of its list figures begin with."""
        return "" if self.negatives is None else "sampled_"

    @property
    def settings(self) -> dict[str, Any]:
        """As plain values, to be kept beside every figure."""
        return {**asdict(self), "ks": list(self.ks), "candidates": "all" if self.negatives is None else self.negatives + 1}

    def describe(self) -> str:
        """One line for the head of a table."""
        what = "all held-out items" if self.positive is None else f"held-out items rated {self.positive}"
        among = {"all": "every item", "new": "every item without training events"}[self.pool]
        if self.negatives is not None:
            among = f"{self.negatives} sampled negatives (seed {self.seed})"
        outside = " outside the person's history" if self.exclude_seen and self.negatives is None else ""
        return f"{self.name}: {what}, ranked among {among}{outside}"

    def positives(self, ratings: Floats | None, n_events: int) -> Mask:
        """Which held-out events are worth finding, bool [event]."""
        if self.positive is None:
            return np.ones(n_events, np.bool_)
        if ratings is None:
            raise InputError(f"positive={self.positive!r} needs ratings and the test set has none; leave it out to take every event")
        return positives(ratings, self.positive)


PROTOCOLS = {
    "full": Protocol(),
    "loo99": Protocol("loo99", by="last", ks=(10,), negatives=99),
    "vae": Protocol("vae", by="cold-users", positive=">=4", ks=(20, 50, 100), given=0.8),
    "cold-items": Protocol("cold-items", by="cold-items", pool="new"),
}
"""`loo99`: He et al. 2017 (NCF): each person's last event among 99 sampled. `vae`: Liang et al. 2018: unknown people introduced by
80 % of their events; its recall is `capped_recall`. `cold-items`: items without training events ranked among themselves."""


def protocol(name: str = "full", **changes: Any) -> Protocol:
    """A named protocol, changed where said.

    >>> protocol("full", positive=">=4").describe()
    "full: held-out items rated >=4, ranked among every item outside the person's history"
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}; got {name!r}")
    unknown = set(changes) - set(Protocol.__dataclass_fields__)
    if unknown:
        raise InputError(f"a protocol has no {', '.join(sorted(unknown))}; it has {', '.join(Protocol.__dataclass_fields__)}")
    return replace(PROTOCOLS[name], **changes)


def positives(ratings: Floats, threshold: str) -> Mask:
    """Ratings that satisfy a comparison.

    >>> positives(np.array([3.0, 4.0, 5.0], np.float32), ">=4").tolist()
    [False, True, True]
    """
    match = _POSITIVE.match(threshold)
    if match is None:
        raise InputError(f"positive must be a comparison with a number, as in '>=4'; got {threshold!r}")
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less, "==": np.equal}[match[1]]
    return np.asarray(compare(ratings, np.float32(match[2])), np.bool_)
