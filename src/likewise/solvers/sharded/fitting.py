"""A fit over ranks from beginning to end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.models.base import Model
from likewise.solvers.base import Fit, Run
from likewise.solvers.gradient.device import borrowed
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.sharded import versions

UNFINISHED = ".model-of-ranks.tmp"
"""Where the ranks write the model's arrays, in the folder that it will be saved in."""


def fit(model: Model, data: Dataset | Shards, run: Run, solver: Gradient) -> Fit:
    """Train `model` on the ranks of this job, one where torchrun did not start it.

    Every rank gets the same model; its tables are mapped from the file that the ranks wrote together, and loaded by nobody.

    Raises
    ------
    InputError
        Settings that need all rows in one place, more ranks than rows.
    LikewiseError
        TorchRec is missing or does not fit torch; another rank has ended.
    """
    versions.load()
    from likewise.solvers.sharded.ranks import joined
    from likewise.solvers.sharded.training import Training
    from likewise.solvers.sharded.writing import Result

    start = perf_counter()
    with joined(run.device) as rank, borrowed(rank.device, run.seed, run.threads):
        training = Training(model, data, run, solver, rank)
        training.run_epochs()
        kept = run.ranks.folder
        with _place(kept) as own:
            path = Path(str(rank.told(str(own / UNFINISHED))))
            fitted = Result(model, training.net, training.facts, rank).write(path)
    return Fit(fitted, training.history, perf_counter() - start, notes=training.notes, written=path if kept else None)


@contextmanager
def _place(kept: str | None) -> Iterator[Path]:
    """The folder to save in, or one that goes when the file in it is mapped."""
    if kept is not None:
        place = Path(kept)
        place.mkdir(parents=True, exist_ok=True)
        yield place
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
