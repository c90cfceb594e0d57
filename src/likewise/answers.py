"""From ids to rows, through the model, and back to frames: everything a fitted model answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from likewise.border import Titles
from likewise.data.columns import pairs_frame
from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.features import align
from likewise.data.frames import to_polars
from likewise.data.interactions import Histories
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError, UnknownIdError
from likewise.models.base import FittedModel
from likewise.models.popularity import Popularity
from likewise.ranking.catalogue import Catalogue
from likewise.ranking.doubt import RankBy, check_rank_by, rank_by_lower, rank_by_sample
from likewise.ranking.filters import Filters, compile_filters, hidden, rank_filtered
from likewise.ranking.rerank import Rerank, Signals
from likewise.ranking.shown import Moment, Shown, seconds_of
from likewise.ranking.similar import similar as nearest
from likewise.ranking.topk import TopK
from likewise.shapes import Rows

if TYPE_CHECKING:
    from likewise.ranking.ann import ItemIndex

Cold = Literal["popular", "mean", "raise"]
PAIRS_AT_ONCE = 2048
"""Pairs scored at once; a person of many draws is thousands of columns wide."""
USERS_AT_ONCE = 8192
"""Users whose lists are made before they are written out."""


@dataclass(frozen=True)
class ListRequest:
    """What a list should be; see `Recommender.recommend`."""

    k: int = 10
    filters: Filters = field(default_factory=Filters)
    filter_seen: bool = True
    cold: Cold = "popular"
    rerank: Rerank | None = None
    shown: Shown | None = None
    rank_by: RankBy = "mean"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"k must be at least 1; got {self.k}")
        if self.cold not in ("popular", "mean", "raise"):
            raise InputError(f"cold must be 'popular', 'mean' or 'raise'; got {self.cold!r}")
        check_rank_by(self.rank_by, self.filters, self.rerank)


@dataclass(frozen=True, eq=False)
class Answers:
    """A fitted model and the data it learned from, asked by raw id.

    Parameters
    ----------
    fitted : FittedModel
    data : Dataset
        Its vocabularies are the model's rows; its interactions are the histories.
    index : ItemIndex or None
        Names candidates where a list is the model's alone; what it misses is its `recall`.
    """

    fitted: FittedModel[Any]
    data: Dataset
    index: ItemIndex | None = None

    @cached_property
    def titles(self) -> Titles:
        """Items by id or title."""
        return Titles(self.data.items, self.data.titles)

    @cached_property
    def item_table(self) -> pl.DataFrame:
        """What is known of each item, one row an item row; only the id where nothing else is known."""
        ids = self.data.items.ids.rename("item_id")
        table = self.data.item_table
        return ids.to_frame() if table is None else align(table, "item_id", self.data.items).insert_column(0, ids)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The item table made ready for conditions; remembers what it was asked."""
        return Catalogue(self.item_table)

    @cached_property
    def signals(self) -> Signals:
        """What re-ranking knows of the items: factors (genres where there are none), popularity, age, genres."""
        kinds = self.catalogue.members("genres").by_item if "genres" in self.item_table.columns else None
        vectors = self.fitted.factors("item")
        if vectors is None and kinds is not None:
            vectors = kinds.toarray()
        return Signals.of(self.data.interactions, vectors, kinds)

    def ranked(self, people: Any, k: int, exclude: CSR | None, ask: ListRequest, histories: Histories, popular: bool = False) -> TopK:
        """Lists of people as the request wants them, from the model or (`popular`) from popularity."""
        rerank = ask.rerank
        if not popular and ask.rank_by == "lower":
            return rank_by_lower(self.fitted, people, k, exclude, ask.filters)
        if not popular and ask.rank_by == "sample":
            return rank_by_sample(self.fitted, people, k, exclude, ask.filters, np.random.default_rng(ask.seed))
        if self.index is not None and not popular and (rerank is None or rerank.plain) and ask.filters.caps is None:
            return self.index.top_k(people, k, exclude, ask.filters.allowed)
        if rerank is None or rerank.plain:
            return rank_filtered(self.popular if popular else self.fitted, people, k, exclude, ask.filters)
        if popular:  # counts have no posterior to explore
            rerank = replace(rerank, exploration=0.0)
        return rank_filtered(self.popular if popular else self.fitted, people, k, exclude, ask.filters, rerank, self.signals, histories)

    def name(self, item: int) -> str:
        """The title of an item row, its id where it has none; "unknown" for row -1."""
        if item < 0:
            return "unknown"
        titles = self.titles.titles
        title = None if titles is None else titles[int(item)]
        return str(self.data.items.id(int(item)) if title is None else title)

    @cached_property
    def popular(self) -> FittedModel[Any]:
        """The popularity ranking that an unknown user gets."""
        return Popularity().solve(self.data)

    def filters(
        self,
        where: str | None = None,
        allow: Any = None,
        deny: Any = None,
        caps: Mapping[str, int] | None = None,
        at: Moment | None = None,
    ) -> Filters:
        """Filters checked and compiled for this catalogue; allow and deny are ids or titles, `at` is when the list is shown (None: now)."""
        allowed, denied = (None if ids is None else self.titles.rows(ids) for ids in (allow, deny))
        return compile_filters(self.catalogue, where=where, caps=caps, allow=allowed, deny=denied, at=seconds_of(at))

    def shown(self, table: Any, at: Moment | None = None, days: float | None = None) -> Shown | None:
        """What people were shown, from a table of user and item (id or title), in the days before `at`; None for no table."""
        if table is None:
            if days is not None:
                raise InputError(f"shown_days={days:g} goes with shown=..., the table of what was shown")
            return None
        return Shown.of(self.titles_to_ids(pairs_frame(to_polars(table))), self.data.items, seconds_of(at), days)

    def predictions(self, pairs: pl.DataFrame, cold: Cold) -> pl.DataFrame:
        """Columns `score` (the response) and `source` for each pair."""
        if cold not in ("mean", "raise"):
            raise InputError(f"cold must be 'mean' or 'raise' for predictions; got {cold!r}")
        named = pairs_frame(pairs, tuple(self.data.contexts))
        named = self.titles_to_ids(named)
        encoded = self.data.encode(named)
        fitted, users = self._with_strangers(self.fitted, "user", named["user_id"], encoded.users)
        fitted, items = self._with_strangers(fitted, "item", named["item_id"], encoded.items)
        answered = (users >= 0) & (items >= 0)
        if cold == "raise" and not answered.all():
            first = named.row(int(np.flatnonzero(~answered)[0]), named=True)
            pair = f"{first['user_id']!r}, {first['item_id']!r}"
            raise UnknownIdError(f"{int((~answered).sum())} of {len(answered)} pairs have an unknown id, the first {pair}")
        score = np.empty(len(encoded), np.float32)
        for start in range(0, len(encoded), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            context = {name: rows[part] for name, rows in encoded.context.items()}
            score[part] = fitted.score_pairs(fitted.people(users[part]), items[part], context or None)
        source = pl.Series("source", np.where(encoded.known, "known", np.where(answered, "features", "cold")))
        return pl.DataFrame([pl.Series("score", self.fitted.link.respond(score)), source])

    def lists(self, values: Any, ask: ListRequest) -> pl.DataFrame:
        """Lists of these users in one frame: user_id item_id [title] score rank source."""
        ids = pl.Series("user_id", values if isinstance(values, pl.Series) else list(values), strict=False)
        known = self.data.users.rows(values)
        grown, rows = self._with_strangers(self.fitted, "user", ids, known)
        unknown = np.flatnonzero(rows < 0)
        if ask.cold == "raise" and len(unknown):
            raise UnknownIdError(
                f"{len(unknown)} of {len(rows)} users are unknown, the first {values[int(unknown[0])]!r}; give cold='popular' or 'mean'"
            )
        frames = []
        for mask, source in ((known >= 0, "known"), ((known < 0) & (rows >= 0), "features"), (rows < 0, "cold")):
            if not mask.any():
                continue
            popular = source == "cold" and ask.cold == "popular"
            who = known[mask]
            seen = seen_items(self.data, who) if ask.filter_seen else None
            if ask.shown is not None:
                seen = hidden(seen, ask.shown.to(ids.filter(pl.Series(mask))))
            people = self.popular.people(who) if popular else grown.people(rows[mask])
            ranked = self.ranked(people, ask.k, seen, ask, self.data.interactions.by_user.take(who), popular)
            if popular:
                ranked = scored_by(self.fitted, ranked)
            frames.append(self.list_frame(np.flatnonzero(mask), ranked, source))
        if not frames:
            frames = [self.list_frame(np.empty(0, np.int64), _no_lists(), "known")]
        frame = pl.concat(frames, how="diagonal").sort("position", "rank", maintain_order=True)
        users = ids.gather(frame["position"]) if len(ids) else pl.Series("user_id", [], dtype=self.data.users.ids.dtype)
        return frame.drop("position").insert_column(0, users.alias("user_id"))

    def write_lists(self, values: Any, ask: ListRequest, path: Path) -> Path:
        """Lists of many users to a Parquet file, a block at a time; written beside it and renamed when whole."""
        import pyarrow.parquet as pq

        check_lists_path(path)
        temporary = path.with_name(f".{path.name}.tmp")
        ids = values if isinstance(values, pl.Series) else pl.Series(list(values))
        writer = None
        try:
            for start in range(0, max(len(ids), 1), USERS_AT_ONCE):
                block = self.lists(ids[start : start + USERS_AT_ONCE], ask).to_arrow()
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

    def list_frame(self, positions: Any, ranked: TopK, source: str) -> pl.DataFrame:
        """Ranked rows as a frame with item ids and titles; `position` says whose list it is."""
        place, rank = np.nonzero(ranked.items >= 0)
        items = ranked.items[place, rank]
        columns: dict[str, Any] = {"position": np.asarray(positions, np.int64)[place], "item_id": self.data.items.take(items)}
        names = self.titles.names(items)
        if names is not None:
            columns["title"] = names
        columns["score"] = self.fitted.link.respond(ranked.scores[place, rank])
        columns["rank"] = (rank + 1).astype(np.int32)
        columns["source"] = pl.Series([source] * len(items), dtype=pl.String)
        if ranked.propensities is not None:
            columns["propensity"] = ranked.propensities[place, rank]
        return pl.DataFrame(columns)

    def item_frame(self, rows: Rows, **columns: Any) -> pl.DataFrame:
        """Items in order: item_id, title where known, the columns given, rank."""
        named: dict[str, Any] = {"item_id": self.data.items.take(rows)}
        titles = self.titles.names(rows)
        if titles is not None:
            named["title"] = titles
        return pl.DataFrame({**named, **columns, "rank": np.arange(1, len(rows) + 1, dtype=np.int32)})

    def similar(self, side: Literal["item", "user"], what: Any, k: int) -> pl.DataFrame:
        """The nearest rows of one side by cosine of their factors."""
        factors = self.fitted.factors(side)
        if factors is None:
            raise InputError(
                f"{type(self.fitted.config).__name__} has no {side} factors, so nothing is alike; use a model of vectors such as Dot"
            )
        if k < 1:
            raise InputError(f"k must be at least 1; got {k}")
        row = self.titles.row(what) if side == "item" else self.data.users.row(what)
        found = nearest(factors, np.array([row], np.int32), k)
        rows = found.items[0][found.items[0] >= 0]
        columns: dict[str, Any] = {f"{side}_id": (self.data.items if side == "item" else self.data.users).take(rows)}
        names = self.titles.names(rows) if side == "item" else None
        if names is not None:
            columns["title"] = names
        return pl.DataFrame({**columns, "similarity": found.scores[0][: len(rows)], "rank": np.arange(1, len(rows) + 1, dtype=np.int32)})

    def filled_corner(self, n: int) -> pl.DataFrame:
        """The densest corner of the training table as the model predicts it, every cell filled."""
        known = self.data.corner(n)
        users = self.data.users.rows(known["user_id"])
        counts = np.bincount(self.data.interactions.items, minlength=len(self.data.items))
        items = np.argsort(-counts, kind="stable")[: known.width - 1].astype(np.int32)
        scores = self.fitted.link.respond(self.fitted.score(self.fitted.people(users), items))
        return pl.DataFrame({"user_id": known["user_id"], **{name: scores[:, n] for n, name in enumerate(known.columns[1:])}})

    def _with_strangers(
        self, model: FittedModel[Any], side: Literal["user", "item"], ids: pl.Series, rows: Rows
    ) -> tuple[FittedModel[Any], Rows]:
        """A model that also knows those of the ids that only the tables describe, and the row of each id, -1 for the others."""
        unknown = np.flatnonzero((rows < 0) & ids.is_not_null().to_numpy())
        if not len(unknown) or not model.reads_features:
            return model, rows
        strangers, places = Vocabulary.encode(ids.gather(unknown))
        features = self.data.strangers(side, strangers.ids)
        if features is None:
            return model, rows
        described = features.design()
        told = np.flatnonzero(described.counts > 0).astype(np.int32)
        if not len(told):
            return model, rows
        size = model.n_users if side == "user" else model.n_items
        fresh = np.full(len(strangers), -1, np.int32)
        fresh[told] = np.arange(size, size + len(told))
        found = rows.copy()
        found[unknown] = fresh[places]
        nothing = Histories(np.zeros(len(told) + 1, np.int64), np.empty(0, np.int32))
        return model.refined(side, fresh[told], nothing, described.take(told)), found

    def titles_to_ids(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Items given by title become ids; unknown ones stay and get row -1."""
        if self.data.titles is None or pairs["item_id"].dtype != pl.String:
            return pairs
        rows = self.titles.rows(pairs["item_id"])
        ids = self.data.items.take(rows)
        return pairs.with_columns(ids.alias("item_id") if ids.dtype != pl.String else pl.coalesce(ids.alias("item_id"), pl.col("item_id")))


def check_lists_path(path: Path) -> None:
    """Refuse a name that promises another format than lists are written in."""
    if path.suffix in (".csv", ".tsv", ".txt", ".json", ".jsonl"):
        raise InputError(f"lists are written as Parquet, and {path.name} is named otherwise: name it {path.stem}.parquet")


def seen_items(data: Dataset, users: Rows) -> CSR:
    """What each of the users has had, [batch, item]; row -1 has had nothing."""
    return data.interactions.by_user.take(users).csr(len(data.items))


def scored_by(model: FittedModel[Any], ranked: TopK) -> TopK:
    """The same items with the scores that the model gives somebody it knows nothing of, best first."""
    real = ranked.items >= 0
    scores = np.full(ranked.items.shape, -np.inf, np.float32)
    items = ranked.items[real]
    scores[real] = model.score_pairs(model.people(np.full(len(items), -1, np.int32)), items)
    order = np.argsort(-scores, axis=1, kind="stable")
    return TopK(np.take_along_axis(ranked.items, order, 1), np.take_along_axis(scores, order, 1), ranked.counts)


def _no_lists() -> TopK:
    return TopK(np.empty((0, 1), np.int32), np.empty((0, 1), np.float32), np.empty(0, np.int64))
