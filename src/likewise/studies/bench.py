"""The measuring contract: fit a preset, predict, rank, and report one flat record of figures.

`likewise bench` runs this in a fresh process; every bar and benchmark reads its JSON. A prediction depends on the training table and
on its own row of the test table alone. Times: `fit_seconds` leaves out compilation, `wall_seconds` is the age of the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import check_lists_path
from likewise.data.columns import Named
from likewise.data.dataset import Dataset
from likewise.data.duplicates import Duplicates
from likewise.data.features import align
from likewise.data.interactions import Histories
from likewise.data.readers import read, read_pairs
from likewise.data.shards.manifest import MANIFEST
from likewise.data.shards.progress import peak_megabytes
from likewise.data.shards.shards import open_shards
from likewise.data.tables import write_table
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.evaluation.evaluate import Asked, evaluate, rates
from likewise.evaluation.held import held_out
from likewise.evaluation.on_disk import evaluate_on_disk
from likewise.evaluation.protocol import protocol as named_protocol
from likewise.evaluation.rating import mae, rmse
from likewise.evaluation.result import Evaluation
from likewise.models.base import FittedModel
from likewise.recommender import Recommender
from likewise.studies.fit import fit
from likewise.studies.presets import load_preset

PROTOCOLS = ("full", "loo99", "cold-items")
LIST_LENGTH = 100
"""Items in each list that is written."""


@dataclass(frozen=True)
class Files:
    """What the command line names: tables, their columns where those are not recognised, and what is known of the ratings."""

    train: str
    test: str
    items: str | None = None
    users: str | None = None
    tags: str | None = None
    context: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    duplicates: Duplicates = "last"
    columns: Named = field(default_factory=dict)
    delimiter: str | None = None


def bench(
    files: Files,
    preset: str,
    *,
    protocol: str = "full",
    rank: bool = False,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    predictions: Path | None = None,
    lists: Path | None = None,
    watch: Any = None,
) -> dict[str, Any]:
    """Fit a preset on one table, measure it on another; the record that `likewise bench --json` prints.

    `predictions` and `lists` are files to write: a prediction for each row of the test, the first items of each of its users.

    Raises InputError for anything wrong with the tables, the preset, or the protocol.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}; got {protocol!r}")
    if lists is not None:
        check_lists_path(lists)
    train = read_train(files)
    rows = read_pairs(files.test, files.context, delimiter=files.delimiter, named=files.columns)
    rec = fit(train, preset, seed=seed, changes=changes, watch=watch)
    record: dict[str, Any] = {"preset": preset, "seed": seed, "n_train": len(train), "n_test": rows.height}
    record |= {"fit_seconds": rec.notes["fit_seconds"], "compile_seconds": rec.notes["compile_seconds"]}
    record |= measure_ratings(rec, rows, predictions, rates(rec.fitted) or load_preset(preset).task != "list")
    if rank or protocol != "full":
        record |= measure_lists(rec, Dataset.of(rows, files.context), protocol)
    if lists is not None:
        rec.recommend(rows["user_id"].unique().sort(), LIST_LENGTH, to=lists)
    return record | {"wall_seconds": process_age(), "peak_mb": peak_megabytes()}


def measure_ratings(rec: Recommender, rows: pl.DataFrame, predictions: Path | None = None, rated: bool = True) -> dict[str, Any]:
    """Errors of the predicted ratings, clipped to the range of the training ratings, and of their distribution.

    Where the scores are no ratings (not `rated`), only how long they took and how many ids were unknown.
    """
    start = perf_counter()
    scored = rec.answers.predictions(rows, "mean")
    limits = rec.data.rating_range
    predicted = (
        scored["score"].to_numpy() if limits is None else np.clip(scored["score"].to_numpy(), np.float32(limits[0]), np.float32(limits[1]))
    )
    seconds = perf_counter() - start
    if predictions is not None:
        out = rows.select("user_id", "item_id").with_columns(pl.Series("prediction", predicted), scored["source"])
        write_table(out, predictions)
    record: dict[str, Any] = {"predict_seconds": seconds, "n_cold": int((scored["source"] != "known").sum())}
    if not rated or "rating" not in rows.columns or rows["rating"].null_count() == rows.height or not rec.data.explicit:
        return record
    actual = rows["rating"].cast(pl.Float32).to_numpy()
    record |= {"rmse": rmse(predicted, actual), "mae": mae(predicted, actual)}
    test = Dataset.of(rows, tuple(rec.data.contexts))
    found = evaluate(rec.fitted, rec.data, test, asked=Asked(ratings=True, lists=False, distribution=True, segments=False))
    return record | {name: figure.value for name, figure in found.figures.items() if name not in ("rmse", "mae")}


def measure_lists(rec: Recommender, test: Dataset, protocol: str = "full") -> dict[str, Any]:
    """List figures of every k under the protocol, each with the protocol's own name where it is sampled."""
    start = perf_counter()
    model, train = rec.fitted, rec.data
    held = None
    if protocol == "cold-items":
        model, items = with_new_items(rec, test)
        held = held_out(train, test, items)
    asked = Asked(ratings=False, lists=True, distribution=False, segments=False)
    found = evaluate(model, train, test, named_protocol(protocol), asked=asked, held=held)
    return {
        "recommend_seconds": perf_counter() - start,
        "protocol": protocol,
        **{name: figure.value for name, figure in found.figures.items()},
    }


def with_new_items(rec: Recommender, test: Dataset) -> tuple[FittedModel[Any], Vocabulary]:
    """The model with the test's unknown items answered from their features alone, and the items it then knows."""
    table = rec.data.item_table
    if table is None:
        raise InputError("protocol 'cold-items' needs a table of the items: give --items FILE")
    grown = rec.data.items.extend(test.items.ids)
    new = Vocabulary(grown.ids[len(rec.data.items) :])
    if not len(new):
        raise InputError("protocol 'cold-items' needs test items that are not in train, and every one is")
    encoders, features = rec.data.item_features, None
    if encoders is not None:
        features = encoders.encode(align(table, "item_id", new)).design()
    rows = np.arange(len(rec.data.items), len(grown), dtype=np.int32)
    nothing = Histories(np.zeros(len(rows) + 1, np.int64), np.empty(0, np.int32))
    return rec.fitted.with_items(rows, nothing, features), grown


def read_train(files: Files) -> Dataset:
    """The training table with its side tables."""
    columns = {ours.removesuffix("_id"): theirs for ours, theirs in files.columns.items()}
    return read(
        files.train,
        **columns,  # type: ignore[arg-type]
        items=files.items,
        users=files.users,
        tags=files.tags,
        context=files.context,
        range=files.range,
        duplicates=files.duplicates,
        delimiter=files.delimiter,
    )


def evaluate_saved(rec: Recommender, test: str, protocol: str = "full", lists: bool = True, columns: Named | None = None) -> Evaluation:
    """A saved recommender on a test table, with intervals and cautions; `columns` are those not recognised."""
    asked, name = Asked(lists=lists), rec.notes.get("preset", rec.model.name)
    if (Path(test) / MANIFEST).is_file():
        held = open_shards(test).held_out
        if held is None:
            raise InputError(f"{test} was prepared without a test part: prepare it with --test 0.1, say")
        return evaluate_on_disk(rec.fitted, rec.data, held, named_protocol(protocol), name=name, asked=asked)
    rows = read_pairs(test, tuple(rec.data.contexts), named=columns)
    return evaluate(
        rec.fitted,
        rec.data,
        Dataset.of(rows, tuple(rec.data.contexts)),
        named_protocol(protocol),
        name=name,
        asked=asked,
    )


def process_age() -> float:
    """Seconds since this process was started; since boot it counts in clock ticks, where the system says."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return float(Path("/proc/uptime").read_text().split()[0]) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return perf_counter()
