"""`likewise study`: how a preset meets people it was not trained on."""

from __future__ import annotations

from typing import Annotated

import typer

from likewise.cli import common


def study(
    kind: Annotated[str, typer.Argument(help="reasons, questions or speed.")],
    train: common.Train,
    everybody: Annotated[str, typer.Argument(metavar="EVERYBODY", help="Parquet table with people whom TRAIN lacks.")],
    preset: Annotated[str, typer.Option("--preset", "-p", help="A preset by name, or a .toml of your own.")] = "dot",
    changes: common.Changes = None,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Study how a preset meets people it was not trained on.

    Whether reasons are true, what ten questions are worth, what an answer costs.
    """
    from likewise.studies.newcomers import study as studied
    from likewise.studies.presets import parse_changes

    found = studied(kind, train, everybody, preset, parse_changes(changes or []), seed)
    if as_json:
        common.print_json(found)
    else:
        common.print_facts({name: f"{value:.4f}" for name, value in found.items()})
