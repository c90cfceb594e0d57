"""What the verbs share: options, tables on the screen, JSON, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from likewise.cli.grouped import READING, TABLES
from likewise.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from likewise.data.dataset import Dataset
    from likewise.data.shards.shards import Shards
    from likewise.recommender import Recommender
    from likewise.solvers.base import Event

Train = Annotated[
    str, typer.Argument(metavar="TRAIN", help="Ratings: a file, a glob or folder of Parquet files, a MovieLens folder, a database URL.")
]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `likewise fit --out` or rec.save() wrote.")]
UserColumn = Annotated[
    str | None,
    typer.Option("--user", metavar="COLUMN", rich_help_panel=READING, help="Column of the user id, where its name is not recognised."),
]
ItemColumn = Annotated[str | None, typer.Option("--item", metavar="COLUMN", rich_help_panel=READING, help="Column of the item id.")]
RatingColumn = Annotated[
    str | None, typer.Option("--rating", metavar="COLUMN", rich_help_panel=READING, help="Column of the rating; 'none' for likes alone.")
]
TimeColumn = Annotated[
    str | None,
    typer.Option("--timestamp", metavar="COLUMN", rich_help_panel=READING, help="Column of the time; 'none' to leave times out."),
]
WeightColumn = Annotated[
    str | None,
    typer.Option("--weight", metavar="COLUMN", rich_help_panel=READING, help="Column of the weight; 'none' to leave weights out."),
]
Range = Annotated[
    str | None,
    typer.Option(
        "--range", metavar="LOW,HIGH", rich_help_panel=READING, help="The lowest and highest rating there can be; one outside is refused."
    ),
]
Duplicates = Annotated[
    str,
    typer.Option(
        "--duplicates", metavar="WAY", rich_help_panel=READING, help="Several events of one pair: last, mean, sum, or error to refuse them."
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter", metavar="TEXT", rich_help_panel=READING, help="What separates the columns of a text, where it is not recognised."
    ),
]
Query = Annotated[
    str | None,
    typer.Option("--query", metavar="SQL", rich_help_panel=READING, help="For a database URL: a SELECT, or the name of a table."),
]
Items = Annotated[
    str | None, typer.Option("--items", metavar="TABLE", rich_help_panel=TABLES, help="Table of the items, keyed by their id.")
]
Users = Annotated[
    str | None, typer.Option("--users", metavar="TABLE", rich_help_panel=TABLES, help="Table of the users, keyed by their id.")
]
Tags = Annotated[str | None, typer.Option("--tags", metavar="TABLE", rich_help_panel=TABLES, help="Table of tags: user, item, tag.")]
ContextColumns = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="COLUMN", rich_help_panel=READING, help="A column of the rating to use as context, or 'day'."),
]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", "-p", metavar="PRESET", help="A preset by name, or a .toml of your own; chosen for the data if left out."),
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting: solver.epochs=20, model.factors=64.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="NUMBER", help="The same seed on the same CPU gives the same model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_data(source: str, **options: Any) -> Dataset:
    """The data set that the options describe; "sample", "100k", "1m" and a folder of MovieLens come with all its tables."""
    from likewise.data.movielens import RATINGS, load_movielens
    from likewise.data.readers import read

    if source in ("sample", "100k", "1m") or any((Path(source) / name).is_file() for name in RATINGS):
        return load_movielens(None if source == "sample" else source, options.get("context") or ())
    for column in ("rating", "timestamp", "weight"):
        if options.get(column) == "none":
            options[column] = False
    options["range"] = parse_range(options.get("range"))
    return read(source, **{name: value for name, value in options.items() if value is not None})


def read_events(source: str, held_out: bool = False, **options: Any) -> Dataset | Shards:
    """As `read_data`; of a folder that `likewise prepare` made its shards, or those held out."""
    from likewise.data.shards.manifest import MANIFEST

    if not (Path(source) / MANIFEST).is_file():
        return read_data(source, **options)
    from likewise.data.shards.shards import open_shards

    shards = open_shards(source)
    if not held_out:
        return shards
    if shards.held_out is None:
        raise InputError(f"{source} was prepared without --test, so nothing is held out")
    return shards.held_out


def named(**columns: str | None) -> dict[str, str | Literal[False] | None]:
    """Our column names and the source's, of the options that name columns; 'none' leaves one out."""
    words = {"user": "user_id", "item": "item_id"}
    return {words.get(ours, ours): False if theirs == "none" else theirs for ours, theirs in columns.items()}


def parse_range(text: str | None) -> tuple[float, float] | None:
    """The two ends of `--range`; InputError where it does not read LOW,HIGH."""
    if text is None:
        return None
    low, comma, high = text.partition(",")
    try:
        return float(low), float(high if comma else "")
    except ValueError:
        raise InputError(f"--range must read LOW,HIGH, such as 0.5,5; got {text!r}") from None


def load_model(folder: Path) -> Recommender:
    """The saved recommender."""
    from likewise.recommender import Recommender

    return Recommender.load(folder)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=None, ensure_ascii=False, default=_plain))


def print_frame(frame: pl.DataFrame, title: str | None = None) -> None:
    """A frame as a table; numbers right, the rest left."""
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*("" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    console = Console()
    if title is not None:
        console.print(title, style="italic", highlight=False)
    console.print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Labels and values, aligned."""
    width = max(map(len, facts), default=0)
    for label, value in facts.items():
        typer.echo(f"{label:<{width}}  {value}")


@contextmanager
def progress(shown: bool = True) -> Iterator[Any]:
    """A `watch` for fits: a live bar on a terminal's stderr, silent elsewhere."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[news]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("fit", total=None, news="")

        def watch(event: Event) -> None:
            step = event.get("epoch") or event.get("sweep") or event.get("step") or 0
            figures = "  ".join(f"{k} {v:.4g}" for k, v in event.items() if isinstance(v, float) and k not in ("seconds", "left"))
            bar.update(task, completed=step, total=event.get("of"), news=figures)

        yield watch


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value.tolist() if hasattr(value, "tolist") else str(value)
