"""`likewise serve`: a saved model behind a REST service."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path | None, typer.Argument(metavar="MODEL", help="A folder that `likewise fit --out` or rec.save() wrote.")]
Beside = Annotated[Path | None, typer.Option("--beside", help="A second model, to be compared with the first.")]
Root = Annotated[Path | None, typer.Option("--root", help="Folder that models must lie in.")]
Database = Annotated[
    str | None,
    typer.Option("--database", help="URL of the feedback, sqlite:///file.db or postgresql://...; a file beside MODEL if left out."),
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on [127.0.0.1]; any other needs keys.")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on [8000].")]
Report = Annotated[Path | None, typer.Option("--report", help="JSON of `likewise evaluate`, for the page's health panel.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings as TOML; flags and LIKEWISE_* variables win over it.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No log line for each request.")]


def serve(
    model: Folder = None,
    beside: Beside = None,
    root: Root = None,
    database: Database = None,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes [1]; they share the model's memory.")] = None,
    exposures: Annotated[bool | None, typer.Option("--exposures/--no-exposures", help="Keep what was served.")] = None,
    report: Report = None,
    config: Config = None,
    quiet: Quiet = False,
    make_key: Annotated[
        str | None, typer.Option("--make-key", metavar="SCOPES", help="Print a fresh API key for read, feedback, admin; start nothing.")
    ] = None,
) -> None:
    """Put a model behind a REST service, with feedback and a page."""
    if make_key is not None:
        _print_key(make_key)
        return
    start(
        quiet, config, model=model, beside=beside, root=root, database=database, host=host, port=port, workers=workers,
        exposures=exposures, report=report,
    )  # fmt: skip


def start(quiet: bool, config: Path | None, **flags: object) -> None:
    """Check the settings and run the service."""
    from likewise.errors import MissingExtraError

    gc.disable()  # until the model stands: nearly all that a start makes stays
    try:
        from likewise.serving.settings import load_settings
        from likewise.serving.start import serve as run
    except ImportError as error:
        raise MissingExtraError("serve", "likewise serve") from error
    run(load_settings(flags, config), quiet)


def _print_key(scopes: str) -> None:
    from likewise.serving.security import make_key

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    secret, key = make_key("key", wanted)
    typer.echo(f"key, for the client; it is not shown again:\n  {secret}\n")
    listed = ", ".join(f'"{scope}"' for scope in wanted)
    typer.echo(
        f'for the service\'s TOML; name it after its owner:\n  [[keys]]\n  name = "key"\n  hash = "{key.hash}"\n  scopes = [{listed}]\n'
    )
    typer.echo(f"or for its environment:\n  LIKEWISE_KEYS=key:{'+'.join(wanted)}:{key.hash}")
