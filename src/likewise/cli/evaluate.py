"""`likewise evaluate`: a saved model on held-out ratings; nothing is fitted."""

from __future__ import annotations

from typing import Annotated

import typer

from likewise.cli import common


def evaluate(
    model: common.Model,
    test: Annotated[str, typer.Option("--test", help="The held-out ratings.")],
    protocol: Annotated[str, typer.Option("--protocol", help="full, loo99, vae or cold-items.")] = "full",
    lists: Annotated[bool, typer.Option("--lists/--no-lists", help="Also rank the whole catalogue for every user.")] = True,
    as_json: common.AsJson = False,
) -> None:
    """Evaluate a saved model, with intervals."""
    from likewise.studies.bench import evaluate_saved

    found = evaluate_saved(common.load_model(model), test, protocol, lists)
    if as_json:
        typer.echo(found.json)
    else:
        typer.echo(repr(found))
