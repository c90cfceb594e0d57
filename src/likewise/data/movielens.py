"""MovieLens, by whatever name and format its files have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from likewise.data.dataset import Dataset
from likewise.data.readers import read
from likewise.errors import InputError

NAMES = {
    "100k": ("ml-100k",),
    "1m": ("ml-1m",),
    "10m": ("ml-10M100K", "ml-10m"),
    "20m": ("ml-20m",),
    "25m": ("ml-25m",),
    "32m": ("ml-32m",),
    "latest-small": ("ml-latest-small",),
    "latest": ("ml-latest",),
}
"""Folders in which each data set is published."""

RATINGS = ("u.data", "ratings.dat", "ratings.parquet", "ratings.csv")
ITEMS = ("u.item", "movies.dat", "movies.parquet", "movies.csv")
USERS = ("u.user", "users.dat", "users.csv")
TAGS = ("tags.dat", "tags.parquet", "tags.csv")

SITE = "https://grouplens.org/datasets/movielens/"


def load_movielens(which: str | Path | None = None, context: Sequence[str] = ()) -> Dataset:
    """MovieLens ratings with their movies, people and tags.

    Parameters
    ----------
    which : str or path, optional
        None: the sample (latest-small, 100,836 ratings), from the package `likewise-samples`. "100k", "1m", "10m", "20m", "25m", "32m",
        "latest-small": a published data set, in its folder under the one that the environment variable LIKEWISE_DATA names, or under
        the current one. Or the path of a folder that holds the files.
    context : sequence of str
        As in `read`; ("day",) is what the time-aware models use.

    Raises
    ------
    InputError
        The files are not there; the message says where to get them.

    Notes
    -----
    F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
    """
    folder = _sample() if which is None else _folder(which)
    ratings = _one_of(folder, RATINGS)
    if ratings is None:
        raise InputError(f"{folder} holds no MovieLens ratings ({', '.join(RATINGS)}): get the files from {SITE} and unpack them there")
    items, users, tags = (_one_of(folder, names) for names in (ITEMS, USERS, TAGS))
    return read(_in_time_order(ratings), context=context, items=items, users=users, tags=tags)


def _sample() -> Path:
    try:
        from likewise_samples import path
    except ImportError:
        raise InputError(
            "the sample is a package of its own: pip install likewise-samples; or name a folder of MovieLens files,"
            " load_movielens('ml-latest-small/')"
        ) from None
    return Path(path())


def _folder(which: str | Path) -> Path:
    named = Path(which).expanduser()
    if named.is_dir():
        return named
    if named.is_file():
        raise InputError(f"{which} is a file: load_movielens takes the folder it is in; likewise.read reads single files")
    folders = NAMES.get(str(which).lower().removeprefix("ml-"))
    if folders is None:
        raise InputError(f"there is no folder {str(which)!r}, and the names known are: {', '.join(NAMES)}")
    home = os.environ.get("LIKEWISE_DATA")
    places = [Path(root) / folder for root in ([home] if home else []) + ["."] for folder in folders]
    for place in places:
        if place.is_dir():
            return place
    where = " or ".join(str(place) for place in places)
    raise InputError(f"MovieLens {which} is not in {where}: get it from {SITE}, unpack it, and set LIKEWISE_DATA to the folder around it")


def _one_of(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _in_time_order(ratings: Path) -> Any:
    """The file, or its rows by each user's own order in time where it carries one (a column `time_rank`) beside incomplete times."""
    if ratings.suffix != ".parquet":
        return ratings
    table = pl.read_parquet(ratings)
    if "time_rank" not in table.columns:
        return ratings
    return table.sort("user_id", "time_rank", nulls_last=True, maintain_order=True).drop("time_rank")
