"""Gibbs sampling of the dot product's posterior: settings, and the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.dot import Dot
from likewise.solvers.base import Fit, Run, Solver
from likewise.solvers.gibbs.blocks import BLOCKS

OBSERVATIONS = ("gaussian", "ordinal", "binary")


@dataclass(frozen=True)
class Gibbs(Solver):
    """Sample the posterior of `Dot` by blocked Gibbs (Salakhutdinov and Mnih, 2008; Simm et al., 2017).

    Parameters
    ----------
    draws : int
        Sweeps that count, for each chain.
    burn_in : int
        Sweeps before them that do not.
    chains : int
        Independent chains, one after the other; their draws are answered from together.
    draws_kept : int
        Most draws in the fitted model, evenly spaced; the rest serve only to find them.
    observation : "gaussian", "ordinal" or "binary"
        Ratings as numbers, as ordered levels (probit), or as likes and dislikes (probit).
    noise : names of fields, "user" and "item"
        Whose ratings have noise of a size of their own; () for the same noise everywhere.
    blocks : some of "user_features", "item_features", "tags", "history", "raters"
        What the prior of a row may know; those that the data lacks are left out.
    contexts : names of context columns, or ("all",)
    choose : bool
        Check that blocks help on a random inner split and do not hurt on one by time, where there are times; leave out the others.
    spread : float
        How long rows are before anything is known, in standard deviations of a rating; the data overrule it.
    seconds : float or None
        Stop drawing after this time.
    """

    draws: int = 300
    burn_in: int = 20
    chains: int = 1
    draws_kept: int = 100
    observation: str = "gaussian"
    noise: tuple[str, ...] = ("user", "item")
    blocks: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    choose: bool = False
    spread: float = 1.4
    seconds: float | None = None

    name: ClassVar[str] = "gibbs"

    def __post_init__(self) -> None:
        for setting, least in (("draws", 1), ("burn_in", 0), ("chains", 1), ("draws_kept", 1)):
            if getattr(self, setting) < least:
                raise InputError(f"{setting} must be at least {least}; got {getattr(self, setting)}")
        if self.observation not in OBSERVATIONS:
            raise InputError(f"observation must be one of {', '.join(OBSERVATIONS)}; got {self.observation!r}")
        _check_names("blocks", self.blocks, BLOCKS)
        _check_names("noise", self.noise, ("user", "item"))
        if not self.spread > 0:
            raise InputError(f"spread must be positive; got {self.spread}")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"seconds must be positive, or None for no limit; got {self.seconds}")

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        from likewise.solvers.gibbs.sample import sample

        if not isinstance(model, Dot):
            raise InputError(f"Gibbs fits Dot; {type(model).__name__} was given")
        return sample(self, model, data, run)


def _check_names(setting: str, given: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    wrong = [name for name in given if name not in allowed]
    if wrong:
        raise InputError(f"{setting} may hold {', '.join(allowed)}; got {', '.join(map(repr, wrong))}")
