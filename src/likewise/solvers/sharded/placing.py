"""Which rank holds which rows, and the module that trains them there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import torch.distributed as dist
from torch import nn
from torchrec.distributed import DistributedModelParallel
from torchrec.distributed.embedding import EmbeddingCollectionSharder
from torchrec.distributed.model_parallel import DefaultDataParallelWrapper
from torchrec.distributed.planner import EmbeddingShardingPlanner, ParameterConstraints, Topology
from torchrec.distributed.sharding_plan import construct_module_sharding_plan, row_wise
from torchrec.distributed.types import ShardingPlan

from likewise.models.base import Side
from likewise.models.networks.net import LevelHead
from likewise.solvers.base import Placing
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.sharded.ranks import Rank
from likewise.solvers.sharded.rows import ShardedRows

KINDS = ("table_wise", "row_wise", "column_wise")
"""Ways to part a table that the planner may choose from."""


def sharded(step: nn.Module, tables: Mapping[Side, ShardedRows], solver: Gradient, placing: Placing, rank: Rank) -> Any:
    """`step` with its tables sharded and everything else in every rank, gradients averaged (DDP)."""
    for table in tables.values():
        table.fused(solver.optimizer)  # type: ignore[arg-type]
    sharder = EmbeddingCollectionSharder()
    plan = _row_wise(step, sharder, rank) if placing == "row-wise" else _planned(step, sharder, solver, rank)
    # a level head has parameters for both of its kinds, and uses those of one
    beside = DefaultDataParallelWrapper(static_graph=False, find_unused_parameters=any(isinstance(m, LevelHead) for m in step.modules()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of arguments that TorchRec gives to DDP
        return DistributedModelParallel(step, device=rank.device, plan=plan, sharders=[sharder], data_parallel_wrapper=beside)


def _row_wise(step: nn.Module, sharder: EmbeddingCollectionSharder, rank: Rank) -> ShardingPlan:
    plans = {}
    for name, module in step.named_modules():
        if isinstance(module, ShardedRows):
            how = {module.name: row_wise()}
            sizes = {"world_size": rank.size, "local_size": _beside(rank), "device_type": rank.device.type}
            plans[f"{name}.collection"] = construct_module_sharding_plan(module.collection, how, sharder=sharder, **sizes)
    return ShardingPlan(plans)


def _planned(step: nn.Module, sharder: EmbeddingCollectionSharder, solver: Gradient, rank: Rank) -> ShardingPlan:
    """TorchRec's own choice, by the memory of each device and what a step costs; rows that no device has room for stay in host memory."""
    topology = Topology(world_size=rank.size, local_world_size=_beside(rank), compute_device=rank.device.type)
    tables = [module for module in step.modules() if isinstance(module, ShardedRows)]
    # copies of a table in every rank would be trained by no fused optimiser
    kinds = {table.name: ParameterConstraints(sharding_types=list(KINDS)) for table in tables}
    planner = EmbeddingShardingPlanner(topology=topology, batch_size=max(1, solver.batch_size // rank.size), constraints=kinds)
    return planner.collective_plan(step, [sharder], dist.group.WORLD)


def _beside(rank: Rank) -> int:
    """Ranks on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", rank.size))
