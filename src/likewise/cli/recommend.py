"""`likewise recommend`: lists for users."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common


def recommend(
    model: common.Model,
    users: Annotated[list[str] | None, typer.Argument(help="User ids; everybody if left out (then --out is wise).")] = None,
    k: Annotated[int, typer.Option("-k", help="Length of a list.")] = 10,
    where: Annotated[
        str | None, typer.Option("--where", help="Condition on the item table: \"genres has 'Comedy' and year >= 1990\".")
    ] = None,
    cold: Annotated[str, typer.Option("--cold", help="What an unknown user gets: popular, mean, or raise.")] = "popular",
    seen: Annotated[bool, typer.Option("--seen/--no-seen", help="Also show what the user has had.")] = False,
    at: Annotated[str | None, typer.Option("--at", help="When the lists are shown, such as 2024-05-01T18:00; now if left out.")] = None,
    shown: Annotated[Path | None, typer.Option("--shown", help="Table of user and item: what was shown lately, left out.")] = None,
    shown_days: Annotated[float | None, typer.Option("--shown-days", help="Of it, only the last so many days.")] = None,
    rank_by: Annotated[
        str, typer.Option("--rank-by", help="mean; of a posterior also lower (a deviation below it) or sample (Thompson sampling).")
    ] = "mean",
    seed: Annotated[int | None, typer.Option("--seed", help="Of --rank-by sample: the same seed gives the same lists.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the lists to this Parquet file.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """Recommend items to users."""
    from likewise.answers import ListRequest
    from likewise.data.readers import read_pairs

    rec = common.load_model(model)
    values = users or rec.data.users.ids
    table = None if shown is None else read_pairs(str(shown))
    filters = rec.answers.filters(where, at=at)
    lately = rec.answers.shown(table, at, shown_days)
    ask = ListRequest(k, filters, not seen, cold, shown=lately, rank_by=rank_by, seed=seed)  # type: ignore[arg-type]
    if out is not None:
        rec.answers.write_lists(values, ask, out)
        typer.echo(f"lists of {len(values):,} users written to {out}")
        return
    frame = rec.answers.lists(values, ask)
    if as_json:
        common.print_json(frame.to_dicts())
    else:
        common.print_frame(frame)
