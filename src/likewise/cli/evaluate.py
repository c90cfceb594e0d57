"""`likewise evaluate`: a saved model on held-out ratings; nothing is fitted."""

from __future__ import annotations

from typing import Annotated

import typer

from likewise.cli import common

LENGTH = 10
"""Of the lists whose figures are shown."""


def evaluate(
    model: common.Model,
    test: Annotated[str, typer.Option("--test", help="The held-out ratings.")],
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    protocol: Annotated[str, typer.Option("--protocol", help="full, loo99, vae or cold-items.")] = "full",
    lists: Annotated[bool, typer.Option("--lists/--no-lists", help="Also rank the whole catalogue for every user.")] = True,
    everything: Annotated[bool, typer.Option("--all", help="Show lists of every length, not of ten alone.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Evaluate a saved model, with intervals."""
    from likewise.studies.bench import evaluate_saved

    columns = common.named(user=user, item=item, rating=rating, timestamp=timestamp)
    found = evaluate_saved(common.load_model(model), test, protocol, lists, columns)
    if as_json:
        typer.echo(found.json)
    else:
        typer.echo(found.text(None if everything else LENGTH))
