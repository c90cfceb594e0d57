"""Accuracy against time, and cost against size: `python -m benchmarks.studies.curves [--sizes 1e5 1e6 1e7]`; needs LIKEWISE_DATA.

Learning curves: each contender is fitted anew with more and more epochs on ML-100K u1, one thread.
Growth: some of them on generated ratings (planted factors, Zipf items), one epoch count. Seconds are processor time of the whole process,
imports and answers too, and so is memory.
Writes `results/curves.json` and the pictures of `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.about import about
from benchmarks.contenders import contender
from benchmarks.measure import ROOT
from benchmarks.suites import Split, split_of, suites
from likewise.data.synthetic import planted_ratings

RESULTS = ROOT / "benchmarks" / "results" / "curves.json"
IMAGES = ROOT / "docs" / "images"
PRESETS = {"dot": ("solver.epochs", (2, 4, 8, 15, 30)), "posterior": ("solver.draws", (10, 30, 100, 300))}
PEERS = {
    "cornac:mf": ("max_iter", (2, 5, 10, 25, 50)),
    "surprise:svd": ("n_epochs", (2, 5, 10, 20, 40)),
    "fastai:dot": ("epochs", (1, 2, 3, 5)),
    "myfm:ids": ("draws", (10, 30, 100, 300)),
}
GROWING = {"preset": ("dot", "bias"), "peer": ("cornac:mf", "surprise:svd")}


def learning(split: Split) -> list[dict[str, Any]]:
    """RMSE and seconds of every contender at every length of training."""
    found = []
    for kind, everyone in (("preset", PRESETS), ("peer", PEERS)):
        for name, (setting, lengths) in everyone.items():
            for length in lengths:
                done = contender(name, kind).run("rating", split, 0, 1, {setting: length})
                if "problem" in done:
                    print(name, done["problem"].splitlines()[-1])
                    break
                found.append({"name": contender(name, kind).name, "length": length, "rmse": done["rmse"], "seconds": done["cpu_seconds"]})
                print(json.dumps(found[-1]), flush=True)
    return found


def growth(sizes: Sequence[float], folder: Path) -> list[dict[str, Any]]:
    """Fit seconds and peak memory on more and more ratings; a contender that fits for five minutes is not asked for more."""
    found: list[dict[str, Any]] = []
    tired: set[str] = set()
    for size in map(int, sizes):
        split = generated(size, folder)
        for kind, names in GROWING.items():
            for name in names:
                who = contender(name, kind)
                if who.name in tired:
                    continue
                done = who.run("rating", split, 0, 1)
                if "problem" in done or done["fit_seconds"] > 300:
                    tired.add(who.name)
                if "problem" not in done:
                    found.append({"name": who.name, "events": size, "seconds": done["cpu_seconds"], "mb": done["peak_mb"]})
                    print(json.dumps(found[-1]), flush=True)
    return found


def generated(size: int, folder: Path) -> Split:
    """A split of planted ratings with about a hundred a person; the hundredth part is the test."""
    frame = planted_ratings(n_users=max(size // 100, 100), n_items=max(size // 500, 100), n_events=size, seed=0).data.frame()
    frame = frame.select("user_id", "item_id", "rating")
    chosen = np.random.default_rng(0).random(frame.height) < 0.01
    tables, arrays = [], []
    for name, part in (("train", frame.filter(~chosen)), ("test", frame.filter(chosen))):
        tables.append(folder / f"{size}.{name}.parquet")
        arrays.append(folder / f"{size}.{name}.npz")
        part.write_parquet(tables[-1])
        columns = {"users": part["user_id"], "items": part["item_id"], "ratings": part["rating"]}
        np.savez(arrays[-1], **{key: column.to_numpy() for key, column in columns.items()})
    return Split((tables[0], tables[1]), (arrays[0], arrays[1]), frame.filter(~chosen), frame.filter(chosen))


def draw(result: dict[str, Any]) -> None:
    """Two pictures: error against seconds, seconds and memory against ratings."""
    import matplotlib

    with matplotlib.rc_context(fname=str(ROOT / "docs" / "matplotlibrc")):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, result["learning"], "seconds", "rmse")
        axes.set(xscale="log", xlabel="CPU seconds, from start to answers", ylabel="RMSE, ML-100K u1")
        figure.savefig(IMAGES / "curves-learning.svg")
        figure = Figure(figsize=(9, 4), layout="constrained")
        for axes, measure, label in zip(
            figure.subplots(1, 2), ("seconds", "mb"), ("CPU seconds, from start to answers", "peak memory, MB"), strict=True
        ):
            _lines(axes, result["growth"], "events", measure)
            axes.set(xscale="log", yscale="log", xlabel="ratings", ylabel=label)
        figure.savefig(IMAGES / "curves-growth.svg")


def _lines(axes: Any, found: list[dict[str, Any]], x: str, y: str) -> None:
    for name in dict.fromkeys(one["name"] for one in found):
        mine = [one for one in found if one["name"] == name]
        axes.plot([one[x] for one in mine], [one[y] for one in mine], "o-" if name.startswith("likewise") else "s:", label=name)
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.curves", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="*", default=[1e5, 1e6, 1e7])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {**about(), "learning": learning(split_of(suites()["ml-100k-u1"])), "growth": growth(args.sizes, Path(folder))}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(result)


if __name__ == "__main__":
    main()
