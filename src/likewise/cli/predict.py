"""`likewise predict`: ratings for pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common
from likewise.errors import InputError


def predict(
    model: common.Model,
    user: Annotated[str | None, typer.Argument(help="A user's id.")] = None,
    item: Annotated[str | None, typer.Argument(help="An item's id or title.")] = None,
    pairs: Annotated[str | None, typer.Option("--pairs", help="A table of pairs instead of one pair.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the pairs with their scores to this CSV or Parquet file.")] = None,
    cold: Annotated[str, typer.Option("--cold", help="What an unknown id gets: mean or raise.")] = "mean",
    as_json: common.AsJson = False,
) -> None:
    """Predict the rating of one pair, or of a table of pairs."""
    import polars as pl

    rec = common.load_model(model)
    if pairs is not None:
        from likewise.data.tables import load_table

        frame = load_table(pairs)
    elif user is not None and item is not None:
        frame = pl.DataFrame({"user_id": [user], "item_id": [item]})
    else:
        raise InputError("give a user and an item, or --pairs FILE")
    scored = frame.with_columns(rec.answers.predictions(frame, cold))  # type: ignore[arg-type]
    if out is not None:
        from likewise.data.tables import write_table

        write_table(scored, out)
        typer.echo(f"{scored.height:,} predictions written to {out}")
    elif as_json:
        common.print_json(scored.to_dicts())
    else:
        common.print_frame(scored)
