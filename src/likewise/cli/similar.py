"""`likewise similar`: items like an item, or users like a user."""

from __future__ import annotations

from typing import Annotated

import typer

from likewise.cli import common


def similar(
    model: common.Model,
    what: Annotated[str, typer.Argument(help="An item's id or title; a user's id with --user.")],
    user: Annotated[bool, typer.Option("--user", help="Find users like this user.")] = False,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    as_json: common.AsJson = False,
) -> None:
    """Show what is most alike."""
    frame = common.load_model(model).answers.similar("user" if user else "item", what, k)
    if as_json:
        common.print_json(frame.to_dicts())
    else:
        common.print_frame(frame)
