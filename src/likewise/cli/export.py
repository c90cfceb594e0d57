"""`likewise export`: a saved model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from likewise.cli import common


def export(
    model: common.Model,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="ONNX file that folds in and ranks; ids go into a .json beside it.")] = None,
    tsv: Annotated[Path | None, typer.Option("--tsv", help="Folder for vectors.tsv and metadata.tsv, for TensorBoard's projector.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """Export a saved model: to ONNX, or its vectors."""
    from likewise.artifact.export.onnx_file import export_onnx
    from likewise.artifact.export.projector import export_projector
    from likewise.artifact.store import load
    from likewise.errors import InputError

    if onnx is None and tsv is None:
        raise InputError("say what to write: --onnx FILE, --tsv FOLDER, or both")
    saved = load(model)
    written = [] if onnx is None else export_onnx(saved, onnx)
    written += [] if tsv is None else export_projector(saved, tsv)
    if as_json:
        common.print_json([{"file": str(path), "bytes": path.stat().st_size} for path in written])
    else:
        common.print_facts({str(path): f"{path.stat().st_size:,} bytes" for path in written})
