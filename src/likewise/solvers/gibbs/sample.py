"""From a data set to a fitted posterior: build the chains, run them, keep draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import DivergedError
from likewise.models.dot import Dot
from likewise.parallel import one_thread_a_product
from likewise.shapes import Floats
from likewise.solvers.base import Event, Fit, Run
from likewise.solvers.clock import CompileClock
from likewise.solvers.gibbs.chain import Chain
from likewise.solvers.gibbs.checkpoint import EVERY, Checkpoint
from likewise.solvers.gibbs.choose import helpful_blocks
from likewise.solvers.gibbs.diagnose import verdict
from likewise.solvers.gibbs.keep import Kept
from likewise.solvers.gibbs.noise import all_scores
from likewise.solvers.gibbs.problem import Problem, make_chain, make_problem

if TYPE_CHECKING:
    from likewise.solvers.gibbs.settings import Gibbs


def sample(solver: Gibbs, model: Dot, data: Dataset, run: Run) -> Fit:
    """Run the chains and keep draws; what was drawn so far is returned when asked to stop."""
    history: list[Event] = []
    notes: list[str] = []
    with CompileClock() as clock, one_thread_a_product():
        if solver.choose:
            blocks, why = helpful_blocks(solver, model, data, run)
            solver = replace(solver, blocks=blocks, choose=False)
            notes += [why] if why else []
        problem = make_problem(solver, model, data)
        kept = Kept(solver, problem)
        watched = Watched.of(run, data, problem)
        checkpoint = None if run.checkpoint is None else Checkpoint(run.checkpoint, _identity(solver, model, data, run))
        begun = None if checkpoint is None else checkpoint.load()
        for number in range(0 if begun is None else begun[0], solver.chains):
            chain = make_chain(solver, model, problem, (run.seed, number), run.threads)
            if begun is not None and number == begun[0]:
                chain.restore(begun[1])
                kept.restore(begun[2])
                notes.append(f"went on from sweep {chain.sweeps} of chain {number + 1}")
            if not run_chain(solver, chain, kept, Reports(watched, run, history, notes, checkpoint)):
                break
        else:
            if checkpoint is not None:
                checkpoint.done()
    settled = verdict(history)
    fitted = kept.fitted(model, data)
    return Fit(fitted, history, clock.seconds, clock.compile_seconds, [*notes, settled] if settled else notes)


def _identity(solver: Gibbs, model: Dot, data: Dataset, run: Run) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    return {"solver": solver.settings, "model": model.settings, "data": data.fingerprint, "seed": run.seed}


@dataclass(frozen=True, eq=False)
class Reports:
    """Who is told of each sweep, and who may stop it."""

    watched: Watched | None
    run: Run
    history: list[Event]
    notes: list[str]
    checkpoint: Checkpoint | None

    def tell(self, chain: Chain, error: float, total: int, counts: bool, seconds: float) -> bool:
        """Record a sweep; True if it was asked to be the last."""
        event: dict[str, Any] = {"chain": chain.key[1], "sweep": chain.sweeps, "of": total, "draw": counts, "train_rmse": error}
        if self.watched is not None:
            event["valid_rmse"] = self.watched.error(chain, counts)
        event["seconds"] = seconds
        self.history.append(event)
        return bool(self.run.watch is not None and self.run.watch(event))


def run_chain(solver: Gibbs, chain: Chain, kept: Kept, reports: Reports) -> bool:
    """Sweep one chain; False if the whole fit should stop."""
    total, start = solver.burn_in + solver.draws, perf_counter()
    budget = np.inf if solver.seconds is None else solver.seconds / solver.chains
    try:
        while chain.sweeps < total:
            chain.sweep()
            error = kept.problem.error(chain)
            if not np.isfinite(error):
                raise DivergedError("sampling left the numbers; check the ratings and weights for huge values, or lower spread")
            counts = chain.sweeps > solver.burn_in
            if counts:
                kept.take(chain, chain.sweeps - solver.burn_in - 1)
            stop = reports.tell(chain, error, total, counts, perf_counter() - start)
            if reports.checkpoint is not None and (chain.sweeps % EVERY == 0 or stop):
                reports.checkpoint.save(chain, kept)
            if stop:
                reports.notes.append(f"stopped after sweep {chain.sweeps} of chain {chain.key[1] + 1}, as asked")
                return kept.need_one(chain)
            if perf_counter() - start > budget:
                reports.notes.append(f"stopped after sweep {chain.sweeps} of {total}: the time of {solver.seconds:g} s was used up")
                kept.need_one(chain)
                return True
    except KeyboardInterrupt:
        if not reports.run.keep_on_interrupt or not chain.priors:
            raise
        reports.notes.append(f"interrupted in sweep {chain.sweeps} of {total}; the draws so far are kept")
        return kept.need_one(chain)
    return True


class Watched:
    """Validation ratings, predicted by the mean of the draws so far."""

    def __init__(self, rows: Any, ratings: Floats, problem: Problem):
        self.rows, self.ratings, self.problem = rows, ratings, problem
        self.total, self.count = np.zeros(len(ratings)), 0

    @classmethod
    def of(cls, run: Run, data: Dataset, problem: Problem) -> Watched | None:
        """None without validation ratings."""
        if run.valid_in_memory is None or run.valid_in_memory.interactions.ratings is None:
            return None
        pairs = data.encode(run.valid_in_memory.frame())
        fields = problem.layout.fields
        columns = [pairs.users, pairs.items, *(pairs.context[f.name] for f in fields[2:])]
        known = (pairs.users >= 0) & (pairs.items >= 0)
        rows = np.column_stack([np.where(c < 0, -1, c + f.base) for c, f in zip(columns, fields, strict=True)]).astype(np.int32)
        if not known.any():
            return None
        return cls(np.ascontiguousarray(rows[known]), np.asarray(pairs.ratings)[known], problem)

    def error(self, chain: Chain, counts: bool) -> float:
        """Root mean squared error of the mean so far; of the draw alone during burn-in."""
        scores = self.problem.respond(all_scores(self.rows, chain.table, 1), chain)
        if counts:
            self.total += scores
            self.count += 1
            scores = (self.total / self.count).astype(np.float32)
        return float(np.sqrt(np.mean((scores - self.ratings) ** 2)))
