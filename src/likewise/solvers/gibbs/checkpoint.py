"""Where a chain stands, on disk: enough to go on with the very bytes it would have had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.errors import ArtifactError
from likewise.solvers.gibbs.chain import Chain
from likewise.solvers.gibbs.keep import Kept

EVERY = 25
"""Sweeps between two writes."""


class Checkpoint:
    """A file in the run's checkpoint folder, written whole or not at all.

    Parameters
    ----------
    folder : path
    identity : what the fit is of: settings, data, seed. A file of another fit is refused.
    """

    def __init__(self, folder: str, identity: dict[str, Any]):
        self.path = Path(folder) / "gibbs.npz"
        self.identity = json.dumps(identity, sort_keys=True, default=str)

    def save(self, chain: Chain, kept: Kept) -> None:
        """Write the chain's state and the draws kept."""
        arrays = {f"chain.{name}": value for name, value in chain.state().items()} | {f"kept.{n}": v for n, v in kept.state().items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(".gibbs.tmp.npz")
        np.savez(temporary, identity=np.array(self.identity), number=np.array(chain.key[1]), **arrays)  # type: ignore[arg-type]
        temporary.replace(self.path)

    def load(self) -> tuple[int, dict[str, NDArray[Any]], dict[str, NDArray[Any]]] | None:
        """Number of the chain, its state, and the draws kept; None if nothing was written yet."""
        if not self.path.is_file():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{self.path} is damaged ({error}); delete it to start the chain again") from error
        if str(arrays["identity"]) != self.identity:
            raise ArtifactError(f"{self.path} belongs to another fit (settings, data or seed differ); delete it or name another folder")
        parts = [{n.removeprefix(p): v for n, v in arrays.items() if n.startswith(p)} for p in ("chain.", "kept.")]
        return int(arrays["number"]), parts[0], parts[1]

    def done(self) -> None:
        """The fit is complete: the file has served."""
        self.path.unlink(missing_ok=True)
