"""A table of ids whose rows lie on several ranks: a TorchRec `EmbeddingCollection` that a network looks up like its own `Table`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from fbgemm_gpu.split_table_batched_embeddings_ops_training import WeightDecayMode
from torch import Tensor, nn
from torch.distributed._shard.sharded_tensor.api import ShardedTensor
from torchrec import EmbeddingCollection, EmbeddingConfig, KeyedJaggedTensor
from torchrec.optim import SGD as FusedSGD, Adam, RowWiseAdagrad
from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward

from likewise.models.networks.layers import Table
from likewise.shapes import Floats
from likewise.solvers.gradient.settings import Penalty
from likewise.solvers.gradient.steps import SGD, Adagrad, LazyAdam

FOUR = 4
"""Vectors are padded with zeros to a multiple of so many numbers, as fbgemm's kernels need."""
GROUP = 16
"""torch draws normal numbers in groups of so many, so a table drawn in blocks of whole groups is the table drawn at once."""
DRAWN = 1 << 20
"""Numbers drawn at once."""


class ShardedRows(nn.Module):
    """The table of a side.

    Until it is sharded it holds nothing. `fill` then gives each rank its rows, which are those that `Table` would have started with
    at the same place of the random sequence, however many ranks there are.

    Parameters
    ----------
    name : "user" or "item"
    rows, width, init, bias : as for `Table`
    seen : float32 [row], how often an event looks each row up
    penalty : what holds the rows; put into the gradient of each look-up, since the rows move in the backward pass
    """

    held: Tensor | None

    def __init__(self, name: str, rows: int, width: int, init: str, bias: bool, seen: Floats, penalty: Penalty) -> None:
        super().__init__()
        self.name, self.rows, self.width, self.init, self.bias, self.penalty = name, rows, width, init, bias, penalty
        self.padded = -(-width // FOUR) * FOUR
        config = EmbeddingConfig(name=name, embedding_dim=self.padded, num_embeddings=rows, feature_names=[name], init_fn=nn.init.zeros_)
        self.collection = EmbeddingCollection(tables=[config], device=torch.device("meta"))
        self.register_buffer("held", _held(torch.from_numpy(seen), penalty), persistent=False)
        self.scale = 1.0
        self.random = torch.get_rng_state()
        for _ in self._start():
            pass  # what is built after this table starts as it would behind a `Table`

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors [batch, width] of rows [batch], wherever they lie; every rank must ask at the same time."""
        keyed = KeyedJaggedTensor(keys=[self.name], values=rows, lengths=torch.ones(len(rows), dtype=torch.int64, device=rows.device))
        vectors: Tensor = self.collection(keyed)[self.name].values()[:, : self.width]
        if torch.is_grad_enabled() and (self.penalty.l2 or self.penalty.l1):
            pulled: Tensor = _Pulled.apply(vectors, self._strength(rows), self.penalty.l2, self.penalty.l1)  # type: ignore[no-untyped-call]
            return pulled
        return vectors

    def fused(self, optimizer: SGD | Adagrad | LazyAdam) -> None:
        """Move rows in the backward pass; to be said before it is sharded.

        Row-wise Adagrad takes the mean of squares over the padded width, which is made good by the rate and by epsilon.
        """
        kind: Any = FusedSGD
        settings: dict[str, Any] = {"lr": optimizer.lr}
        if isinstance(optimizer, Adagrad):
            kind, short = RowWiseAdagrad, self._short
            settings |= {"lr": optimizer.lr * short, "eps": optimizer.eps * short}
            settings |= {"weight_decay": optimizer.weight_decay / short, "weight_decay_mode": WeightDecayMode.DECOUPLE}
        elif isinstance(optimizer, LazyAdam):
            kind = Adam
            settings |= {"betas": optimizer.betas, "eps": optimizer.eps, "weight_decay": optimizer.weight_decay}
        self.short = self._short if isinstance(optimizer, Adagrad) else 1.0
        apply_optimizer_in_backward(kind, self.collection.parameters(), settings)

    def pace(self, rate: float, scale: float) -> None:
        """The rate of the next backward pass, and what multiplies this rank's loss there."""
        self.scale = scale
        optimizer: Any = self.collection.fused_optimizer
        for group in optimizer.param_groups:
            group["lr"] = rate * self.short
        optimizer.zero_grad()  # nothing is zeroed: this hands the rate to the kernels

    @torch.no_grad()
    def fill(self) -> None:
        """Give this rank's shards their start."""
        shards = [shard for value in self.collection.state_dict().values() for shard in _shards(value)]
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            first = 0
            for block in self._start():
                for top, left, target in shards:
                    low, high = max(first, top), min(first + len(block), top + len(target))
                    wide = min(self.width - left, target.shape[1])
                    if low < high and wide > 0:
                        target[low - top : high - top, :wide] = block[low - first : high - first, left : left + wide].to(target.device)
                first += len(block)

    @property
    def _short(self) -> float:
        return math.sqrt(self.width / self.padded)

    def _start(self) -> Iterator[Tensor]:
        """Blocks of the rows that a `Table` starts with, in their order."""
        size = max(GROUP, DRAWN // max(self.width, 1) // GROUP * GROUP)
        first = 0
        while first < self.rows:
            rest = self.rows - first
            rows = rest if (rest - size) * self.width < GROUP else size
            yield Table(rows, self.width, self.init, bias=self.bias).weight
            first += rows

    def _strength(self, rows: Tensor) -> Tensor:
        """How much each look-up pulls, [batch, 1 or width], for penalties of one."""
        own = torch.ones(len(rows), 1, device=rows.device) if self.held is None else self.held.index_select(0, rows)[:, None]
        if self.bias and self.penalty.bias != 1:
            columns = torch.ones(self.width, device=rows.device)
            columns[-1] = self.penalty.bias
            own = own * columns
        return own * (self.scale / len(rows))


class _Pulled(torch.autograd.Function):
    """The vectors as they are; their gradient with the penalty's added."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, strength: Tensor, l2: float, l1: float) -> Tensor:
        ctx.save_for_backward(vectors, strength)
        ctx.l2, ctx.l1 = l2, l1
        return vectors.view_as(vectors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        vectors, strength = ctx.saved_tensors
        return gradients[0] + (ctx.l2 * vectors + ctx.l1 * vectors.sign()) * strength, None, None, None


def _held(seen: Tensor, penalty: Penalty) -> Tensor | None:
    """How much more or less than others each row is held, float32 [row]; None where all are held alike."""
    if not penalty.power or not (penalty.l2 or penalty.l1):
        return None
    return (seen / seen[seen > 0].mean()).clamp_min(1e-12) ** -penalty.power


def _shards(value: Any) -> Iterator[tuple[int, int, Tensor]]:
    """(first row, first column, numbers) of each part of a table that lies here."""
    if isinstance(value, ShardedTensor):
        for shard in value.local_shards():
            top, left = shard.metadata.shard_offsets
            yield top, left, shard.tensor
    else:
        yield 0, 0, value
