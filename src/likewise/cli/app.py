"""The verbs together."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from likewise.cli.grouped import Grouped

VERBS = (
    *("demo", "data", "prepare", "fit", "tune", "evaluate", "compare", "bench", "predict", "recommend"),
    *("similar", "insight", "report", "update", "ask", "study", "serve", "explore", "info", "presets", "export", "doctor"),
)
"""In the order of the help page; each is `likewise/cli/VERB.py` with a function `VERB`."""

app = typer.Typer(
    name="likewise",
    help="Turn a table of who liked what into a recommender you can trust and ship.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from likewise import __version__

        typer.echo(f"likewise {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is recognised, chosen and compiled.")] = False,
) -> None:
    import logging

    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s")


for _verb in VERBS:
    app.command(name=_verb, cls=Grouped)(getattr(import_module(f"likewise.cli.{_verb}"), _verb))
