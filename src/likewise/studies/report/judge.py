"""The accuracy that a report shows: of the recommender itself on a test it has not seen, or of its settings fitted on the earlier part."""

from __future__ import annotations

from dataclasses import dataclass

from likewise.data.dataset import Dataset
from likewise.data.splits import split
from likewise.errors import InputError
from likewise.evaluation.comparison import Comparison
from likewise.evaluation.result import Evaluation
from likewise.recommender import Recommender

LEAST = 50
"""Events below which holding some out says nothing."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A recommender on events it has not seen, beside baselines.

    Parameters
    ----------
    rec : Recommender
        The one that was measured: fitted without the test.
    test : Dataset
    comparison : Comparison
        It stands first.
    how : str
        Where the test is from, in a line.
    """

    rec: Recommender
    test: Dataset
    comparison: Comparison
    how: str

    @property
    def own(self) -> Evaluation:
        """The measured recommender's own evaluation."""
        return next(iter(self.comparison.evaluations.values()))


def judge(rec: Recommender, test: Dataset | None = None) -> Judged:
    """Measure a recommender on a test, or, without one, the same settings fitted on the earlier nine tenths on the last tenth.

    Raises InputError where there are too few events to hold any out.
    """
    if test is not None:
        return Judged(rec, test, rec.evaluate(test), f"{len(test):,} events that the model has not seen")
    if len(rec.data) < LEAST:
        raise InputError(f"accuracy needs events to hold out, at least {LEAST} in all; there are {len(rec.data)}")
    by = "time" if rec.data.has_times else "random"
    train, held = split(rec.data, by=by)  # type: ignore[arg-type]
    earlier = Recommender(rec.model, rec.solver).fit(train, seed=rec.notes.get("seed", 0))
    earlier.notes |= {name: rec.notes[name] for name in ("preset", "task") if name in rec.notes}
    which = "the latest tenth of the events" if by == "time" else "a random tenth of the events"
    how = f"{which} ({len(held):,}), predicted by the same settings fitted on the others; the model shown elsewhere has learned from all"
    return Judged(earlier, held, earlier.evaluate(held), how)
