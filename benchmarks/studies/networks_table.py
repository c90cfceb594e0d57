"""Every network on ML-100K and ML-1M, at random and by time: `python -m benchmarks.studies.networks_table [--only ml-100k]`.

One seed, one thread, the settings of the presets (on ML-1M those of the bars). Each cell is a fresh process that may take so many
seconds; what takes longer, or was left out, is written as not run. `results/networks.json` is written after each cell and cells that it
holds are not run again, so the command can be stopped and called again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.about import about
from benchmarks.bars.networks import SETTINGS_1M
from benchmarks.measure import likewise, measured
from benchmarks.run import RESULTS
from benchmarks.suites import data_home

NETWORKS = ("tutorial-dot", "tutorial-mlp", "dot", "mlp", "neumf", "two-tower", "svdpp", "dlrm", "autorec")
SPLITS = ("ml-100k random", "ml-100k time", "ml-1m random", "ml-1m time")
WITH_TABLES = ("two-tower", "dlrm")
PLACE = RESULTS / "networks.json"
LAST = 0.1
"""Share of the events, the last, that a split by time holds out."""


def files(split: str, folder: Path) -> tuple[Path, Path]:
    """(train, test) of a split; those by time are made in the folder."""
    home = data_home()
    if split == "ml-100k random":
        return home / "ml-100k/u1.base", home / "ml-100k/u1.test"
    if split == "ml-1m random":
        return home / "splits/ml-1m-r90.train.parquet", home / "splits/ml-1m-r90.test.parquet"
    parts = folder / f"{split}.train.parquet", folder / f"{split}.test.parquet"
    if not parts[0].exists():
        from likewise.data.readers import read
        from likewise.data.splits import split as cut

        whole = read(home / ("ml-100k/u.data" if split.startswith("ml-100k") else "ml-1m/ratings.parquet"))
        for part, path in zip(cut(whole, by="time", test=LAST), parts, strict=True):
            part.frame().select("user_id", "item_id", "rating", pl.col("timestamp")).write_parquet(path)
    return parts


def options(network: str, split: str) -> list[str]:
    """What the command line is told besides the preset."""
    large, home = split.startswith("ml-1m"), data_home()
    tables = ("ml-1m/movies.dat", "ml-1m/users.dat") if large else ("ml-100k/u.item", "ml-100k/u.user")
    named = ["--items", str(home / tables[0]), "--users", str(home / tables[1])] if network in WITH_TABLES else []
    return [*named, *(SETTINGS_1M.get(network, ()) if large else ())]


def cell(network: str, split: str, folder: Path, most: float) -> dict[str, Any]:
    """Error and seconds of a network on a split, or why there are none."""
    train, test = files(split, folder)
    command = [*likewise(), "bench", train, "--test", test, "--preset", network, *options(network, split), "--json"]
    done = measured(command, 1, most)
    if done.problem:
        return {"problem": done.problem.splitlines()[-1][:200] if done.wall_seconds < most else f"more than {most:.0f} s"}
    return {"rmse": (told := done.json())["rmse"], "fit_seconds": told["fit_seconds"], "peak_mb": done.peak_mb}


def table(result: dict[str, Any]) -> str:
    """A row a network: its error and the seconds of its fit on each split."""
    lines = [["", *SPLITS]]
    for network in NETWORKS:
        cells = [result["cells"].get(f"{network}, {split}", {}) for split in SPLITS]
        lines.append([f"`{network}`", *(f"{c['rmse']:.4f} ({c['fit_seconds']:.0f} s)" if "rmse" in c else "not run" for c in cells)])
    ruled = [lines[0], ["---"] + ["---:"] * len(SPLITS), *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in ruled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cells whose name, NETWORK, SPLIT, holds this")
    parser.add_argument("--most", type=float, default=300, help="seconds that a cell may take")
    args = parser.parse_args()
    result = json.loads(PLACE.read_text(encoding="utf-8")) if PLACE.exists() else {"cells": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in (f"{network}, {split}" for split in SPLITS for network in NETWORKS):
            if args.only not in name or "rmse" in result["cells"].get(name, {}):
                continue
            network, _, split = name.partition(", ")
            result["cells"][name] = cell(network, split, Path(folder), args.most)
            result |= about()
            PLACE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            print(name, result["cells"][name], flush=True)
    print(table(result))


if __name__ == "__main__":
    main()
