"""The one loop: batches, loss, step; an epoch's figures; stopping, averaging, resuming."""

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
from likewise.errors import DivergedError, InputError
from likewise.models.base import Model
from likewise.models.networks.base import Facts, Network, network_of
from likewise.models.networks.net import Net
from likewise.solvers.base import Event, Fit, Run
from likewise.solvers.gradient import checkpoint, schedules, stops
from likewise.solvers.gradient.batches import Batch, Batches, rows_of, shares_of
from likewise.solvers.gradient.device import borrowed, device_of
from likewise.solvers.gradient.objective import Objective, facts_for
from likewise.solvers.gradient.optimizers import stepper
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.gradient.start import begin
from likewise.solvers.gradient.steps import Plateau
from likewise.solvers.gradient.streaming import ShardBatches, check_streams, shares_on_disk
from likewise.solvers.gradient.supply import watched
from likewise.solvers.gradient.tally import Tally
from likewise.solvers.gradient.validation import Validation
from likewise.solvers.gradient.weights import RunningAverage, copy_of, put_back

log = logging.getLogger(__name__)

LOOK_EVERY = 50
"""Steps between looks at the loss on a GPU, where each look waits for it."""
ADVICE = "lower the learning rate, clip the gradient (penalty.clip) or warm up (schedule.warmup)"


def fit(model: Model, data: Dataset | Shards, run: Run, solver: Gradient) -> Fit:
    """Train the network of `model` on `data`.

    Raises
    ------
    InputError
        A loss that does not fit the data, a device that is not there.
    DivergedError
        Numbers that are not finite; its `fit` holds the last good parameters.
    """
    device = device_of(run.device)
    start = perf_counter()
    with borrowed(device, run.seed, run.threads):
        training = Training(network_of(model), model, data, run, solver, device)
        training.run_epochs()
        fitted = training.fitted()
    return replace(fitted, seconds=perf_counter() - start)


class Training:
    """A fit under way."""

    def __init__(self, network: Network, model: Model, data: Dataset | Shards, run: Run, solver: Gradient, device: torch.device) -> None:
        self.network, self.run, self.solver, self.device = network, run, solver, device
        if isinstance(data, Shards):
            check_streams(model, solver)
        if network.grouped and solver.balance is not None:
            raise InputError(f"{type(network).__name__} reads whole histories, so its rows cannot be balanced; leave `balance` out")
        self.notes: list[str] = []
        events = data.kept if isinstance(data, Shards) else data
        self.facts: Facts = facts_for(network, events, solver)
        if isinstance(data, Shards):
            self.facts = replace(self.facts, shares=shares_on_disk(data, events))
        elif solver.balance is not None:
            shares = shares_of(data.interactions.users, data.interactions.items, solver.balance)
            self.facts = replace(self.facts, shares=shares)
        self.nets = nn.ModuleList(Net(network, self.facts) for _ in range(solver.averaging.seeds)).to(device)
        members: list[Net] = list(self.nets)  # type: ignore[arg-type]
        self.members = members
        begin(members, run.starts, network)
        if run.compile:
            for net in members:
                net.compile()
        self.stepper = stepper(solver.optimizer, self.nets)
        self.objective = Objective(solver, members, self.facts, device)
        self.batches: Batches | ShardBatches = self._streamed(data) if isinstance(data, Shards) else self._batches(data)
        self.average = RunningAverage(solver.averaging, self.nets)
        self.generator = torch.Generator(device).manual_seed(run.seed)
        self.validation = self._validation(data)
        self.learning = [p for p in self.nets.parameters() if p.requires_grad]
        self.fingerprint = checkpoint.fingerprint(model.settings, solver.settings, run.seed, data.fingerprint) if run.checkpoint else ""
        self.history: list[Event] = []
        self.best: tuple[float, int, dict[str, Tensor]] | None = None
        self.good = copy_of(self.nets)
        self.drop, self.since_drop, self.finished = 1.0, 0, False
        self.begun: list[float] | None = None
        self.kept = perf_counter()

    # ---- epochs --------------------------------------------------------------------------------------------------------------

    def run_epochs(self) -> None:
        """Train until the epochs are over, the error has stopped falling, or someone asks to stop."""
        self._resume()
        started = perf_counter()
        first = len(self.history)
        try:
            while len(self.history) < self.solver.epochs and not self.finished:
                self._one_epoch(started, first)
        except KeyboardInterrupt:
            if not self.run.keep_on_interrupt:
                raise
            self.notes.append(f"interrupted in epoch {len(self.history) + 1}; the best parameters so far are kept")
        if self.best is not None:
            put_back(self.nets, self.best[2])

    def _one_epoch(self, started: float, first: int) -> None:
        epoch = len(self.history)
        begun = perf_counter()
        self.nets.train()
        losses, errors, rows = self._train(epoch)
        self.average.after_epoch((epoch + 1) / self.solver.epochs)
        seconds = perf_counter() - begun
        done = epoch + 1 - first
        event: dict[str, Any] = {"epoch": epoch + 1, "of": self.solver.epochs, "loss": losses}
        if errors is not None:
            event["train_rmse"] = errors
        self.nets.eval()
        with self.average.in_place():
            event |= self._measure()
            self._keep_best(event)
        event |= {
            "rate": self._rate(epoch + 0.5),
            "rows_per_second": rows / seconds,
            "seconds": perf_counter() - started,
            "left": (perf_counter() - started) / done * (self.solver.epochs - epoch - 1),
        }
        self.history.append({name: value for name, value in event.items() if name != "examples"})
        self.good = copy_of(self.nets)
        self._after(event)

    def _after(self, event: Event) -> None:
        """Stop, drop the rate, save, tell: what follows from an epoch's figures."""
        stopping = self.solver.stopping
        if stopping is not None and self.best is not None and event["epoch"] - self.best[1] >= stopping.patience:
            self.notes.append(f"stopped after epoch {event['epoch']}: {stopping.metric} has not improved since epoch {self.best[1]}")
            self.finished = True
        self._drop_on_plateau(event)
        if self.run.checkpoint:
            self._save(self.run.checkpoint)
        if self.run.watch is not None and self.run.watch(event):
            self.notes.append(f"stopped after epoch {event['epoch']} as asked")
            self.finished = True

    def _train(self, epoch: int) -> tuple[float, float | None, int]:
        """(mean loss, root mean squared error or None, rows) of an epoch."""
        tally, self.begun = Tally(self.device, self.begun), None
        for batch in self.batches.epoch(self.generator):
            step = tally.steps
            when = epoch + step / len(self.batches)
            momentum = schedules.momentum(self.solver.schedule, when, self.solver.epochs)
            loss, response = self.step(batch, self._rate(when), momentum)
            tally.add(loss, batch, response)
            if (self.device.type == "cpu" or step % LOOK_EVERY == 0) and not tally.finite():
                self._diverged(epoch, step)
            if self.run.checkpoint and self.batches.between and perf_counter() - self.kept >= stops.EVERY:
                self._save(self.run.checkpoint, tally)
        if not tally.finite() or not all(bool(p.isfinite().all()) for p in self.learning):
            self._diverged(epoch, tally.steps - 1)
        return tally.figures(len(self.members))

    def step(self, batch: Batch, rate: float, momentum: float | None) -> tuple[Tensor, Tensor | None]:
        """One step on a batch; (loss, responses of the batch's rows or None)."""
        for p in self.learning:
            p.grad = None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.run.precision == "mixed" and self.device.type == "cuda"):
            loss, response = self.objective(batch, self.generator)
        loss.backward()  # type: ignore[no-untyped-call]
        self.objective.penalise()
        if self.solver.penalty.clip:
            nn.utils.clip_grad_norm_(self.learning, self.solver.penalty.clip)
        self.stepper.step(rate, momentum)
        self.average.after_step()
        return loss.detach(), response

    def _rate(self, when: float) -> float:
        return self.solver.optimizer.lr * self.drop * schedules.rate(self.solver.schedule, when, self.solver.epochs)

    def _batches(self, data: Dataset) -> Batches:
        rows, solver, grouped = self._targets(data), self.solver, self.network.grouped
        if solver.loss.name != "softmax" or grouped:
            return Batches(rows, solver.batch_size, solver.balance, grouped)
        # one pass over the catalogue serves all events of a person, so they share a batch, and balance weighs them
        if self.facts.shares is not None:
            share = torch.from_numpy((self.facts.shares * len(rows)).astype(np.float32)).to(self.device)
            rows = replace(rows, weight=share if rows.weight is None else share * rows.weight)
        return Batches(rows, solver.batch_size, None, "user")

    def _streamed(self, data: Shards) -> ShardBatches:
        return ShardBatches(data, self.solver.batch_size, self.device, self.objective.likes)

    # ---- figures -------------------------------------------------------------------------------------------------------------

    def _targets(self, data: Dataset) -> Batch:
        events = data.interactions.in_order() if self.network.grouped == "user" else data.interactions
        rows = rows_of(events, self.device)
        return replace(rows, target=torch.ones_like(rows.target)) if self.objective.likes else rows

    def _validation(self, data: Dataset | Shards) -> Validation | None:
        if self.run.valid is None:
            return None
        rows, train = watched(data, self.run.valid, any(name.startswith("ndcg") for name in self.metrics))
        if not len(rows):
            self.notes.append("no validation row has a known user and item; nothing is watched")
            return None
        return Validation(rows, train, self.device, self.objective.likes)

    @property
    def metrics(self) -> list[str]:
        """What is measured on the validation rows each epoch."""
        rated = [] if self.objective.likes else ["rmse", "mae"]
        asked = [] if self.solver.stopping is None else [self.solver.stopping.metric]
        return list(dict.fromkeys([*rated, *([] if rated else ["ndcg@10"]), *asked]))

    def _measure(self) -> dict[str, Any]:
        if self.validation is None:
            return {}
        found, examples = self.validation.measure(self.members, self.metrics)
        return {**{f"valid_{name}": value for name, value in found.items()}, "examples": examples}

    def _watched(self, event: Event) -> float:
        """The figure that stopping and plateaus go by, smaller is better."""
        name = "rmse" if self.solver.stopping is None else self.solver.stopping.metric
        if name == "loss" or f"valid_{name}" not in event:
            return float(event["loss"])
        return -float(event[f"valid_{name}"]) if name.startswith("ndcg") else float(event[f"valid_{name}"])

    def _keep_best(self, event: Event) -> None:
        """Called with the averages in place, so what is kept is what was measured."""
        averaged = self.average.weights is not None
        watches = self.solver.stopping is not None and self.validation is not None
        if not watches and not averaged:
            return
        value = self._watched(event)
        least = 0.0 if self.solver.stopping is None else self.solver.stopping.least
        if self.best is None or not watches or value < self.best[0] - least:
            self.best = (value, int(event["epoch"]), copy_of(self.nets))

    def _drop_on_plateau(self, event: Event) -> None:
        schedule = self.solver.schedule
        if not isinstance(schedule, Plateau):
            return
        values = [self._watched(e) for e in self.history]
        self.since_drop += 1
        if self.since_drop > schedule.patience and min(values[-self.since_drop :]) >= min(values[: -self.since_drop] or [math.inf]):
            self.drop, self.since_drop = self.drop * schedule.factor, 0
        elif values[-1] <= min(values):
            self.since_drop = 0

    # ---- endings -------------------------------------------------------------------------------------------------------------

    def fitted(self) -> Fit:
        """The fitted model of the weights as they stand."""
        self.nets.eval()
        self._warn()
        return Fit(self.network.fitted(self.members, self.facts), self.history, notes=self.notes)

    def _diverged(self, epoch: int, step: int) -> None:
        put_back(self.nets, self.good if self.best is None else self.best[2])
        where = f"epoch {epoch + 1}, step {step + 1}"
        message = f"training diverged in {where}: the loss is not finite; {ADVICE}. The last good parameters are kept"
        raise DivergedError(message, self.fitted())

    def _warn(self) -> None:
        """Known ways in which a network fails without an error."""
        if self.validation is not None and self.validation.same_lists(self.members):
            self.notes.append("the model gives everybody the same list: it has learned items and no tastes; lower the decay or the rate")
        recent = [float(e["loss"]) for e in self.history[-max(3, len(self.history) // 3) :]]
        if len(self.history) >= 6 and max(recent) - min(recent) < 1e-4 * abs(recent[0]) and self._rate(len(self.history) / 2) > 0:
            self.notes.append(f"the training loss has not moved for {len(recent)} epochs: fewer epochs would do, or a higher rate")
        for note in self.notes:
            log.warning(note)

    def _save(self, folder: str, tally: Tally | None = None) -> None:
        groups: Mapping[str, Mapping[str, Tensor] | None] = {
            "weights": self.nets.state_dict(),
            "stepper": self.stepper.state(),
            "average": self.average.weights,
            "best": None if self.best is None else self.best[2],
            "random": self._random(),
        }
        tensors = {f"{group}/{name}": t for group, members in groups.items() for name, t in (members or {}).items()}
        about = {
            "fingerprint": self.fingerprint,
            "history": self.history,
            "notes": self.notes,
            "best": None if self.best is None else self.best[:2],
            "count": self.average.count,
            "drop": [self.drop, self.since_drop],
            "finished": self.finished,
            "begun": None if tally is None else tally.so_far,
            "order": self.batches.place,
        }
        checkpoint.save(folder, tensors, about)
        self.kept = perf_counter()

    def _random(self) -> dict[str, Tensor]:
        states = {"own": self.generator.get_state(), "cpu": torch.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else {})

    def _resume(self) -> None:
        if not self.run.checkpoint or (found := checkpoint.load(self.run.checkpoint, self.fingerprint)) is None:
            return
        tensors, about = found

        def group(name: str) -> dict[str, Tensor]:
            return {k.split("/", 1)[1]: t.to(self.device) for k, t in tensors.items() if k.startswith(f"{name}/")}

        put_back(self.nets, group("weights"))
        self.stepper.restore(group("stepper"))
        self.average.weights, self.average.count = group("average") or self.average.weights, about["count"]
        if about["best"] is not None:
            self.best = (about["best"][0], about["best"][1], group("best"))
        self.begun, self.batches.place = about.get("begun"), about.get("order", (0, 0))
        self.generator.set_state(tensors["random/own"])
        torch.set_rng_state(tensors["random/cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"], self.device)
        self.history, self.notes, self.finished = about["history"], about["notes"], about["finished"]
        self.drop, self.since_drop = about["drop"]
        self.good = copy_of(self.nets)
