"""`likewise compare`: presets side by side on one split, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from likewise.cli import common


def compare(
    train: common.Train,
    test: Annotated[str | None, typer.Option("--test", help="The held-out ratings; left out, TRAIN is split by --by.")] = None,
    presets: Annotated[str, typer.Option("--presets", "-p", help="Presets, separated by commas.")] = "dot",
    by: Annotated[
        str | None, typer.Option("--by", help="How to split without --test: time, random, user, last, cold-users, cold-items.")
    ] = None,
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    weight: common.WeightColumn = None,
    delimiter: common.Delimiter = None,
    items: common.Items = None,
    users: common.Users = None,
    tags: common.Tags = None,
    context: common.ContextColumns = None,
    protocol: Annotated[str, typer.Option("--protocol", help="full, loo99, vae or cold-items; it also names the split.")] = "full",
    positive: Annotated[str | None, typer.Option("--positive", help="Held-out ratings worth finding, such as '>=4'.")] = None,
    lists: Annotated[bool, typer.Option("--lists/--no-lists", help="Also rank the whole catalogue for every user.")] = True,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the comparison to this file (.png, .svg, .pdf).")] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Compare on so many random splits of TRAIN, without --test.")] = 1,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Fit presets and compare them on one test, with verdicts."""
    from likewise.data.splits import split
    from likewise.errors import InputError
    from likewise.evaluation.protocol import protocol as named_protocol
    from likewise.studies.compare import compare as compare_presets, repeated

    names = [word for name in presets.split(",") if (word := name.strip())]
    _check(names, picture)
    columns: dict[str, Any] = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    columns |= {"delimiter": delimiter, "context": tuple(context or ())}
    data = common.read_data(train, **columns, items=items, users=users, tags=tags)
    if repeats > 1:
        if test is not None:
            raise InputError("--repeats splits TRAIN itself, so it cannot be given with --test")
        frame = repeated(data, names, by=by or "random", repeats=repeats, seed=seed, lists=lists)
        common.print_json(frame.to_dicts()) if as_json else common.print_frame(frame)
        return
    held_out = None if test is None else common.read_data(test, **columns)
    how = named_protocol(protocol, **({} if positive is None else {"positive": positive}))
    chosen: Any = by or (None if how.by == "given" else how.by)
    parts = (data, held_out) if held_out is not None else split(data, by=chosen, seed=seed)
    with common.progress(not as_json) as watch:
        found = compare_presets(*parts, names, protocol=how, lists=lists, seed=seed, watch=watch)
    if picture is not None:
        found.plot().figure.savefig(picture)
    typer.echo(found.json if as_json else repr(found))


def _check(presets: list[str], picture: Path | None) -> None:
    """Complain before the work, not after it."""
    from likewise.errors import InputError
    from likewise.studies.presets import load_preset

    for name in presets:
        load_preset(name)
    if picture is not None and not picture.parent.is_dir():
        raise InputError(f"there is no folder {str(picture.parent)!r} for --picture: make it first, or name another")
