"""A data set as files, and back: vocabularies, events, side tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset
from likewise.data.encoders import Encoder
from likewise.data.interactions import Interactions
from likewise.data.report import Report
from likewise.data.vocabulary import Vocabulary
from likewise.shapes import NO_TIME

SIDE_TABLES = ("user_table", "item_table", "tag_table")
Writers = dict[str, Callable[[Path], None]]


def describe(data: Dataset) -> tuple[Writers, dict[str, Any]]:
    """Functions that write the files, by file name, and what the manifest says of the data."""
    frames = {
        "users.parquet": _vocabulary(data.users),
        "items.parquet": _vocabulary(data.items),
        "history.parquet": _events(data.interactions),
    }
    for name in SIDE_TABLES:
        table = getattr(data, name)
        if table is not None:
            frames[f"{name}.parquet"] = table
    for n, vocabulary in enumerate(data.contexts.values()):
        frames[f"context{n}.parquet"] = _vocabulary(vocabulary)
    writers = {name: _writer(frame) for name, frame in frames.items()}
    if data.encoders:
        writers["encoders.json"] = _encoders_writer(data.encoders)
    described = {
        "fingerprint": data.fingerprint,
        "events": len(data),
        "users": len(data.users),
        "items": len(data.items),
        "range": data.rating_range,
        "stated_range": data.stated_range,
        "contexts": list(data.contexts),
        "kinds": dict(data.kinds),
        "span": _span(data),
        "source": data.report.source,
        "dropped": dict(data.report.dropped),
    }
    return writers, described


def restore(paths: Mapping[str, Path], described: Mapping[str, Any]) -> Dataset:
    """The data set that `describe` wrote."""
    users, items = _read_vocabulary(paths["users.parquet"]), _read_vocabulary(paths["items.parquet"])
    events = pl.read_parquet(paths["history.parquet"])
    contexts = {name: _read_vocabulary(paths[f"context{n}.parquet"]) for n, name in enumerate(described["contexts"])}
    columns = {name: events[name].to_numpy() if name in events.columns else None for name in ("rating", "weight")}
    times = events["timestamp"].fill_null(NO_TIME).to_numpy() if "timestamp" in events.columns else None
    interactions = Interactions(
        np.ascontiguousarray(events["user"].to_numpy()),
        np.ascontiguousarray(events["item"].to_numpy()),
        len(users),
        len(items),
        columns["rating"],
        columns["weight"],
        times,
        {name: np.ascontiguousarray(events[f"context{n}"].to_numpy()) for n, name in enumerate(contexts)},
    )
    stated = described["stated_range"]
    tables: dict[str, Any] = {name: pl.read_parquet(paths[f"{name}.parquet"]) for name in SIDE_TABLES if f"{name}.parquet" in paths}
    return Dataset(
        interactions,
        users,
        items,
        **tables,
        contexts=contexts,
        stated_range=None if stated is None else (float(stated[0]), float(stated[1])),
        kinds=described["kinds"],
        encoders=_read_encoders(paths["encoders.json"]) if "encoders.json" in paths else {},
        report=Report(described["source"], described["events"], described["events"], dropped=described["dropped"]),
    )


def _events(events: Interactions) -> pl.DataFrame:
    columns: dict[str, Any] = {"user": events.users, "item": events.items}
    if events.ratings is not None:
        columns["rating"] = events.ratings
    if events.weights is not None:
        columns["weight"] = events.weights
    if events.times is not None:
        times = pl.Series(events.times)
        columns["timestamp"] = times.set(times == NO_TIME, None)
    return pl.DataFrame({**columns, **{f"context{n}": rows for n, rows in enumerate(events.context.values())}})


def _vocabulary(vocabulary: Vocabulary) -> pl.DataFrame:
    return vocabulary.ids.rename("id").to_frame()


def _read_vocabulary(path: Path) -> Vocabulary:
    return Vocabulary(pl.read_parquet(path)["id"])


def _encoders_writer(encoders: Mapping[str, tuple[Encoder, ...]]) -> Callable[[Path], None]:
    text = json.dumps({side: [encoder.described for encoder in made] for side, made in encoders.items()}, ensure_ascii=False)

    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


def _read_encoders(path: Path) -> dict[str, tuple[Encoder, ...]]:
    read = json.loads(path.read_text(encoding="utf-8"))
    return {side: tuple(Encoder.from_described(one) for one in made) for side, made in read.items()}


def _writer(frame: pl.DataFrame) -> Callable[[Path], None]:
    return lambda path: frame.write_parquet(path, compression="zstd")


def _span(data: Dataset) -> list[int] | None:
    times = data.interactions.times
    known = None if times is None else times[times != NO_TIME]
    return None if known is None or not len(known) else [int(known.min()), int(known.max())]
