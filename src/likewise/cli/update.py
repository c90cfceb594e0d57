"""`likewise update`: teach a saved model new events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common


def update(
    model: common.Model,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new events; the old ones are in the model.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the updated model; it may be MODEL itself.")],
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    items: common.Items = None,
    users: common.Users = None,
    half_life: Annotated[float | None, typer.Option("--half-life", help="Days after which an event counts half.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="How often those touched follow; 0 folds in the new and moves nobody else.")] = 1,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Learn new events, users and items without a full fit."""
    rec = common.load_model(model)
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "items": items, "users": users}
    data = common.read_data(new, **columns, context=[name for name in rec.data.contexts if name != "day"], at_least=1)
    updated = rec.update(data, half_life=half_life, rounds=rounds, seed=seed)
    updated.save(out)
    done = updated.notes["update"]
    if as_json:
        common.print_json(done)
    else:
        common.print_facts({name.replace("_", " "): value for name, value in done.items() if name != "notes"})
        for note in done["notes"]:
            typer.echo(note)
