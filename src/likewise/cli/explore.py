"""`likewise explore`: the explorer page for a saved model, opened in the browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import serve as service


def explore(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `likewise fit --out` or rec.save() wrote.")],
    beside: service.Beside = None,
    database: service.Database = None,
    port: service.Port = None,
    report: service.Report = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Show what a model thinks, on a page in the browser."""
    address = f"http://127.0.0.1:{port or 8000}/explore"
    typer.echo(f"The explorer is at {address}; Ctrl-C ends it.")
    if browser:
        import webbrowser

        threading.Timer(1.5, webbrowser.open, (address,)).start()
    service.start(True, None, model=model, beside=beside, database=database, port=port, report=report)
