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
    weight: common.WeightColumn = None,
    items: common.Items = None,
    users: common.Users = None,
    tags: common.Tags = None,
    context: common.ContextColumns = None,
    range: common.Range = None,
    duplicates: common.Duplicates = "last",
    delimiter: common.Delimiter = None,
    query: common.Query = None,
    corner: Annotated[int, typer.Option("--corner", help="Show the densest corner of this many users and items.")] = 0,
    as_json: common.AsJson = False,
) -> None:
    """Read a table and report what is in it."""
    found = common.read_data(
        train, user=user, item=item, rating=rating, timestamp=timestamp, weight=weight, items=items, users=users, tags=tags,
        context=tuple(context or ()), range=range, duplicates=duplicates, delimiter=delimiter, query=query,
    )  # fmt: skip
    densest = found.corner(corner) if corner else None
    facts = _told(found.summary() + found.report.lines())
    if as_json:
        common.print_json(facts if densest is None else facts | {"corner": densest.to_dicts()})
        return
    common.print_facts(facts)
    if densest is not None:
        common.print_frame(densest, "\nthe densest corner")


def _told(lines: list[tuple[str, str]]) -> dict[str, str]:
    """Lines under their labels; what shares a label stands one after the other."""
    told: dict[str, str] = {}
    for label, text in lines:
        told[label] = f"{told[label]}; {text}" if label in told else text
    return told
