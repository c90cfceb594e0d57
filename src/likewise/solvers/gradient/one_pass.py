"""The dot product by the one-pass kernel: what `loop` does for networks, one event at a time and without torch.

A rate is a rate per event here, and the batch size plays no part. Epochs, schedules, validation, early stopping, averaging and the
endings are those of the loop.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.shards.progress import peak_megabytes
from likewise.data.shards.shards import Shards
from likewise.errors import DivergedError, InputError
from likewise.models.dot import Dot, FittedDot
from likewise.models.link import Link
from likewise.models.networks.base import through
from likewise.parallel import thread_count
from likewise.solvers.base import Event, Fit, Run
from likewise.solvers.clock import CompileClock
from likewise.solvers.gradient import schedules
from likewise.solvers.gradient.held_out import HeldOut
from likewise.solvers.gradient.kernel import BIAS, FREE, LOGISTIC, SIGMOID, Pace, descend, descend_pairs
from likewise.solvers.gradient.settings import Gradient, Negatives
from likewise.solvers.gradient.steps import Adagrad, Plateau
from likewise.solvers.gradient.stops import Stops
from likewise.solvers.gradient.supply import Known, Stratum, supply_for, watched
from likewise.solvers.gradient.tables import Average, Parameters, start_tables

log = logging.getLogger("likewise")

PARTS = 4
"""Times an epoch at which the rate is set anew, at least."""
ADVICE = "lower the learning rate or warm up (schedule.warmup)"


def fit(model: Dot, data: Dataset | Shards, run: Run, solver: Gradient) -> Fit:
    """Train the dot product on `data`.

    Raises
    ------
    InputError
        Data without rows, or a loss that needs ratings where there are none.
    DivergedError
        Numbers that are not finite; its `fit` holds the last good parameters.
    """
    with CompileClock() as clock:
        training = OnePass(model, data, run, solver)
        training.run_epochs()
        fitted = training.fitted()
    return Fit(fitted, training.history, clock.seconds, clock.compile_seconds, training.notes)


class OnePass:
    """A fit under way."""

    def __init__(self, model: Dot, data: Dataset | Shards, run: Run, solver: Gradient) -> None:
        self.model, self.run, self.solver = model, run, solver
        self.known = Known.of(data)
        self.rng = np.random.default_rng(run.seed)
        self.link, self.mean = self._goal()
        self.negatives = self._negatives()
        self.parameters = start_tables(model, self.known.counts, solver, self.rng, run.starts)
        likes = solver.loss.name == "bpr" or (solver.loss.name == "bce" and self.known.likes)
        row_bytes = self.parameters.tables.user_factors.shape[1] * 4
        self.supply = supply_for(data, likes, self.negatives > 0, row_bytes, self.rng)
        self.average = Average(solver.averaging.swa)
        self.held_out = self._held_out(data)
        self.history: list[Event] = []
        self.notes: list[str] = []
        self.best: tuple[float, int, Parameters] | None = None
        self.good = self.parameters.copy()
        self.drop, self.since_drop, self.finished = 1.0, 0, False
        self.stops = Stops(run.checkpoint, [model.settings, solver.settings, run.seed, data.fingerprint] if run.checkpoint else [])

    # ---- what is learned ------------------------------------------------------------------------------------------------------

    def _goal(self) -> tuple[Link, float]:
        """Link and mean of the loss."""
        name, known = self.solver.loss.name, self.known
        if name == "bpr":
            return Link("free"), 0.0
        if name == "bce":
            return Link("logistic"), 0.0
        if known.ratings is None:
            raise InputError("loss 'mse' needs ratings and the data has none; for likes take 'bpr' or 'bce'")
        link = self.model.link(known.events, known.limits)
        return link, through(link, known.ratings[2])

    def _negatives(self) -> int:
        wanted, loss = self.solver.negatives, self.solver.loss.name
        if wanted is None and (loss == "bpr" or (loss == "bce" and self.known.likes)):
            wanted = Negatives()
        return 0 if wanted is None else int(wanted.ratio)

    def _held_out(self, data: Dataset | Shards) -> HeldOut | None:
        if self.run.valid is None:
            return None
        asked = "" if self.solver.stopping is None else self.solver.stopping.metric
        rows, train = watched(data, self.run.valid, not self._rated or asked.startswith("ndcg"))
        if not len(rows):
            log.warning("no validation row has a known user and item; nothing is watched")
            return None
        return HeldOut(rows, train, self.link)

    @property
    def _rated(self) -> bool:
        """Whether the loss predicts what was given."""
        return self.solver.loss.name == "mse" or (self.solver.loss.name == "bce" and not self.negatives)

    # ---- epochs ---------------------------------------------------------------------------------------------------------------

    def run_epochs(self) -> None:
        """Train until the epochs are over, the error has stopped falling, or someone asks to stop."""
        self._resume()
        started = perf_counter()
        threads = min(thread_count(self.run.threads), self.supply.side)
        try:
            with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
                while len(self.history) < self.solver.epochs and not self.finished:
                    self._one_epoch(started, pool)
        except KeyboardInterrupt:
            if not self.run.keep_on_interrupt:
                raise
            self.notes.append(f"interrupted in epoch {len(self.history) + 1}; the best parameters so far are kept")
        if self.best is not None:
            self.parameters = self.best[2]

    def _one_epoch(self, started: float, pool: ThreadPoolExecutor | None) -> None:
        epoch = len(self.history)
        begun = perf_counter()
        loss = self._train(epoch, pool)
        self.average.after_epoch(self.parameters, (epoch + 1) / self.solver.epochs)
        now = perf_counter()
        event: dict[str, Any] = {"epoch": epoch + 1, "of": self.solver.epochs, "loss": loss}
        if self.solver.loss.name == "mse":
            event["train_rmse"] = math.sqrt(loss)
        event |= self._measure()
        self._keep_best(event)
        event |= {
            "rate": self._rate(epoch + 0.5),
            "rows_per_second": self.known.n / (now - begun),
            "peak_mb": peak_megabytes(),
            "seconds": perf_counter() - started,
            "left": (perf_counter() - started) / (epoch + 1) * (self.solver.epochs - epoch - 1),
        }
        self.history.append(event)
        self.good = self.parameters.copy()
        self._after(event)
        self.stops.at(self, len(self.history))

    def _train(self, epoch: int, pool: ThreadPoolExecutor | None) -> float:
        """Mean loss of an epoch."""
        side = self.supply.side
        parts = -(-PARTS // side)
        first, losses = self.stops.begin(self.rng, np.zeros((side * parts, side)))

        def learn(step: int, block: int, stratum: Stratum, earlier: Sequence[Future[None]] = ()) -> None:
            for done in earlier:
                done.result()
            losses[step, block] = self._learn(stratum, block, (step // parts, step % parts, parts), epoch, epoch + step / len(losses))

        steps: deque[list[Future[None]]] = deque(maxlen=2)
        for place, stratum in enumerate(self.supply.strata(epoch, first), first):
            for step in range(place * parts, (place + 1) * parts):
                if pool is None:
                    for block in range(side):
                        learn(step, block, stratum)
                else:  # no thread waits for a whole stratum: a block may begin when the last ones of its users and of its items are done
                    before = steps[-1] if steps else []
                    earlier = [{before[block], before[(block + 1) % side]} if before else set() for block in range(side)]
                    wait(steps[0] if len(steps) == 2 else [])  # and none runs further ahead, as strata take memory
                    steps.append([pool.submit(learn, step, block, stratum, tuple(earlier[block])) for block in range(side)])
            if self.stops.due() and place + 1 < side:
                settle(steps)
                self.stops.at(self, epoch, place + 1, losses)
        settle(steps)
        loss = float(losses.sum()) / self._weight()
        if not math.isfinite(loss) or not self.parameters.finite():
            self._diverged(epoch)
        return loss

    def _learn(self, stratum: Stratum, block: int, place: tuple[int, int, int], epoch: int, when: float) -> float:
        """Sum of the losses of a part of a block; `place` is the stratum's number, the part and the number of parts."""
        number, part, parts = place
        first, events = int(stratum.starts[block]), int(stratum.starts[block + 1] - stratum.starts[block])
        span = slice(first + events * part // parts, first + events * (part + 1) // parts)
        tables, pace = self.parameters.tables, self._pace(when)
        state = np.zeros(1, np.uint64)
        if self.negatives:
            state[:] = np.random.SeedSequence([self.run.seed, epoch, number, block, part]).generate_state(1, np.uint64)
        draw = (stratum.choices[block], *stratum.own, state)
        weights = stratum.weights[span] if len(stratum.weights) else stratum.weights
        users, items = stratum.users[span], stratum.items[span]
        if self.solver.loss.name == "bpr":
            return float(descend_pairs(users, items, weights, tables, pace, draw, self.negatives))
        return float(descend(users, items, stratum.targets[span], weights, tables, pace, draw, self.negatives))

    def _weight(self) -> float:
        """What the sum of losses is divided by: steps taken, by their weight."""
        steps = self.negatives if self.solver.loss.name == "bpr" else 1 + self.negatives
        return max(self.known.weight * steps, 1e-12)

    def _pace(self, when: float) -> Pace:
        kind = {"sigmoid": SIGMOID, "logistic": LOGISTIC}.get(self.link.kind, FREE)
        low, high = (self.link.low, self.link.high) if kind == SIGMOID else (0.0, 1.0)
        bias = float(self.model.bias)
        optimizer = self.solver.optimizer
        adagrad, eps = (self.model.factors + bias, optimizer.eps) if isinstance(optimizer, Adagrad) else (0.0, 0.0)
        rate, bias, adagrad, eps, mean, low, span = np.array([self._rate(when), bias, adagrad, eps, self.mean, low, high - low], np.float32)
        return Pace(rate, bias, adagrad, eps, mean, kind, low, span)

    def _rate(self, when: float) -> float:
        return self.solver.optimizer.lr * self.drop * schedules.rate(self.solver.schedule, when, self.solver.epochs)

    # ---- figures --------------------------------------------------------------------------------------------------------------

    @property
    def _answering(self) -> Parameters:
        return self.parameters if self.average.mean is None else self.average.mean

    def _measure(self) -> dict[str, float]:
        if self.held_out is None:
            return {}
        asked = [] if self.solver.stopping is None else [self.solver.stopping.metric]
        names = dict.fromkeys([*(["rmse", "mae"] if self._rated else ["ndcg@10"]), *asked])
        return {f"valid_{n}": v for n, v in self.held_out.measure(self._answering.tables, self.mean, list(names)).items()}

    def _watched(self, event: Event) -> float:
        """The figure that stopping and plateaus go by, smaller is better."""
        name = "rmse" if self.solver.stopping is None else self.solver.stopping.metric
        if name == "loss" or f"valid_{name}" not in event:
            return float(event["loss"])
        return -float(event[f"valid_{name}"]) if name.startswith("ndcg") else float(event[f"valid_{name}"])

    def _keep_best(self, event: Event) -> None:
        stopping = self.solver.stopping if self.held_out is not None else None
        if stopping is None and self.average.mean is None:
            return
        value = self._watched(event)
        if self.best is None or stopping is None or value < self.best[0] - stopping.least:
            self.best = (value, int(event["epoch"]), self._answering.copy())

    def _after(self, event: Event) -> None:
        """Stop, drop the rate, tell: what follows from an epoch's figures."""
        stopping = self.solver.stopping if self.held_out is not None else None
        if stopping is not None and self.best is not None and event["epoch"] - self.best[1] >= stopping.patience:
            self.notes.append(f"stopped after epoch {event['epoch']}: {stopping.metric} has not improved since epoch {self.best[1]}")
            self.finished = True
        schedule = self.solver.schedule
        if isinstance(schedule, Plateau):
            values = [self._watched(e) for e in self.history]
            self.since_drop = 0 if values[-1] <= min(values) else self.since_drop + 1
            if self.since_drop > schedule.patience:
                self.drop, self.since_drop = self.drop * schedule.factor, 0
        if self.run.watch is not None and self.run.watch(event):
            self.notes.append(f"stopped after epoch {event['epoch']} as asked")
            self.finished = True

    # ---- endings --------------------------------------------------------------------------------------------------------------

    def fitted(self) -> FittedDot:
        """The model of the parameters as they stand."""
        p, q, a, c = self.parameters.tables
        k, known = self.model.factors, self.known
        biases = a[:, BIAS].copy(), c[:, BIAS].copy()
        return FittedDot.trained(self.model, p[:, :k], q[:, :k], *biases, self.mean, self.link, known.events)

    def _resume(self) -> None:
        found = self.stops.load(self.parameters)
        if found is None:
            return
        about, self.average.mean, best = found
        self.history, self.notes, self.average.count = about["history"], about["notes"], about["count"]
        self.best = None if best is None else (about["best"][0], about["best"][1], best)
        (self.drop, self.since_drop), self.finished = about["drop"], about["finished"]
        self.rng.bit_generator.state = about["random"]
        self.good = self.parameters.copy()

    def _diverged(self, epoch: int) -> None:
        self.parameters = self.good if self.best is None else self.best[2]
        message = f"training diverged in epoch {epoch + 1}: the loss is not finite; {ADVICE}. The last good parameters are kept"
        raise DivergedError(message, Fit(self.fitted(), self.history, notes=self.notes))


def settle(steps: Iterable[list[Future[None]]]) -> None:
    """Wait for all blocks of these steps; the first error is raised again."""
    for step in steps:
        for done in step:
            done.result()
