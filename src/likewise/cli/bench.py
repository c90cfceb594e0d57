"""`likewise bench`: one preset on one split, as one record of figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common


def bench(
    train: common.Train,
    test: Annotated[str, typer.Option("--test", help="The held-out ratings.")],
    preset: Annotated[str, typer.Option("--preset", "-p", help="A preset by name, or a .toml of your own.")],
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
    range: common.Range = None,
    duplicates: common.Duplicates = "last",
    protocol: Annotated[str, typer.Option("--protocol", help="full, loo99 or cold-items.")] = "full",
    rank: Annotated[bool, typer.Option("--rank", help="Also rank every item outside each user's train.")] = False,
    changes: common.Changes = None,
    predictions: Annotated[Path | None, typer.Option("--predictions", help="Write the predictions to this CSV or Parquet file.")] = None,
    lists: Annotated[Path | None, typer.Option("--lists", help="Write the first 100 items of each test user to this Parquet file.")] = None,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Fit a preset on TRAIN, measure it on TEST."""
    from likewise.studies.bench import Files, bench
    from likewise.studies.presets import parse_changes

    columns = common.named(user=user, item=item, rating=rating, timestamp=timestamp, weight=weight)
    about = (tuple(context or ()), common.parse_range(range), duplicates, columns, delimiter)
    files = Files(train, test, items, users, tags, *about)  # type: ignore[arg-type]
    with common.progress(not as_json) as watch:
        record = bench(
            files,
            preset,
            protocol=protocol,
            rank=rank,
            changes=parse_changes(changes or []),
            seed=seed,
            predictions=predictions,
            lists=lists,
            watch=watch,
        )
    if as_json:
        common.print_json(record)
    else:
        common.print_facts({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in record.items()})
