"""From ids to rows, through the model, and back to frames: what the recommender's verbs do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.features import align
from likewise.errors import InputError, UnknownIdError
from likewise.models.base import FittedModel
from likewise.ranking.filters import Filters, rank_filtered
from likewise.ranking.similar import similar as nearest
from likewise.ranking.topk import TopK
from likewise.shapes import Rows

if TYPE_CHECKING:
    from likewise.recommender import Recommender

Cold = Literal["popular", "mean", "raise"]
USERS_AT_ONCE = 8192
"""Users whose lists are made before they are written out."""


@dataclass(frozen=True)
class ListRequest:
    """What a list should be; see `Recommender.recommend`."""

    k: int = 10
    filters: Filters = field(default_factory=Filters)
    filter_seen: bool = True
    cold: Cold = "popular"
    rerank: Any = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"k must be at least 1; got {self.k}")
        if self.cold not in ("popular", "mean", "raise"):
            raise InputError(f"cold must be 'popular', 'mean' or 'raise'; got {self.cold!r}")


def predictions(rec: Recommender, pairs: pl.DataFrame, cold: Cold) -> pl.DataFrame:
    """Columns `score` (the response) and `source` for each pair."""
    from likewise.data.columns import pairs_frame

    named = pairs_frame(pairs, tuple(rec.data.contexts))
    encoded = rec.data.encode(_titles_to_ids(rec, named))
    known = encoded.known
    if cold == "raise" and not known.all():
        first = named.row(int(np.flatnonzero(~known)[0]), named=True)
        raise UnknownIdError(
            f"{int((~known).sum())} of {len(known)} pairs have an unknown id, the first {first['user_id']!r}, {first['item_id']!r}"
        )
    score = np.empty(len(encoded), np.float32)
    for start in range(0, len(encoded), 1 << 17):
        part = slice(start, start + (1 << 17))
        people = rec.fitted.people(encoded.users[part])
        context = {name: rows[part] for name, rows in encoded.context.items()}
        score[part] = rec.fitted.score_pairs(people, encoded.items[part], context or None)
    source = pl.Series("source", np.where(known, "known", "cold"))
    return pl.DataFrame([pl.Series("score", rec.fitted.link.respond(score)), source])


def lists(rec: Recommender, values: Any, ask: ListRequest) -> pl.DataFrame:
    """Lists of these users in one frame: user_id item_id [title] score rank source."""
    rows = rec.data.users.rows(values)
    unknown = np.flatnonzero(rows < 0)
    if ask.cold == "raise" and len(unknown):
        raise UnknownIdError(
            f"{len(unknown)} of {len(rows)} users are unknown, the first {values[int(unknown[0])]!r}; give cold='popular' or 'mean'"
        )
    frames = []
    for mask, source in ((rows >= 0, "known"), (rows < 0, "cold")):
        if not mask.any():
            continue
        popular = source == "cold" and ask.cold == "popular"
        model, who = rec.popular if popular else rec.fitted, rows[mask]
        seen = seen_items(rec.data, who) if ask.filter_seen else None
        ranked = rank_filtered(model, model.people(who), ask.k, seen, ask.filters, rerank=ask.rerank)
        if popular:
            ranked = _scored_by(rec.fitted, ranked)
        frames.append(list_frame(rec, np.flatnonzero(mask), ranked, source))
    if not frames:
        frames = [list_frame(rec, np.empty(0, np.int64), _no_lists(), "known")]
    frame = pl.concat(frames).sort("position", "rank", maintain_order=True)
    ids = pl.Series("user_id", values if isinstance(values, pl.Series) else list(values), strict=False)
    users = ids.gather(frame["position"]) if len(ids) else pl.Series("user_id", [], dtype=rec.data.users.ids.dtype)
    return frame.drop("position").insert_column(0, users.alias("user_id"))


def write_lists(rec: Recommender, values: Any, ask: ListRequest, path: Path) -> Path:
    """Lists of many users to a Parquet file, a block at a time; written beside it and renamed when whole."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.tmp")
    ids = values if isinstance(values, pl.Series) else pl.Series(list(values))
    writer = None
    try:
        for start in range(0, max(len(ids), 1), USERS_AT_ONCE):
            block = lists(rec, ids[start : start + USERS_AT_ONCE], ask).to_arrow()
            writer = writer or pq.ParquetWriter(temporary, block.schema, compression="zstd")
            writer.write_table(block)
        if writer is not None:
            writer.close()
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"could not write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def list_frame(rec: Recommender, positions: Any, ranked: TopK, source: str) -> pl.DataFrame:
    """Ranked rows as a frame with item ids and titles; `position` says whose list it is."""
    place, rank = np.nonzero(ranked.items >= 0)
    items = ranked.items[place, rank]
    columns: dict[str, Any] = {"position": np.asarray(positions, np.int64)[place], "item_id": rec.data.items.take(items)}
    names = rec.titles.names(items)
    if names is not None:
        columns["title"] = names
    score = rec.fitted.link.respond(ranked.scores[place, rank])
    return pl.DataFrame(
        {**columns, "score": score, "rank": (rank + 1).astype(np.int32), "source": pl.Series([source] * len(items), dtype=pl.String)}
    )


def similar(rec: Recommender, side: Literal["item", "user"], what: Any, k: int) -> pl.DataFrame:
    """The nearest rows of one side by cosine of their factors."""
    factors = rec.fitted.factors(side)
    if factors is None:
        raise InputError(
            f"{type(rec.model).__name__} has no {side} factors, so nothing is similar by them; use a model of vectors such as Dot"
        )
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    row = rec.titles.row(what) if side == "item" else rec.data.users.row(what)
    found = nearest(factors, np.array([row], np.int32), k)
    rows = found.items[0][found.items[0] >= 0]
    columns: dict[str, Any] = {f"{side}_id": (rec.data.items if side == "item" else rec.data.users).take(rows)}
    names = rec.titles.names(rows) if side == "item" else None
    if names is not None:
        columns["title"] = names
    return pl.DataFrame({**columns, "similarity": found.scores[0][: len(rows)], "rank": np.arange(1, len(rows) + 1, dtype=np.int32)})


def filled_corner(rec: Recommender, n: int) -> pl.DataFrame:
    """The densest corner of the training table as the model predicts it, every cell filled."""
    known = rec.data.corner(n)
    users = rec.data.users.rows(known["user_id"])
    counts = np.bincount(rec.data.interactions.items, minlength=len(rec.data.items))
    items = np.argsort(-counts, kind="stable")[: known.width - 1].astype(np.int32)
    scores = rec.fitted.link.respond(rec.fitted.score(rec.fitted.people(users), items))
    return pl.DataFrame({"user_id": known["user_id"], **{name: scores[:, n] for n, name in enumerate(known.columns[1:])}})


def seen_items(data: Dataset, users: Rows) -> CSR:
    """What each of the users has had, [batch, item]; row -1 has had nothing."""
    return data.interactions.by_user.take(users).csr(len(data.items))


def aligned_items(data: Dataset) -> pl.DataFrame:
    """The item table, one row an item row; only the id where nothing else is known."""
    if data.item_table is None:
        return data.items.ids.rename("item_id").to_frame()
    return align(data.item_table, "item_id", data.items).insert_column(0, data.items.ids.rename("item_id"))


def _titles_to_ids(rec: Recommender, pairs: pl.DataFrame) -> pl.DataFrame:
    """Items given by title become ids; unknown ones stay and get row -1."""
    if rec.data.titles is None or pairs["item_id"].dtype != pl.String:
        return pairs
    rows = rec.titles.rows(pairs["item_id"])
    ids = rec.data.items.take(rows)
    return pairs.with_columns(ids.alias("item_id") if ids.dtype != pl.String else pl.coalesce(ids.alias("item_id"), pl.col("item_id")))


def _scored_by(model: FittedModel[Any], ranked: TopK) -> TopK:
    """Lists in the order they have, with the scores that the model gives somebody it knows nothing of."""
    real = ranked.items >= 0
    scores = np.full(ranked.items.shape, -np.inf, np.float32)
    items = ranked.items[real]
    scores[real] = model.score_pairs(model.people(np.full(len(items), -1, np.int32)), items)
    return TopK(ranked.items, scores, ranked.counts)


def _no_lists() -> TopK:
    return TopK(np.empty((0, 1), np.int32), np.empty((0, 1), np.float32), np.empty(0, np.int64))
