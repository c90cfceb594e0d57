"""The loop over ranks: the same global batches as on one process, each rank its slice of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import DivergedError
from likewise.models.base import Model, Side
from likewise.models.networks.base import Facts, network_of
from likewise.models.networks.layers import Table
from likewise.models.networks.net import Net
from likewise.shapes import Floats
from likewise.solvers.base import Event, Run
from likewise.solvers.gradient import checkpoint as single, schedules
from likewise.solvers.gradient.batches import Batch, Batches, rows_of, shares_of
from likewise.solvers.gradient.loop import ADVICE
from likewise.solvers.gradient.objective import Objective, facts_for
from likewise.solvers.gradient.optimizers import Stepper, stepper
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.gradient.streaming import ShardBatches, shares_on_disk
from likewise.solvers.sharded import limits
from likewise.solvers.sharded.checkpoint import Checkpoints
from likewise.solvers.sharded.measuring import Measuring
from likewise.solvers.sharded.placing import sharded
from likewise.solvers.sharded.ranks import Rank
from likewise.solvers.sharded.rows import ShardedRows

log = logging.getLogger(__name__)


class Step(nn.Module):
    """What all ranks run together: the loss of a rank's rows, times what makes its mean the loss of the whole batch."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.objective: Objective | None = None

    def forward(self, batch: Batch, generator: torch.Generator, scale: float) -> tuple[Tensor, Tensor | None]:
        """(scaled loss, responses of the rows or None)."""
        if self.objective is None:
            raise RuntimeError("the objective is set before the first step")
        loss, response = self.objective(batch, generator)
        return loss * scale, response


class Training:
    """A fit under way on this rank."""

    def __init__(self, model: Model, data: Dataset | Shards, run: Run, solver: Gradient, rank: Rank) -> None:
        self.model, self.run, self.solver, self.rank = model, run, solver, rank
        self.network, self.events = network_of(model), len(data)
        limits.check(model, self.network, data, run, solver, rank)
        known = data.kept if isinstance(data, Shards) else data
        self.facts: Facts = replace(facts_for(self.network, known, solver), make_table=self._table)
        if isinstance(data, Shards):
            self.facts = replace(self.facts, shares=shares_on_disk(data, known))
        elif solver.balance is not None:
            self.facts = replace(self.facts, shares=shares_of(data.interactions.users, data.interactions.items, solver.balance))
        self.net = Net(self.network, self.facts)
        self.tables: dict[Side, ShardedRows] = {"user": self.net.users, "item": self.net.items}  # type: ignore[dict-item]
        self.wrapped: Any = sharded(Step(self.net), self.tables, solver, run.ranks.plan, rank)
        for table in self.tables.values():
            table.fill()
        dense = nn.ModuleDict({name: layer for name, layer in self.net.named_children() if not isinstance(layer, ShardedRows)})
        self.dense: Stepper = stepper(solver.optimizer, dense)
        for layer in dense.modules():
            if isinstance(layer, Table):
                layer.sparse = False  # their gradients are averaged over the ranks whole
        self.objective = Objective(solver, [self.net], self.facts, rank.device)
        self._step.objective = self.objective
        self.batches = self._batches(data)
        self.measuring = Measuring.of(self.net, run.valid, data, rank, self.objective.likes)
        self.order = torch.Generator(rank.device).manual_seed(run.seed)
        self.draws = torch.Generator(rank.device)
        self.history: list[Event] = []
        self.notes: list[str] = []
        self.finished = False
        self.begun: Mapping[str, Any] | None = None
        fingerprint = single.fingerprint(model.settings, solver.settings, run.seed, data.fingerprint) if run.checkpoint else ""
        self.checkpoints = Checkpoints(run.checkpoint, fingerprint, rank) if run.checkpoint else None

    # ---- epochs --------------------------------------------------------------------------------------------------------------

    def run_epochs(self) -> None:
        """Train until the epochs are over or someone asks to stop."""
        self._resume()
        started, first = perf_counter(), len(self.history)
        while len(self.history) < self.solver.epochs and not self.finished:
            self._one_epoch(started, first)
        if self.checkpoints is not None:
            self.checkpoints.wait()

    def _one_epoch(self, started: float, first: int) -> None:
        epoch, begun = len(self.history), perf_counter()
        self.net.train()
        loss, rmse, rows = self._train(epoch)
        done, seconds = epoch + 1 - first, perf_counter() - begun
        self.net.eval()
        event: dict[str, Any] = {"epoch": epoch + 1, "of": self.solver.epochs, "loss": loss}
        event |= {} if rmse is None else {"train_rmse": rmse}
        event |= self.measuring.figures() if self.measuring is not None else {}
        event |= {
            "rate": self._rate(epoch + 0.5),
            "rows_per_second": rows / seconds,
            "seconds": perf_counter() - started,
            "left": (perf_counter() - started) / done * (self.solver.epochs - epoch - 1),
        }
        self.history.append(event)
        if self.checkpoints is not None:  # before anybody is asked: whoever stops a fit may go on from here
            self._save(self.order.get_state(), 0, torch.zeros(3, dtype=torch.float64))
        stop = self.rank.first and self.run.watch is not None and bool(self.run.watch(event))
        if float(self.rank.summed(torch.tensor(float(stop)))):
            self.notes.append(f"stopped after epoch {event['epoch']} as asked")
            self.finished = True

    def _train(self, epoch: int) -> tuple[float, float | None, int]:
        """(mean loss, root mean squared error or None, rows seen) of an epoch, or of what was left of it."""
        skip, sums = self._place(epoch)
        start, rows = self.order.get_state(), 0
        every = self.run.ranks.checkpoint_every
        for step, batch in enumerate(self.batches.epoch(self.order)):
            if step < skip:
                continue
            rows += len(batch)
            loss, squares, answered = self.step(batch, epoch, step)
            sums += torch.stack([loss.double() * len(batch), squares.double(), torch.tensor(float(answered), dtype=torch.float64)])
            last = step + 1 == len(self.batches)
            if self.checkpoints is not None and every and (step + 1) % every == 0 and not last:
                self._save(start, step + 1, sums)
        total, squares, answered = self.rank.summed(sums).tolist()
        if not math.isfinite(total):
            raise DivergedError(f"training diverged in epoch {epoch + 1}: the loss is not finite; {ADVICE}", None)
        return total / self.events, math.sqrt(squares / answered) if answered else None, rows

    def step(self, batch: Batch, epoch: int, step: int) -> tuple[Tensor, Tensor, int]:
        """One step on a global batch; this rank's part of its loss, of the squared error, and of the rows answered, on the CPU."""
        own, share = self.own(batch)
        when = epoch + step / len(self.batches)
        rate, scale = self._rate(when), self.rank.size * share
        seed = int(np.random.SeedSequence([self.run.seed, epoch, step, self.rank.number]).generate_state(1, np.uint64)[0] >> 1)
        torch.manual_seed(seed)
        self.draws.manual_seed(seed)
        for table in self.tables.values():
            table.pace(rate, scale)
        for p in self.learning:
            p.grad = None
        mixed = self.run.precision == "mixed" and self.rank.device.type == "cuda"
        with torch.autocast(self.rank.device.type, torch.bfloat16, enabled=mixed):
            loss, response = self.wrapped(own, self.draws, scale)
        loss.backward()
        self.objective.penalise()
        self.dense.step(rate, schedules.momentum(self.solver.schedule, when, self.solver.epochs))
        answered = len(own) if response is not None and share else 0
        squares = (response.float() - own.target).square().sum().cpu() if response is not None and share else torch.zeros(())
        return loss.detach().cpu() / self.rank.size, squares, answered

    def own(self, batch: Batch) -> tuple[Batch, float]:
        """This rank's rows of a global batch, and their share of its weight; one row that counts nothing where none is left for it."""
        n, r, w = len(batch), self.rank.number, self.rank.size
        span = slice(n * r // w, n * (r + 1) // w)
        if span.start == span.stop:
            return batch.at(slice(0, 1)), 0.0
        if batch.weight is None:
            return batch.at(span), (span.stop - span.start) / n
        return batch.at(span), float(batch.weight[span].sum() / batch.weight.sum().clamp_min(1e-12))

    @property
    def learning(self) -> list[nn.Parameter]:
        """The dense parameters that move."""
        return [p for name, layer in self.net.named_children() if not isinstance(layer, ShardedRows) for p in layer.parameters()]

    @property
    def _step(self) -> Step:
        return next(module for module in self.wrapped.modules() if isinstance(module, Step))

    def _rate(self, when: float) -> float:
        return self.solver.optimizer.lr * schedules.rate(self.solver.schedule, when, self.solver.epochs)

    def _table(self, side: Side, rows: int, width: int, init: str, bias: bool, seen: Floats) -> ShardedRows:
        return ShardedRows(side, rows, width, init, bias, seen, self.solver.penalty)

    def _batches(self, data: Dataset | Shards) -> Batches | ShardBatches:
        """The global batches, alike on every rank; of shards a rank holds the one in use and the next."""
        size, likes = self.solver.batch_size, self.objective.likes
        if isinstance(data, Shards):
            return ShardBatches(data, size, self.rank.device, likes)
        rows = rows_of(data.interactions, self.rank.device)
        rows = replace(rows, target=torch.ones_like(rows.target)) if likes else rows
        return Batches(rows, size, self.solver.balance, None)

    # ---- checkpoints ---------------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {"model": self.wrapped.state_dict(), "fused": self.wrapped.fused_optimizer.state_dict(), "dense": self.dense.state()}

    def _save(self, order: Tensor, step: int, sums: Tensor) -> None:
        if self.checkpoints is None:
            return
        about = {
            "order": order.tolist(),
            "step": step,
            "steps": len(self.history) * len(self.batches) + step,
            "sums": self.rank.summed(sums.clone()).tolist(),
            "history": self.history,
            "notes": self.notes,
            "finished": self.finished,
        }
        self.checkpoints.save(self._state(), about)

    def _resume(self) -> None:
        about = None if self.checkpoints is None else self.checkpoints.restore(self._state, self._take)
        if about is None:
            return
        self.begun = about
        self.history, self.notes, self.finished = list(about["history"]), list(about["notes"]), bool(about["finished"])
        self.order.set_state(torch.tensor(about["order"], dtype=torch.uint8))
        if self.rank.first:
            log.warning("going on from step %d of the checkpoint in %s, on %d ranks", about["steps"], self.run.checkpoint, self.rank.size)

    def _take(self, state: Mapping[str, Any]) -> None:
        self.wrapped.load_state_dict(state["model"])
        self.wrapped.fused_optimizer.load_state_dict(state["fused"])
        self.dense.restore(state["dense"])

    def _place(self, epoch: int) -> tuple[int, Tensor]:
        """(steps of this epoch that are done, this rank's sums over them); the first rank bears those of all."""
        about = self.begun
        if about is None or len(about["history"]) != epoch:
            return 0, torch.zeros(3, dtype=torch.float64)
        sums = torch.tensor(about["sums"], dtype=torch.float64)
        return int(about["step"]), sums if self.rank.first else torch.zeros_like(sums)
