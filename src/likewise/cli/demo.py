"""`likewise demo`: the whole job on the sample, told step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likewise.cli import common

if TYPE_CHECKING:
    import polars as pl


VISITOR = {"Toy Story (1995)": 5.0, "Heat (1995)": 2.0, "Finding Nemo (2003)": 5.0, "Casino (1995)": 1.5, "Shrek (2001)": 4.5}
"""Somebody who likes animation and no gangsters."""


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")] = Path("demo"),
    preset: Annotated[str, typer.Option("--preset", "-p", help="A preset by name.")] = "posterior",
    seed: common.Seed = 0,
) -> None:
    """Fit, compare, recommend and explain on the MovieLens sample."""
    import polars as pl

    from likewise.answers import ListRequest
    from likewise.data.movielens import load_movielens
    from likewise.data.splits import split
    from likewise.studies.fit import fit
    from likewise.studies.report import Judged, write_report

    _step("The sample")
    ratings = load_movielens()
    typer.echo(repr(ratings))
    _step("The densest corner: the most active users by the most rated films, gaps left empty")
    common.print_frame(_narrow(ratings.corner(7)))

    _step(f"Fit the preset '{preset}' on the earliest 90 % of the ratings, predict the latest 10 %, beside baselines")
    train, test = split(ratings, by="time", seed=seed)
    with common.progress() as watch:
        rec = fit(train, preset, seed=seed, watch=watch)
    measured = Judged(rec, test, rec.evaluate(test), f"the latest tenth of the ratings ({len(test):,}), by a model fitted on the others")
    typer.echo(repr(measured.comparison))

    _step("Fit on everything and save")
    with common.progress() as watch:
        rec = fit(ratings, preset, seed=seed, watch=watch)
    rec.save(out / "model")
    typer.echo(f"{out / 'model'}: {rec.notes['fit_seconds']:.1f} s")

    _step("What user 42 has not seen and would like best")
    common.print_frame(rec.answers.lists([42], ListRequest(10)).drop("user_id"))

    _step("The same corner filled in by the model")
    common.print_frame(_narrow(rec.answers.filled_corner(7)))

    _step("Someone new rates five films; nothing is retrained")
    common.print_frame(pl.DataFrame({"title": list(VISITOR), "rating": list(VISITOR.values())}))
    visitor = rec.visitor(VISITOR)
    frame, _ = visitor.ranked(ListRequest(8), explain=True)
    common.print_frame(frame.drop("item_id", "rank", "source"))
    typer.echo(repr(visitor.explain(frame["item_id"][0])))

    _step("Everything it learned, on one page")
    typer.echo(f"{write_report(rec, out / 'report.html', judged=measured)}: open it in a browser")

    typer.echo(f"\nNext: likewise recommend {out / 'model'} 42")


def _step(title: str) -> None:
    from rich.console import Console

    Console().print(f"\n[bold]{title}[/bold]", highlight=False)


def _narrow(corner: pl.DataFrame, most: int = 14) -> pl.DataFrame:
    """Column heads cut so that the table fits a terminal."""
    return corner.rename({name: name if len(name) <= most else name[: most - 1] + "…" for name in corner.columns})
