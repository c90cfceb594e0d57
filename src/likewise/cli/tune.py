"""`likewise tune`: search a preset's settings on an inner split of the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common


def tune(
    train: common.Train,
    out: Annotated[Path, typer.Option("--out", "-o", help="The preset file (.toml) to write the best settings to.")],
    preset: Annotated[str, typer.Option("--preset", "-p", help="A preset that declares ranges in a table [tune].")] = "dot",
    trials: Annotated[int, typer.Option("--trials", help="Trials in all, those of earlier runs with this storage included.")] = 30,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Begin no trial after so long.")] = None,
    storage: Annotated[Path | None, typer.Option("--storage", help="SQLite file to go on from.")] = None,
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    items: common.Items = None,
    users: common.Users = None,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Search a preset's settings, and write the best as a preset."""
    import dataclasses

    from likewise.errors import InputError
    from likewise.studies.tune import tune as search

    data = common.read_data(train, user=user, item=item, rating=rating, timestamp=timestamp, items=items, users=users)
    if minutes is not None and minutes <= 0:
        raise InputError(f"--minutes must be above 0; got {minutes:g}")
    seconds = None if minutes is None else 60 * minutes
    said = (lambda _: None) if as_json else (lambda line: typer.echo(line, err=True))
    found = search(data, preset, out, trials=trials, seconds=seconds, storage=storage, seed=seed, said=said)
    facts = dataclasses.asdict(found)
    if as_json:
        common.print_json(facts)
    else:
        common.print_facts(facts | {"settings": ", ".join(f"{name} = {value}" for name, value in found.settings.items()) or "as they were"})
