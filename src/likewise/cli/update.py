"""`likewise update`: teach a saved model new events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likewise.cli import common
from likewise.errors import InputError

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset
    from likewise.recommender import Recommender


def update(
    model: common.Model,
    new: Annotated[str | None, typer.Argument(metavar="[NEW]", help="The new events; the old ones are in the model.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the updated model [MODEL]; a service there takes it over.")
    ] = None,
    from_feedback: Annotated[str | None, typer.Option("--from-feedback", help="URL of a service's feedback, instead of NEW.")] = None,
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
    if (new is None) == (from_feedback is None):
        raise InputError("give the new events as NEW, or --from-feedback URL; one of the two")
    rec = common.load_model(model)
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "items": items, "users": users}
    if new is not None:
        data = common.read_data(new, **columns, context=[name for name in rec.data.contexts if name != "day"], at_least=1)
    else:
        data = _feedback(str(from_feedback), rec)
    updated = rec.update(data, half_life=half_life, rounds=rounds, seed=seed)
    updated.save(out or model)
    done = updated.notes["update"]
    if as_json:
        common.print_json(done)
    else:
        common.print_facts({name.replace("_", " "): value for name, value in done.items() if name != "notes"})
        for note in done["notes"]:
            typer.echo(note)


def _feedback(url: str, rec: Recommender) -> Dataset:
    from likewise.errors import MissingExtraError

    try:
        from likewise.serving.feedback.learn import feedback_dataset
    except ImportError as error:
        raise MissingExtraError("serve", "--from-feedback") from error
    return feedback_dataset(url, rec.data)
