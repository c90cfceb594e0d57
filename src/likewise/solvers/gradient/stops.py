"""Checkpoints of the one-pass kernel, between strata now and then and after each epoch: a fit that goes on ends as if never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.shards.arrays import ArrayFile, write_arrays
from likewise.errors import ArtifactError
from likewise.solvers.gradient.identity import fingerprint
from likewise.solvers.gradient.tables import Parameters

if TYPE_CHECKING:
    from likewise.solvers.gradient.one_pass import OnePass

NAME = "one-pass.safetensors"
EVERY = 60.0
"""Seconds of training between two checkpoints within an epoch."""


class Stops:
    """Where a fit is kept, and where in its epoch it goes on.

    Parameters
    ----------
    folder : str or None
        None keeps nothing.
    parts : list
        Settings, seed and data: a checkpoint of another fit is refused.
    """

    def __init__(self, folder: str | None, parts: list[Any]) -> None:
        self.path = None if folder is None else Path(folder) / NAME
        self.identity = fingerprint(*parts)
        self.last = perf_counter()
        self.random: dict[str, Any] = {}
        self.first, self.losses = 0, np.empty(0)

    def begin(self, rng: np.random.Generator, losses: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
        """An epoch begins: the stratum to go on from, and the losses so far."""
        self.random = dict(rng.bit_generator.state)
        first, found = self.first, self.losses
        self.first, self.losses = 0, np.empty(0)
        if first:
            losses[:] = found
        return first, losses

    def due(self) -> bool:
        """Whether the last checkpoint is long ago."""
        return self.path is not None and perf_counter() - self.last >= EVERY

    def at(self, fit: OnePass, epoch: int, stratum: int = 0, losses: NDArray[np.float64] | None = None) -> None:
        """Keep the fit as it stands before this stratum of this epoch; what was kept before stays whole until then."""
        if self.path is None:
            return
        kept = {"now": fit.parameters, "mean": fit.average.mean, "best": None if fit.best is None else fit.best[2]}
        arrays = {f"{group}/{n}": t for group, p in kept.items() if p is not None for n, t in zip(p.tables._fields, p.tables, strict=True)}
        about = {
            "identity": self.identity,
            "stratum": stratum,
            "history": fit.history,
            "notes": fit.notes,
            "count": fit.average.count,
            "best": None if fit.best is None else fit.best[:2],
            "drop": [fit.drop, fit.since_drop],
            "finished": fit.finished,
            "random": self.random if stratum else fit.rng.bit_generator.state,
        }
        fresh = self.path.with_name(f"{NAME}.new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(fresh, {"losses": np.zeros((0, 0)) if losses is None else losses, **arrays}, json.dumps(about, default=float))
        fresh.replace(self.path)
        self.last = perf_counter()

    def load(self, parameters: Parameters) -> tuple[dict[str, Any], Parameters | None, Parameters | None] | None:
        """Put the tables kept into `parameters`; what else was kept, the mean and the best; None where there is nothing.

        Raises ArtifactError for a damaged file, and for one that another fit wrote.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            file = ArrayFile.open(self.path)
            about = json.loads(file.about)
            known = about["identity"]
        except (ArtifactError, ValueError, KeyError):
            raise ArtifactError(f"the checkpoint {self.path} is damaged; delete it to start anew") from None
        if known != self.identity:
            raise ArtifactError(
                f"the checkpoint {self.path} belongs to a fit with other data, settings or seed; give another folder or delete it"
            )
        self.first, self.losses = about["stratum"], file.read("losses")
        found: list[Parameters | None] = []
        for group in ("now", "mean", "best"):
            if f"{group}/user_factors" not in file:
                found.append(None)
                continue
            into = parameters if group == "now" else parameters.copy()
            for name, table in zip(into.tables._fields, into.tables, strict=True):
                table[:] = file.read(f"{group}/{name}")
            found.append(into)
        return about, found[1], found[2]
