"""`likewise prepare`: Parquet files too large for memory, made into a folder to fit from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likewise.cli import common

if TYPE_CHECKING:
    from collections.abc import Mapping


def prepare(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A Parquet file, a glob or a folder of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the shards.")],
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    weight: common.WeightColumn = None,
    range: common.Range = None,
    items: common.Items = None,
    users: common.Users = None,
    test: Annotated[float, typer.Option("--test", help="Share of the events to hold out.")] = 0.0,
    by: Annotated[str | None, typer.Option("--by", help="Which to hold out: 'random' or the latest by 'time'.")] = None,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Encode events that do not fit memory, for `likewise fit`."""
    from likewise.data.shards.prepare import scan

    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    named: dict[str, Any] = {name: False if given == "none" else given for name, given in columns.items()}
    last: dict[str, Any] = {}

    def watch(event: Mapping[str, Any]) -> None:
        last[event["stage"]] = event
        if not as_json:
            rate, peak = event["rows_per_second"] / 1e6, event["peak_mb"]
            told = f"{event['stage']}: {event['rows']:,} of {event['of']:,} rows, {rate:.2f} million a second, peak memory {peak:.0f} MB"
            typer.echo(told, err=True)

    data = scan(source, out, **named, range=common.parse_range(range), items=items, users=users, test=test, by=by, seed=seed, watch=watch)  # type: ignore[arg-type]
    facts = dict(data.summary())
    if last:
        facts["seconds"] = f"{sum(event['seconds'] for event in last.values()):.1f}"
        facts["peak memory"] = f"{max(event['peak_mb'] for event in last.values()):.0f} MB"
    if as_json:
        common.print_json(facts)
    else:
        common.print_facts(facts)
