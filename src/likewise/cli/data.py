"""`likewise data`: what a table holds, before anything is fitted."""

from __future__ import annotations

from typing import Annotated

import typer

from likewise.cli import common


def data(
    train: common.Train,
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    items: common.Items = None,
    users: common.Users = None,
    tags: common.Tags = None,
    context: common.ContextColumns = None,
    corner: Annotated[int, typer.Option("--corner", help="Show the densest corner of this many users and items.")] = 0,
    as_json: common.AsJson = False,
) -> None:
    """Read a table and report what is in it."""
    found = common.read_data(
        train, user=user, item=item, rating=rating, timestamp=timestamp, items=items, users=users, tags=tags, context=tuple(context or ())
    )
    facts = dict(found.summary() + found.report.lines())
    if as_json:
        common.print_json(facts)
        return
    common.print_facts(facts)
    if corner:
        common.print_frame(found.corner(corner), "the densest corner")
