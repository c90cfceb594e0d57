"""What this engine refuses, each in one line that says what it takes instead."""

from __future__ import annotations

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.networks.base import Network
from likewise.solvers.base import Run
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.gradient.steps import SGD, Adagrad, LazyAdam
from likewise.solvers.gradient.streaming import check_streams
from likewise.solvers.sharded.ranks import Rank

MODELS = ("dot", "mlp", "two-tower", "dlrm")


def check(model: Model, network: Network, data: Dataset | Shards, run: Run, solver: Gradient, rank: Rank) -> None:
    """Raise InputError for settings, options and sizes that cannot be had over ranks."""
    if model.name not in MODELS:
        raise InputError(f"engine 'torchrec' trains {', '.join(MODELS)}; {model.name!r} reads whole histories: use engine='torch'")
    if isinstance(data, Shards):
        check_streams(model, solver)
    _check_optimizer(solver, rank)
    refused = {
        "loss 'softmax'": solver.loss.name == "softmax",
        "penalty.clip": bool(solver.penalty.clip),
        "stopping": solver.stopping is not None,
        "averaging": bool(solver.averaging.ema) or solver.averaging.swa < 1 or solver.averaging.seeds > 1,
        "freeze": bool(getattr(network, "freeze", ())),
        "ids=False": not getattr(network, "ids", True),
        "a model to start from": run.start is not None,
        "compile": run.compile,
    }
    if asked := [name for name, wanted in refused.items() if wanted]:
        raise InputError(
            f"engine 'torchrec' has no {asked[0]}, which needs all rows in one place: leave it out, or use engine='torch'"
            + (" (for lists, 'sampled-softmax' is near)" if asked[0].startswith("loss") else "")
        )
    _check_sizes(data, rank)


def _check_optimizer(solver: Gradient, rank: Rank) -> None:
    optimizer = solver.optimizer
    if isinstance(optimizer, LazyAdam):
        if rank.device.type != "cuda":
            raise InputError("optimizer 'lazy-adam' is fused on GPUs alone; on CPU engine 'torchrec' takes 'adagrad' or 'sgd'")
    elif not isinstance(optimizer, SGD | Adagrad):
        raise InputError(
            f"engine 'torchrec' moves the rows of a batch alone, so it takes optimizer 'adagrad', 'sgd' or, on a GPU, 'lazy-adam'; "
            f"got {optimizer.name!r}"
        )
    elif isinstance(optimizer, SGD) and (optimizer.momentum or optimizer.weight_decay):
        raise InputError("engine 'torchrec' has SGD without momentum and weight_decay; set both to 0, and use penalty.l2")


def _check_sizes(data: Dataset | Shards, rank: Rank) -> None:
    for name, rows in (("users", data.n_users), ("items", data.n_items), ("events", len(data))):
        if rows < rank.size:
            kept = "a rank would have no data" if name == "events" else "a rank would hold no row"
            raise InputError(f"{rank.size} ranks are more than the {rows} {name}, so {kept}: start fewer (torchrun --nproc-per-node)")
