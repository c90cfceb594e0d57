"""Presets side by side on one split, with baselines, paired intervals, and what a split by time would have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from likewise.data.dataset import Dataset
from likewise.data.splits import split
from likewise.errors import InputError
from likewise.evaluation.cautions import BACKWARD, backward_share
from likewise.evaluation.comparison import Comparison, references_of
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.held import Held, held_out
from likewise.evaluation.protocol import Protocol, protocol as named_protocol
from likewise.evaluation.result import Evaluation
from likewise.models.base import FittedModel
from likewise.recommender import Recommender
from likewise.solvers.baselines import baseline_names, fit_baseline
from likewise.studies.bench import with_new_items
from likewise.studies.fit import fit
from likewise.studies.presets import Preset, load_preset

PRESET_OF = {"neighbours": "knn"}
"""Baselines that a preset has under another name."""


def compare(
    train: Dataset,
    test: Dataset,
    presets: Sequence[str | Preset],
    *,
    protocol: str | Protocol = "full",
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    baselines: bool = True,
    lists: bool = True,
    seed: int = 0,
    watch: Any = None,
    said: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Fit every preset on `train`, evaluate it on `test`, and compare all with the strongest baseline.

    Parameters
    ----------
    train, test : Dataset
    presets : names or presets, in the order of the table
    protocol : a name or a Protocol; how lists are judged
    changes : mapping of preset name to changed settings
    baselines : bool
        Popularity and EASE stand beside lists, biases and neighbours beside ratings, unless they are among the presets. Lists of new
        items have none: no baseline tells them apart.
    lists : bool
        False measures predicted ratings alone.
    said : callable
        Told the name of each model before its fit.

    Raises
    ------
    InputError
        No preset, an unknown one, one named twice, or an empty test set.
    """
    chosen = [preset if isinstance(preset, Preset) else load_preset(preset, (changes or {}).get(preset)) for preset in presets]
    names = [preset.name for preset in chosen]
    if not names or len(set(names)) < len(names):
        raise InputError(f"presets must be one or more different names; got {', '.join(names) or 'none'}")
    how = protocol if isinstance(protocol, Protocol) else named_protocol(protocol)
    found: dict[str, Evaluation] = {}
    seconds: dict[str, float] = {}
    for preset in chosen:
        said(preset.name)
        rec = fit(train, preset, seed=seed, watch=watch)
        asked = Asked(ratings=False if preset.task == "list" else None, lists=lists)
        model, held = (rec.fitted, None) if how.pool == "all" else _with_new_items(rec, test)
        found[preset.name] = evaluate(model, train, test, how, name=preset.name, asked=asked, held=held)
        seconds[preset.name] = rec.notes["fit_seconds"]
    rivals = _baselines(train, test, how, names, found, seconds, lists) if baselines and how.pool == "all" else ()
    told = {name: evaluation for name, evaluation in found.items() if evaluation.figures}
    if not told:
        raise InputError(
            f"none of {', '.join(names)} has anything to be measured by here: ratings need rated tables, lists were not asked for"
        )
    line = what_time_says(train, test, seed)
    return Comparison(told, references_of(told, rivals), rivals, seconds, () if line is None else (line,))


def repeated(
    data: Dataset, presets: Sequence[str], *, by: str = "random", repeats: int = 5, test: float = 0.1, seed: int = 0, lists: bool = True
) -> pl.DataFrame:
    """Compare presets on several random splits: how far a figure moves with the split.

    Returns a frame with columns model, figure, mean, sd (over splits), least, greatest, better, worse, tied (splits by verdict against
    that split's strongest baseline).
    """
    if by not in ("random", "user"):
        raise InputError(f"by must be 'random' or 'user' for repeated splits; got {by!r}")
    if repeats < 2:
        raise InputError(f"repeats must be at least 2; got {repeats}")
    frames = []
    for repeat in range(repeats):
        parts = split(data, by=by, test=test, seed=seed + repeat)  # type: ignore[arg-type]
        frames.append(compare(*parts, presets, lists=lists, seed=seed + repeat).frame)
    verdicts = [(pl.col("verdict") == word).sum().alias(word) for word in ("better", "worse", "tied")]
    value = pl.col("value")
    return (
        pl.concat(frames)
        .group_by("model", "figure", maintain_order=True)
        .agg(value.mean().alias("mean"), value.std().alias("sd"), value.min().alias("least"), value.max().alias("greatest"), *verdicts)
    )


def what_time_says(train: Dataset, test: Dataset, seed: int = 0) -> str | None:
    """What the biases' error, or popularity's lists, come to when the same events are split by time; None if they were or have no times."""
    share = backward_share(train, test)
    if share is None or share <= BACKWARD:
        return None
    events = pl.concat([train.frame(), test.frame()], how="diagonal_relaxed")
    whole = Dataset.of(events.select(name for name in ("user_id", "item_id", "rating", "timestamp") if name in events.columns))
    if not whole.has_times:
        return None
    parts = split(whole, by="time", test=len(test) / (len(train) + len(test)), seed=seed)
    ratings = train.explicit and test.explicit
    figure, name = ("rmse", "bias") if ratings else ("ndcg@10", "popularity")
    asked = Asked(ratings=ratings, lists=not ratings, distribution=False, segments=False)

    def one(one_train: Dataset, one_test: Dataset) -> float:
        return evaluate(fit_baseline(name, one_train).model, one_train, one_test, Protocol(ks=(10,)), asked=asked)[figure]

    here, forward = one(train, test), one(*parts)
    return f"split by time, {figure} of '{name}' is {forward:.4f} instead of {here:.4f}: what this split leaves out of the difficulty"


def _with_new_items(rec: Recommender, test: Dataset) -> tuple[FittedModel[Any], Held]:
    """The model with the test's new items folded in from their features, and the test in its rows."""
    model, items = with_new_items(rec, test)
    return model, held_out(rec.data, test, items)


def _baselines(
    train: Dataset, test: Dataset, how: Protocol, names: list[str], found: dict[str, Evaluation], seconds: dict[str, float], lists: bool
) -> tuple[str, ...]:
    """Fit and evaluate the baselines that are not among the presets; returns the names of all baselines in the table."""
    rivals = []
    for name in baseline_names(train, test.explicit, lists):
        title = PRESET_OF.get(name, name)
        if title not in names:
            baseline = fit_baseline(name, train)
            found[title] = evaluate(baseline.model, train, test, how, name=title, asked=Asked(lists=lists))
            seconds[title] = baseline.seconds
        if found[title].figures:
            rivals.append(title)
    return tuple(rivals)
