"""`likewise insight`: what a saved model learned, as tables or JSON."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from likewise.cli import common
from likewise.errors import LikewiseError


def insight(
    model: common.Model,
    like: Annotated[str | None, typer.Option("--like", help="Show what is like this item (id or title), and why.")] = None,
    n: Annotated[int, typer.Option("-n", help="Rows of each table.")] = 15,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Show biases, named axes and groups of a saved model."""
    kit = common.load_model(model).insight
    if like is not None:
        near = kit.like(like, n)
        if as_json:
            common.print_json({"title": near.title, "like": near.frame.to_dicts()})
        else:
            common.print_frame(near.frame.drop("item_id"), f"Like {near.title}")
        return
    items = kit.items()
    columns = ["name", "bias", "low", "high", "count", "mean"]
    tables: dict[str, Any] = {"loved": items.loved(n).select(columns), "hated": items.hated(n).select(columns)}
    remarks = [items.source]
    for name in ("axes", "groups"):
        try:
            tables[name] = kit.axes(seed=seed).frame if name == "axes" else kit.clusters(seed=seed).frame
        except LikewiseError as error:
            remarks.append(str(error))
    if as_json:
        common.print_json({**{name: frame.fill_nan(None).to_dicts() for name, frame in tables.items()}, "remarks": remarks})
        return
    titles = {"loved": "Loved beyond what taste explains", "hated": "Not loved", "axes": "Axes of taste", "groups": "Groups"}
    for name, frame in tables.items():
        common.print_frame(frame, titles[name])
    for remark in remarks:
        typer.echo(remark)
