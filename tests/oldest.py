"""What must work with every supported version; `.ci/run` runs it with the oldest, in an environment of its own."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

import likewise as lw

PACKAGES = ("numpy", "numba", "polars", "pyarrow", "narwhals", "safetensors", "typer", "rich")
PRESETS = {"bias": {}, "ease": {}, "dot": {"solver.epochs": 3}, "posterior": {"solver.draws": 10, "solver.burn_in": 3}}


def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ratings, and a table of items."""
    rng = np.random.default_rng(0)
    pairs = rng.choice(60 * 40, 1200, replace=False)
    stars, times = rng.integers(1, 6, 1200).astype(float), rng.integers(10**9, 10**9 + 10**7, 1200)
    ratings = pl.DataFrame({"user": pairs // 40, "item": [f"i{n}" for n in pairs % 40], "rating": stars, "timestamp": times})
    names = {"item_id": [f"i{n}" for n in range(40)], "title": [f"T{n}" for n in range(40)], "genres": ["A|B", "B"] * 20}
    return ratings, pl.DataFrame(names | {"year": list(range(1990, 2030))})


def main() -> None:
    """Read from everywhere, split, fit, evaluate, answer, save and load."""
    for name in lw.__all__:
        getattr(lw, name)
    folder = Path(tempfile.mkdtemp())
    ratings, items = tables()
    ratings.write_csv(folder / "r.csv")
    ratings.write_parquet(folder / "r.parquet")
    items.write_csv(folder / "items.csv")
    for source in (folder / "r.csv", folder / "r.parquet", ratings, ratings.to_arrow()):
        data = lw.read(source, items=str(folder / "items.csv"))
        assert len(data) == 1200
    train, test = lw.split(data)
    for preset, changes in PRESETS.items():
        rec = lw.fit(train, preset, changes=changes)
        rec.evaluate(test)
        rec.recommend(0, k=5, where="genres has 'B' and year >= 1991", explain=True)
        rec.recommend(to=folder / "lists.parquet", k=5)
        rec.visitor({"T1": 5, "T2": 1}).recommend(5)
        rec.update(test)
        rec.save(folder / preset)
        assert list(lw.load(folder / preset).recommend(0, k=5)["item_id"]) == list(rec.recommend(0, k=5)["item_id"])
    sys.stdout.write(f"works with {', '.join(f'{name} {version(name)}' for name in PACKAGES)}\n")


if __name__ == "__main__":
    main()
