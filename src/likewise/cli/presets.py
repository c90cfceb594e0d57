"""`likewise presets`: what one can ask for by name."""

from __future__ import annotations

from likewise.cli import common


def presets(as_json: common.AsJson = False) -> None:
    """List the presets that ship with the package."""
    import polars as pl

    from likewise.studies.presets import load_preset, preset_names

    found = [load_preset(name) for name in preset_names()]
    rows = [
        {"preset": p.name, "task": p.task, "model": type(p.model).__name__, "solver": type(p.solver).__name__, "about": p.about}
        for p in found
    ]
    if as_json:
        common.print_json(rows)
    else:
        common.print_frame(pl.DataFrame(rows))
