"""Encoded events in shards on disk: read a stratum, a shard or a sample at a time, never all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.report import Report, html_table
from likewise.data.shards.ahead import ahead
from likewise.data.shards.arrays import ArrayFile, digest_of
from likewise.data.shards.manifest import fingerprint, read_manifest
from likewise.data.vocabulary import Vocabulary
from likewise.errors import ArtifactError, InputError
from likewise.parallel import in_threads
from likewise.shapes import Floats, Mask, Offsets, Rows, Times

KEPT = 2_000_000
"""Events, drawn at random, that stand for all where they are more."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Some encoded events; ratings, weights and times are None where the source had none."""

    users: Rows
    items: Rows
    ratings: Floats | None = None
    weights: Floats | None = None
    times: Times | None = None

    def __len__(self) -> int:
        return len(self.users)

    def at(self, events: Mask | NDArray[np.int64]) -> Columns:
        """Some of them."""
        columns = (self.users, self.items, self.ratings, self.weights, self.times)
        return Columns(*(None if column is None else column[events] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Shards:
    """Events prepared by `likewise.scan`: the training part, or the part held out.

    Parameters
    ----------
    folder : Path
    manifest : mapping
    users, items : Vocabulary
        All ids of both parts.
    counts : (int64 [user], int64 [item])
        Training events of each row.
    blocks : (int32 [user], int32 [item])
        Which block each row was dealt to.
    files : tuple of ArrayFile
    part : "train" or "test"
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    users: Vocabulary
    items: Vocabulary
    counts: tuple[Offsets, Offsets] = field(repr=False)
    blocks: tuple[Rows, Rows] = field(repr=False)
    files: tuple[ArrayFile, ...] = field(repr=False)
    part: str = "train"

    def __len__(self) -> int:
        return sum(int(entry[self.part]["rows"]) for entry in self.manifest["shards"])

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def side(self) -> int:
        """Blocks of users, and of items; a stratum is one of so many parts of the events."""
        return int(self.manifest["side"])

    @property
    def explicit(self) -> bool:
        """Whether the events carry ratings."""
        return self.manifest["ratings"] is not None

    @property
    def has_times(self) -> bool:
        return "time" in self.manifest["columns"]

    @property
    def stated_range(self) -> tuple[float, float] | None:
        stated = self.manifest["asked"]["range"]
        return None if stated is None else (float(stated[0]), float(stated[1]))

    @property
    def rating_range(self) -> tuple[float, float] | None:
        """The stated range, else the least and the greatest training rating; None without ratings."""
        found = self.manifest["ratings"]
        return self.stated_range or (None if found is None else (float(found["low"]), float(found["high"])))

    @property
    def weight(self) -> float:
        """Sum of the events' weights."""
        return float(sum(entry[self.part]["weight"] for entry in self.manifest["shards"]))

    @property
    def mean(self) -> float:
        """Of the training ratings; 1 where there are none."""
        return float(self.manifest["ratings"]["mean"]) if self.explicit else 1.0

    @cached_property
    def fingerprint(self) -> str:
        """A digest of every file; the same source prepared in the same way gives the same anywhere."""
        parts = {name: self.manifest[name] for name in ("shards", "tables", "side", "columns")}
        return fingerprint({**parts, "part": self.part})

    @cached_property
    def held_out(self) -> Shards | None:
        """The events held out; None where none were."""
        return self._part("test") if self.manifest["asked"]["test"] else None

    @cached_property
    def train(self) -> Shards:
        """The events to learn from."""
        return self if self.part == "train" else self._part("train")

    # ---- reading -------------------------------------------------------------------------------------------------------------

    def stratum(self, stratum: int, order: NDArray[np.int64]) -> tuple[Offsets, Columns]:
        """The events of a stratum, block by block, and where each block begins (int64 [side + 1]); shards within a block in `order`."""
        cells = slice(stratum * self.side, (stratum + 1) * self.side + 1)
        edges = np.array([self._starts[shard][cells] for shard in order])  # [shard, block + 1]
        lengths = np.diff(edges, axis=1)
        places = np.concatenate([[0], np.cumsum(lengths.T.ravel())])[:-1].reshape(self.side, -1)  # [block, shard]
        starts = np.concatenate([places[:, 0], [lengths.sum()]])
        found = {}
        for name in self.manifest["columns"]:
            if name == "time":  # nobody learns from it here
                continue
            column = np.empty(lengths.sum(), self.files[0].entries[name][0])
            for n, shard in enumerate(order):
                read = self.files[shard].read(name, int(edges[n, 0]), int(edges[n, -1]))
                for block, (place, length) in enumerate(zip(places[:, n], lengths[n], strict=True)):
                    start = edges[n, block] - edges[n, 0]
                    column[place : place + length] = read[start : start + length]
            found[name] = column
        return starts, _columns(found)

    def each(self, order: NDArray[np.int64] | None = None) -> Iterator[Columns]:
        """Shard after shard, the next being read meanwhile."""
        return ahead(self.shard(int(n)) for n in (range(len(self.files)) if order is None else order))

    def shard(self, number: int) -> Columns:
        """All events of one shard, in its order on disk."""
        return _columns({name: self.files[number].read(name) for name in self.manifest["columns"]})

    @cached_property
    def kept(self) -> Dataset:
        """Events that stand for all, and that a fitted model takes along as its history.

        All of them where they are no more than `KEPT`; else so many drawn at random, and one more for each user and item that would
        not occur.
        """
        return self.dataset(list(self._covering(KEPT)), len(self) > KEPT)

    def sample(self, most: int) -> Dataset:
        """Events drawn at random over all ids: all of them where they are no more than `most`."""
        parts, left = [], min(most, len(self))
        for number, chosen in self._some(left):
            parts.append(self.shard(number).at(chosen))
        return self.dataset(parts, len(self) > most)

    def _some(self, most: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Shards, which are random samples themselves, and events of them, until there are `most`."""
        rng = np.random.default_rng(0)
        for number, entry in enumerate(self.manifest["shards"]):
            rows = int(entry[self.part]["rows"])
            if most <= 0:
                return
            yield number, np.arange(rows) if rows <= most else np.sort(rng.permutation(rows)[:most])
            most -= rows

    def _covering(self, most: int) -> Iterator[Columns]:
        chosen = dict(self._some(most))
        missing = [counts > 0 for counts in self.counts] if self.part == "train" else []
        for number, columns in enumerate(self.each()):
            keep = np.zeros(len(columns), np.bool_)
            keep[chosen.get(number, [])] = True
            for rows, lacking in zip((columns.users, columns.items), missing, strict=False):
                lacking[rows[keep]] = False
                first = np.full(len(lacking), -1, np.int64)
                first[rows[::-1]] = np.arange(len(rows))[::-1]  # the last one written stays: the first of each row
                keep[first[lacking & (first >= 0)]] = True
                lacking[first >= 0] = False
            yield columns.at(keep)
            if number >= max(chosen, default=0) and not any(lacking.any() for lacking in missing):
                return

    def resident(self) -> Dataset:
        """All events in memory."""
        return self.dataset([self.shard(number) for number in range(len(self.files))], False)

    def people(self, most: int, seed: int = 0) -> tuple[Interactions, Interactions]:
        """Training and held-out events of users drawn from those who have some held out: all of them where they are no more than `most`."""
        held = self if self.part == "test" else self.held_out
        if held is None:
            raise InputError("nothing was held out when the data were prepared: scan them with test=0.1, say")
        there = np.zeros(self.n_users, np.bool_)
        for columns in held.each():
            there[columns.users] = True
        users = np.flatnonzero(there)
        if len(users) > most:
            there[:] = False
            there[np.random.default_rng(seed).choice(users, most, replace=False)] = True
        parts = [[columns.at(there[columns.users]) for columns in part.each()] for part in (self.train, held)]
        return self._interactions(parts[0]), self._interactions(parts[1])

    def dataset(self, parts: list[Columns], sampled: bool) -> Dataset:
        """Some events as a data set over all ids, with the tables."""
        tables: dict[str, Any] = {}
        for word in ("item", "user"):
            path = self.folder / f"{word}_table.parquet"
            if path.is_file():
                tables[f"{word}_table"] = pl.read_parquet(path)
        events = self._interactions(parts)
        source = self.manifest["source"]
        report = Report(source["name"], source["rows"], len(self), self.manifest["asked"]["columns"])
        if sampled:
            report = report.with_notes(f"{len(events):,} events stand for all {len(self):,}")
        return Dataset(events, self.users, self.items, stated_range=self.rating_range, report=report, **tables)

    def _interactions(self, parts: list[Columns]) -> Interactions:
        def join(name: str) -> Any:
            columns = [getattr(part, name) for part in parts]
            return np.concatenate(columns) if columns and columns[0] is not None else None

        parts = parts or [_columns({name: file.read(name, 0, 0) for file in self.files[:1] for name in self.manifest["columns"]})]
        users, items = join("users"), join("items")
        return Interactions(users, items, self.n_users, self.n_items, join("ratings"), join("weights"), join("times"))

    # ---- inside --------------------------------------------------------------------------------------------------------------

    @cached_property
    def _starts(self) -> list[Offsets]:
        return [file.read("starts") for file in self.files]

    def _part(self, part: str) -> Shards:
        files = tuple(ArrayFile.open(self.folder / entry[part]["file"]) for entry in self.manifest["shards"])
        return replace(self, files=files, part=part)

    def summary(self) -> list[tuple[str, str]]:
        """What it holds, as pairs of a label and a text."""
        lines = [("events", f"{len(self):,} to learn from" if self.part == "train" else f"{len(self):,} held out")]
        if self.part == "train" and self.held_out is not None:
            lines.append(("held out", f"{len(self.held_out):,}, by {self.manifest['asked']['by']}"))
        lines += [("users", f"{self.n_users:,}"), ("items", f"{self.n_items:,}")]
        if self.rating_range is not None:
            lines.append(("ratings", f"{self.rating_range[0]:g} to {self.rating_range[1]:g}"))
        return [*lines, ("shards", f"{len(self.files):,} in {self.folder}")]

    def __repr__(self) -> str:
        return "Shards\n" + "\n".join(f"  {label:<10} {text}" for label, text in self.summary())

    def _repr_html_(self) -> str:
        return html_table(self.summary())


def open_shards(folder: str | Path, *, verify: bool = True) -> Shards:
    """Open what `scan` prepared.

    Parameters
    ----------
    verify : bool
        Compare every file with its checksum: about a second a gigabyte and core. Later changes are noticed either way.

    Raises
    ------
    ArtifactError
        No prepared data, or files that are missing, cut short or edited.
    """
    folder = Path(folder).expanduser()
    manifest = read_manifest(folder)
    names = {entry["file"]: entry["sha256"] for shard in manifest["shards"] for entry in shard.values()} | dict(manifest["tables"])
    if verify:
        _verify(folder, names)
    try:
        sides = [pl.read_parquet(folder / f"{word}.parquet") for word in ("users", "items")]
    except (OSError, pl.exceptions.PolarsError):
        raise ArtifactError(f"{folder} is damaged: its lists of ids cannot be read; prepare the data again") from None
    files = tuple(ArrayFile.open(folder / shard["train"]["file"]) for shard in manifest["shards"])
    users, items = (Vocabulary(side["id"]) for side in sides)
    counts, blocks = ((sides[0][name].to_numpy(), sides[1][name].to_numpy()) for name in ("events", "block"))
    return Shards(folder, manifest, users, items, counts, blocks, files)


def _verify(folder: Path, names: Mapping[str, str]) -> None:
    listed = list(names.items())

    def look(number: int) -> None:
        name, wanted = listed[number]
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing: prepare the data again")
        if digest_of(path) != wanted:
            raise ArtifactError(f"{path} is damaged: its checksum differs, so it was edited or corrupted; prepare the data again")

    in_threads(look, len(listed))


def _columns(found: Mapping[str, NDArray[Any]]) -> Columns:
    return Columns(found["user"], found["item"], found.get("rating"), found.get("weight"), found.get("time"))
