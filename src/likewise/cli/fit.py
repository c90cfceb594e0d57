"""`likewise fit`: a ratings file in, a saved model out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likewise.cli import common
from likewise.cli.grouped import TRAINING

if TYPE_CHECKING:
    from likewise.recommender import Recommender
    from likewise.solvers.base import Ranks


SHARDING = "torchrec"
ASKED = "asked for"
"""Why a preset was taken that the caller named: no news."""
DEFAULTS = {SHARDING: "dot-sharded"}
"""The preset of an engine where none is named."""
Starts = Annotated[
    list[Path] | None,
    typer.Option(
        "--start",
        metavar="MODEL",
        rich_help_panel=TRAINING,
        help="A saved model to begin from; twice for a dot product and an mlp, NeuMF's halves.",
    ),
]
Events = Annotated[
    str,
    typer.Argument(
        metavar="TRAIN",
        help="Ratings: a file, a glob or folder of Parquet files, a MovieLens folder, what `likewise prepare` made, a database URL.",
    ),
]
Every = Annotated[
    int | None,
    typer.Option(
        "--checkpoint-every",
        metavar="STEPS",
        rich_help_panel=TRAINING,
        help="With --engine torchrec: steps between checkpoints; one an epoch if left out.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        rich_help_panel=TRAINING,
        help="How gradient descent runs: auto, one-pass, torch, or torchrec under torchrun.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="DEVICE", rich_help_panel=TRAINING, help="Where networks are trained: auto, cpu, cuda, cuda:1.")
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision", metavar="PRECISION", rich_help_panel=TRAINING, help="float32, or mixed for a GPU that multiplies in bfloat16."
    ),
]
Compile = Annotated[bool, typer.Option("--compile", rich_help_panel=TRAINING, help="Hand networks to torch.compile.")]
Plan = Annotated[
    str,
    typer.Option(
        "--plan",
        metavar="PLAN",
        rich_help_panel=TRAINING,
        help="With --engine torchrec: row-wise gives each process an even share, planner lets TorchRec decide.",
    ),
]
Valid = Annotated[
    str | None, typer.Option("--valid", metavar="TABLE", rich_help_panel=TRAINING, help="Ratings held out to watch and to stop by.")
]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FOLDER", rich_help_panel=TRAINING, help="Folder to keep resumable state in.")
]
KeepOnInterrupt = Annotated[bool, typer.Option("--keep-on-interrupt", rich_help_panel=TRAINING, help="On Ctrl-C save the best so far.")]


def fit(
    train: Events,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to save the model in.")],
    preset: common.PresetName = None,
    user: common.UserColumn = None,
    item: common.ItemColumn = None,
    rating: common.RatingColumn = None,
    timestamp: common.TimeColumn = None,
    weight: common.WeightColumn = None,
    items: common.Items = None,
    users: common.Users = None,
    tags: common.Tags = None,
    context: common.ContextColumns = None,
    range: common.Range = None,
    duplicates: common.Duplicates = "last",
    delimiter: common.Delimiter = None,
    query: common.Query = None,
    changes: common.Changes = None,
    valid: Valid = None,
    checkpoint: Checkpoint = None,
    start: Starts = None,
    checkpoint_every: Every = None,
    engine: Engine = None,
    plan: Plan = "row-wise",
    device: Device = "auto",
    precision: Precision = "float32",
    compile: Compile = False,
    keep_on_interrupt: KeepOnInterrupt = False,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    """Fit a recommender and save it."""
    from likewise.artifact.folder import check_target
    from likewise.studies.fit import fit as fit_preset

    check_target(out)
    speaks = engine != SHARDING or os.environ.get("RANK", "0") == "0"
    how: dict[str, Any] = {
        "changes": _settings(changes, engine), "seed": seed, "device": device, "precision": precision, "compile": compile, "start": start,
        "keep_on_interrupt": keep_on_interrupt, "checkpoint": checkpoint, "ranks": _ranks(plan, checkpoint_every, out, engine),
    }  # fmt: skip
    columns: dict[str, Any] = {
        "user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight, "context": tuple(context or ()),
        "range": range, "duplicates": duplicates, "delimiter": delimiter,
    }  # fmt: skip
    data = common.read_events(train, **columns, items=items, users=users, tags=tags, query=query)
    held_out = None if valid is None else common.read_events(valid, held_out=True, **columns, at_least=1)
    with common.progress(speaks and not as_json) as watch:
        rec = fit_preset(data, preset or DEFAULTS.get(engine or ""), held_out, watch=watch, **how)
    if speaks:
        _keep(rec, len(data), out, as_json, engine if preset is None else None)


def _settings(changes: list[str] | None, engine: str | None) -> dict[str, Any]:
    from likewise.studies.presets import parse_changes

    return parse_changes(changes or []) | ({} if engine is None else {"solver.engine": engine})


def _ranks(plan: str, every: int | None, out: Path, engine: str | None) -> Ranks:
    from likewise.solvers.base import Ranks

    return Ranks(plan, every, str(out) if engine == SHARDING else None)  # type: ignore[arg-type]


def _keep(rec: Recommender, events: int, out: Path, as_json: bool, chosen_by: str | None) -> None:
    if chosen_by in DEFAULTS:
        rec.notes["why"] = f"what --engine {chosen_by} takes where no preset is named"
    rec.save(out)
    facts = _facts(rec, events, out)
    if as_json:
        common.print_json(facts)
        return
    common.print_facts({k: v if k != "remarks" else "; ".join(v) for k, v in facts.items() if v not in ("", [], ASKED)})


def _facts(rec: Recommender, events: int, out: Path) -> dict[str, Any]:
    return {
        "preset": rec.notes["preset"],
        "why": rec.notes["why"],
        "events": events,
        "users": len(rec.data.users),
        "items": len(rec.data.items),
        "fit_seconds": round(rec.notes["fit_seconds"], 3),
        "compile_seconds": round(rec.notes["compile_seconds"], 3),
        "remarks": rec.notes["remarks"],
        "saved": str(out),
    }
