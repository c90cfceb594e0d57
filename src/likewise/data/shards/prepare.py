"""The door: files too large for memory, made ready to learn from in a folder that is whole or not there."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from likewise.data.columns import check_range
from likewise.data.shards.arrays import digest_of
from likewise.data.shards.manifest import MANIFEST, write_manifest
from likewise.data.shards.plan import Plan, SplitBy, Watch, check_split
from likewise.data.shards.progress import Progress
from likewise.data.shards.scatter import Scattering
from likewise.data.shards.settle import Settling, Side, sides_of
from likewise.data.shards.shards import Shards, open_shards
from likewise.data.shards.source import Source
from likewise.data.side import Entity, side_table
from likewise.data.vocabulary import LARGEST
from likewise.errors import ArtifactError, InputError

log = logging.getLogger("likewise.data")

SHARD = 4_000_000
"""Events a shard, about."""
STRATUM = 8_000_000
"""Events a stratum, at most: what is held while it is learned from, and again while the next is read."""
MOST_SHARDS = 512
"""Files that are open at once."""
LEAST_SIDE, MOST_SIDE = 4, 1024
CELL_ROWS = 8192
"""Rows of users and items that a cell should touch: those of 64 factors fill a second-level cache twice."""
SPARE = 1.1
"""Room asked for, times what is written."""

Column = str | bool | None


def scan(
    source: str | Path,
    folder: str | Path,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: Column = None,
    timestamp: Column = None,
    weight: Column = None,
    range: tuple[float, float] | None = None,
    items: Any = None,
    users: Any = None,
    test: float = 0.0,
    by: SplitBy | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> Shards:
    """Encode Parquet files that do not fit memory into shards in a folder, in one pass over them.

    Ids become rows, every event is thrown into one of many shards at random, and each shard is shuffled: a global shuffle. Memory
    does not grow with the number of events, only with that of distinct ids. A folder that already holds these very files prepared
    in this very way is opened and nothing is done. A run that is stopped leaves nothing that looks whole.

    Parameters
    ----------
    source : path, glob or folder of Parquet files
        Other formats become Parquet by `polars.scan_csv(...).sink_parquet(...)`.
    folder : path
        A new folder for the shards; about as large as 12 bytes an event (20 with times), twice that while it is made.
    user, item, rating, timestamp, weight : str or False, optional
        Names of the columns, as for `read`.
    range : (low, high), optional
        The lowest and highest rating there can be.
    items, users : table, optional
        Metadata keyed by id, which must fit memory.
    test : float
        Share of the events to hold out, in `held_out`.
    by : "random" or "time", optional
        Any events, or the latest; by time where there are times.
    seed : int
    watch : callable, optional
        Told now and then how fast rows go by and how much memory was needed.

    Returns
    -------
    Shards
        For `fit`; an event that occurs twice counts twice.

    Raises
    ------
    InputError
        Files that differ in their columns, are damaged or change while they are read; values that `read` refuses, too.
    ArtifactError
        A folder that holds something else, or cannot be written: nothing is left there.
    """
    named = {"user_id": user, "item_id": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    found = Source.of(source, named)  # type: ignore[arg-type]
    if range is not None:
        check_range(pl.Series([], dtype=pl.Float32), range)
    by = check_split(test, by, "timestamp" in found.taken)
    given: tuple[tuple[Entity, Any], ...] = (("item", items), ("user", users))
    side = {word: side_table(table, word) for word, table in given if table is not None}
    asked = {"files": found.described, "columns": dict(found.taken), "range": range, "test": test, "by": by, "seed": seed}
    asked |= {"tables": {word: _digest(table) for word, table in side.items()}} if side else {}
    target = Path(folder).expanduser()
    there = _prepared_before(target, asked)
    if there is not None:
        return there
    plan = _plan(found, test, by, seed)
    _check_room(target, len(found) * plan.record.itemsize)
    with _whole_or_nothing(target) as place:
        _prepare(found, asked, plan, place, side, watch)
    return open_shards(target, verify=False)


def _prepare(
    source: Source, asked: dict[str, Any], plan: Plan, place: Path, tables: Mapping[Entity, pl.DataFrame], watch: Watch | None
) -> None:
    scattering = Scattering(plan, place, LARGEST)
    scattering.run(source, asked["range"], Progress("encoding", len(source), watch))
    users, items = sides_of(scattering)
    for made, word in ((users, "user"), (items, "item")):
        if len(made.ids) < 2:
            raise InputError(f"{source.name} holds {len(made.ids)} {word}s: a recommender needs at least 2; check the {word} column")
    settling = Settling(plan, place, users, items, Progress("writing shards", scattering.kept, watch))
    settling.run()
    for word, made in (("users", users), ("items", items)):
        _write_side(place / f"{word}.parquet", made)
    for word, table in tables.items():
        table.write_parquet(place / f"{word}_table.parquet")
    if scattering.dropped:
        log.warning("%s: %d of %d rows dropped: no user or no item", source.name, scattering.dropped, len(source))
    about = {
        "asked": asked,
        "columns": list(plan.columns),
        "side": plan.side,
        "users": len(users.ids),
        "items": len(items.ids),
        "ratings": settling.ratings(),
        "moment": settling.moment,
        "source": {"name": source.name, "rows": len(source), "dropped": scattering.dropped},
        "shards": settling.files,
        "tables": {path.name: digest_of(path) for path in sorted(place.glob("*.parquet"))},
    }
    write_manifest(place, about)


def _plan(source: Source, test: float, by: SplitBy, seed: int) -> Plan:
    names = {"rating": "rating", "weight": "weight", "timestamp": "time"}
    columns = ("user", "item", *(kept for ours, kept in names.items() if ours in source.taken))
    shards = int(np.clip(-(-len(source) // SHARD), 1, MOST_SHARDS))
    by_cells = np.sqrt(len(source)) / np.sqrt(CELL_ROWS)  # cells of a few thousand events touch a few thousand rows
    side = int(np.clip(max(-(-len(source) // STRATUM), min(by_cells, 32)), LEAST_SIDE, MOST_SIDE))
    return Plan(shards, side, columns, test, by, seed)


def _write_side(path: Path, made: Side) -> None:
    columns = {"id": made.ids.ids, "events": made.counts, "block": made.blocks}
    pl.DataFrame(columns).write_parquet(path, compression="zstd")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _prepared_before(target: Path, asked: dict[str, Any]) -> Shards | None:
    if not target.exists():
        return None
    if (target / MANIFEST).is_file():
        found = open_shards(target)
        if found.manifest["asked"] == _as_json(asked):
            log.info("%s holds these events already", target)
            return found
        raise ArtifactError(f"{target} holds other events, or these prepared in another way: remove it, or give another folder")
    if not target.is_dir() or any(target.iterdir()):
        raise ArtifactError(f"{target} holds something that is no prepared data: give a new folder")
    return None


def _digest(table: pl.DataFrame) -> str:
    return hashlib.sha256(table.rechunk().write_ipc(None).getbuffer()).hexdigest()


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    return [_as_json(inner) for inner in value] if isinstance(value, list | tuple) else value


def _check_room(target: Path, needed: int) -> None:
    there = next(place for place in target.absolute().parents if place.exists())
    free = shutil.disk_usage(there).free
    wanted = 2 * needed * SPARE
    if free < wanted:
        raise ArtifactError(f"{target} needs {wanted / 1e9:.1f} GB while it is made and {free / 1e9:.1f} GB are free: give another disk")


@contextmanager
def _whole_or_nothing(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its name at the end, or disappears."""
    place = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        place.mkdir(parents=True)
        yield place
        if target.exists():
            target.rmdir()
        place.rename(target)
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as problem:
        reason = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
        raise ArtifactError(f"could not prepare {target}: {reason}; nothing was left there") from problem
    finally:
        shutil.rmtree(place, ignore_errors=True)
