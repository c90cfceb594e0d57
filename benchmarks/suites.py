"""The suites of `suites.toml`, and their splits as the files that contenders read."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).parent
CACHE = HERE / ".cache"


class NoDataError(Exception):
    """A suite needs data that this machine does not have."""


@dataclass(frozen=True)
class Suite:
    """What is compared on what.

    Parameters
    ----------
    name, task : str
        `task` is "rating" or "list".
    presets, peers : tuple of str
    train, test : str or None
        Paths in the data folder.
    sample : str or None
        How to split the sample instead: "random" or "user".
    """

    name: str
    task: str
    presets: tuple[str, ...]
    peers: tuple[str, ...]
    train: str | None = None
    test: str | None = None
    sample: str | None = None


@dataclass(frozen=True)
class Split:
    """The same split in two forms: the tables as they are, for the command line, and as arrays of raw ids, for the peers."""

    tables: tuple[Path, Path]
    arrays: tuple[Path, Path]
    train: pl.DataFrame
    test: pl.DataFrame


def suites() -> dict[str, Suite]:
    """All of them by name."""
    tables: dict[str, dict[str, Any]] = tomllib.loads((HERE / "suites.toml").read_text())
    return {
        name: Suite(name, **{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
        for name, table in tables.items()
    }


def data_home() -> Path:
    """The folder that LIKEWISE_DATA names."""
    named = os.environ.get("LIKEWISE_DATA")
    if not named or not Path(named).is_dir():
        raise NoDataError(f"LIKEWISE_DATA must name the folder with the data sets; it is {named!r}")
    return Path(named).resolve()


def split_of(suite: Suite) -> Split:
    """The split's files, arrays made where they are missing."""
    from likewise.data.readers import read

    CACHE.mkdir(exist_ok=True)
    tables = _sample(suite) if suite.sample else (data_home() / str(suite.train), data_home() / str(suite.test))
    frames = [read(str(path)).frame() for path in tables]
    arrays = []
    for part, frame in zip(("train", "test"), frames, strict=True):
        path = CACHE / f"{suite.name}.{part}.npz"
        columns = {"users": "user_id", "items": "item_id", "ratings": "rating", "times": "timestamp"}
        np.savez(path, **{ours: frame[column].to_numpy() for ours, column in columns.items() if column in frame.columns})
        arrays.append(path)
    return Split(tables, (arrays[0], arrays[1]), frames[0], frames[1])


def _sample(suite: Suite) -> tuple[Path, Path]:
    """The sample split by seed 0 into two Parquet files; lists are judged on likes alone."""
    import likewise as lw

    parts = lw.split(lw.load_movielens(), by=suite.sample, test=0.1 if suite.task == "rating" else 0.2, seed=0)
    paths = CACHE / f"{suite.name}.train.parquet", CACHE / f"{suite.name}.test.parquet"
    for part, path in zip(parts, paths, strict=True):
        frame = part.frame()
        (frame.select("user_id", "item_id") if suite.task == "list" else frame).write_parquet(path)
    return paths
