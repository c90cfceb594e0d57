"""Fit with a preset, or with the one that suits the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likewise.border import as_events
from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.recommender import Recommender
from likewise.studies.presets import Preset, load_preset

log = logging.getLogger("likewise")


def fit(
    train: Any,
    preset: str | Path | Preset | None = None,
    valid: Any = None,
    *,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> Recommender:
    """A fitted recommender: the preset named, or one chosen for the data.

    Parameters
    ----------
    train : Dataset, anything `lw.read` takes, or the Shards that `lw.scan` prepared
    preset : a name from `lw.presets()`, the path of a .toml file, or None
        None chooses by what the data is, and says which and why in the log and in `rec.notes["why"]`.
    valid : ratings to watch and to stop by, or None
    changes : single settings such as `{"solver.epochs": 20}`
    seed, **options : as for `Recommender.fit`
    """
    data = as_events(train)
    why = "asked for"
    if preset is None:
        preset, why = choose_preset(data)
        log.info("preset %s: %s", preset, why)
    chosen = preset if isinstance(preset, Preset) else load_preset(preset, changes)
    rec = Recommender(chosen.model, chosen.solver).fit(data, valid, seed=seed, **options)
    rec.notes |= {"preset": chosen.name, "why": why, "task": chosen.task}
    return rec


def choose_preset(data: Dataset | Shards) -> tuple[str, str]:
    """The preset for this data, and the reason in a line.

    Ratings of more than one value ask for predictions of ratings; likes ask for lists.
    """
    if not data.explicit or data.rating_range is None or data.rating_range[0] == data.rating_range[1]:
        if isinstance(data, Shards):
            way = "Recommender(Dot(output='free'), Gradient(loss='bpr', optimizer='adagrad'))"
            raise InputError(f"no preset makes lists from shards; take {way}, say")
        return "top-n", "the events carry no ratings to tell apart, so the task is a list"
    if isinstance(data, Dataset) and len(data) <= 5_000_000:
        return "posterior", "ratings, few enough to sample the posterior in seconds to minutes: the most accurate there is"
    return "dot", f"{len(data):,} ratings: the one-pass kernel takes seconds where sampling takes an hour"
