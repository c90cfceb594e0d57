"""From a data set to a fitted posterior: build the chains, run them, keep draws."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import DivergedError
from likewise.models.dot import Dot
from likewise.shapes import Floats
from likewise.solvers.base import Event, Fit, Run
from likewise.solvers.clock import CompileClock
from likewise.solvers.gibbs.chain import Chain
from likewise.solvers.gibbs.keep import Kept
from likewise.solvers.gibbs.noise import all_scores
from likewise.solvers.gibbs.problem import Problem, make_chain, make_problem

if TYPE_CHECKING:
    from likewise.solvers.gibbs.settings import Gibbs


def sample(solver: Gibbs, model: Dot, data: Dataset, run: Run) -> Fit:
    """Run the chains and keep draws; what was drawn so far is returned when asked to stop."""
    history: list[Event] = []
    notes: list[str] = []
    with CompileClock() as clock:
        problem = make_problem(solver, model, data)
        kept = Kept(solver, problem)
        watched = Watched.of(run, data, problem)
        for number in range(solver.chains):
            chain = make_chain(solver, model, problem, (run.seed, number), run.threads)
            if not run_chain(solver, chain, kept, watched, run, history, notes):
                break
    fitted = kept.fitted(model, data)
    return Fit(fitted, history, clock.seconds, clock.compile_seconds, notes)


def run_chain(solver: Gibbs, chain: Chain, kept: Kept, watched: Watched | None, run: Run, history: list[Event], notes: list[str]) -> bool:
    """Sweep one chain; False if the whole fit should stop."""
    total = solver.burn_in + solver.draws
    start = perf_counter()
    try:
        while chain.sweeps < total:
            chain.sweep()
            error = kept.problem.error(chain)
            if not np.isfinite(error):
                raise DivergedError("sampling left the numbers; check the ratings and weights for huge values, or lower spread")
            counts = chain.sweeps > solver.burn_in
            if counts:
                kept.take(chain, chain.sweeps - solver.burn_in - 1)
            event: dict[str, Any] = {"chain": chain.key[1], "sweep": chain.sweeps, "of": total, "draw": counts, "train_rmse": error}
            if watched is not None:
                event["valid_rmse"] = watched.error(chain, counts)
            event["seconds"] = perf_counter() - start
            history.append(event)
            if run.watch is not None and run.watch(event):
                notes.append(f"stopped after sweep {chain.sweeps} of chain {chain.key[1] + 1}, as asked")
                return kept.need_one(chain)
            if solver.seconds is not None and perf_counter() - start > solver.seconds / solver.chains:
                notes.append(f"stopped after sweep {chain.sweeps} of {total}: the time of {solver.seconds:g} s was used up")
                kept.need_one(chain)
                return True
    except KeyboardInterrupt:
        if not run.keep_on_interrupt or not chain.sweeps:
            raise
        notes.append(f"interrupted after sweep {chain.sweeps} of {total}; the draws so far are kept")
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
        if run.valid is None or run.valid.interactions.ratings is None:
            return None
        pairs = data.encode(run.valid.frame())
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
