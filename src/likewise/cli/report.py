"""`likewise report`: everything a saved model learned, on one page."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from likewise.cli import common


def report(
    model: common.Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path("report.html"),
    test: Annotated[
        str | None,
        typer.Option("--test", help="Held-out ratings; left out, a tenth is held out and the same settings are fitted on the rest."),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Write what a model learned as one self-contained HTML page.

    Accuracy beside baselines, biases, named axes, a map with search, people and reasons.
    """
    from likewise.studies.report import judge, write_report

    rec = common.load_model(model)
    held_out = None if test is None else common.read_data(test, context=tuple(rec.data.contexts))
    start = perf_counter()
    judged = None if held_out is not None or len(rec.data) < 50 else judge(rec)
    fitting = 0.0 if judged is None else judged.rec.notes["fit_seconds"] + judged.rec.notes["compile_seconds"]
    path = write_report(rec, out, held_out, judged)
    seconds = perf_counter() - start
    if as_json:
        common.print_json({"path": str(path), "bytes": path.stat().st_size, "seconds": round(seconds, 2), "fit_seconds": round(fitting, 2)})
    else:
        typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {seconds:.1f} s" + (f" ({fitting:.1f} s fitting)" if fitting else ""))
