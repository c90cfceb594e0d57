"""The face: raw ids in, raw ids out. Holds a model, its solver and what it learned from; delegates everything else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl

from likewise.answers import Answers, Cold, ListRequest
from likewise.border import as_dataset, as_events, as_list, in_kind
from likewise.data.dataset import Dataset
from likewise.data.frames import like, to_polars
from likewise.data.report import html_table
from likewise.data.shards.shards import Shards
from likewise.errors import NotFittedError
from likewise.models.base import FittedModel, Model
from likewise.people.forget import forget
from likewise.people.new_item import NewItem, new_item
from likewise.people.reasons import Reasons, reasons_of, with_reasons
from likewise.people.side_by_side import SideBySide, side_by_side
from likewise.people.update import update
from likewise.people.visitor import Visitor, visitor
from likewise.people.visitors import Visitors, visitors
from likewise.ranking.doubt import RankBy
from likewise.ranking.shown import Moment
from likewise.solvers.base import Event, Ranks, Run, Solver, check_fits_together, fit_from, starts_from
from likewise.solvers.closed_form import ClosedForm

if TYPE_CHECKING:
    from likewise.evaluation.comparison import Comparison
    from likewise.evaluation.protocol import Protocol
    from likewise.insight.drawing import Drawing
    from likewise.insight.kit import Insight

log = logging.getLogger("likewise")


class Recommender:
    """A model, the way its parameters are found, and, after `fit`, answers by raw id.

    Safe to read from many threads once fitted.

    Parameters
    ----------
    model : Model
        Settings such as `Dot(factors=50)`.
    solver : Solver or None
        Settings such as `Gradient(epochs=5)`; None for models in closed form. A pair that does not fit is refused.

    Examples
    --------
    >>> import likewise as lw
    >>> ratings = lw.read({"user": [1, 1, 2, 2], "item": ["a", "b", "a", "c"], "rating": [5, 1, 4, 2]})
    >>> rec = lw.Recommender(lw.Bias()).fit(ratings)
    >>> rec.recommend(1, k=1)["item_id"].to_list()
    ['c']
    """

    def __init__(self, model: Model, solver: Solver | None = None) -> None:
        self.model = model
        self.solver: Solver = ClosedForm() if solver is None else solver
        check_fits_together(model, self.solver)
        self._answers: Answers | None = None
        self._insight: Insight | None = None
        self._written: Path | None = None
        self.notes: dict[str, Any] = {}

    # ---- learning ------------------------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Any,
        valid: Any = None,
        *,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = None,
        watch: Callable[[Event], bool | None] | None = None,
        keep_on_interrupt: bool = False,
        checkpoint: str | Path | None = None,
        start: Any = None,
        precision: Literal["float32", "mixed"] = "float32",
        compile: bool = False,
        ranks: Ranks | None = None,
    ) -> Self:
        """Find the parameters.

        Parameters
        ----------
        train : Dataset, anything `lw.read` takes, or the Shards that `lw.scan` prepared
            Of shards the model takes a sample along as its history; see `Shards.kept`.
        valid : the same, or None
            Ratings to watch and to stop by; never learned from. For shards it is their `held_out`.
        seed : the same one on the same CPU gives the same model.
        device : "auto" takes a GPU where the solver can use one.
        watch : called with each epoch's or sweep's figures; returning True stops the fit and keeps the best so far.
        keep_on_interrupt : on Ctrl-C keep the best parameters so far instead of raising.
        checkpoint : folder for solvers that can resume, or None
        start : a fitted Recommender or the folder of one, a pair of them for the halves of `NeuMF`, or None
            Gradient training begins from its tables, row by row where both know the id.
        precision : "mixed" lets a GPU multiply in bfloat16; without one it changes nothing.
        compile : whether networks are handed to `torch.compile`; what has no network ignores it.
        ranks : how a fit over several processes is run, for engine "torchrec"
        """
        from likewise.evaluation.cautions import order_unknown

        data, held_out = as_events(train), None if valid is None else as_events(valid)
        known, kept = data.kept if isinstance(data, Shards) else data, None if checkpoint is None else str(checkpoint)
        begin = starts_from(start, known, self.solver, load)
        run = Run(held_out, seed, device, threads, watch, keep_on_interrupt, kept, precision, compile, begin, ranks or Ranks())
        fit = fit_from(self.solver, self.model, data, run)
        self._answers, self._insight, self._written = Answers(fit.model, known), None, fit.written
        self.notes = {"seed": seed, **fit.told, "remarks": [*order_unknown(self.model, known), *fit.notes]}
        return self

    @property
    def answers(self) -> Answers:
        """The fitted model and its data, asked by id in polars frames; NotFittedError before `fit`."""
        if self._answers is None:
            raise NotFittedError("this recommender has not been fitted; call fit(train) first, or lw.load(folder)")
        return self._answers

    @property
    def fitted(self) -> FittedModel[Any]:
        """The fitted model."""
        return self.answers.fitted

    @property
    def data(self) -> Dataset:
        """What it was fitted on."""
        return self.answers.data

    @property
    def history(self) -> pl.DataFrame:
        """One row an epoch or sweep: errors, rates, seconds."""
        return pl.DataFrame(self.notes.get("history", []))

    # ---- answers -------------------------------------------------------------------------------------------------------------

    def predict(self, users: Any, items: Any = None, *, cold: Cold = "mean", context: Mapping[str, Any] | None = None) -> Any:
        """The rating that would be given.

        One user and one item (id or title) give a number. A frame of pairs comes back with the columns `score` and `source`,
        its index and order untouched.

        Parameters
        ----------
        cold : what an unknown id gets: "mean", the population's answer, or "raise".
        """
        if items is not None:
            (whom, alone), (what, _) = as_list(users), as_list(items)
            pairs = pl.DataFrame({"user_id": whom, "item_id": what, **(context or {})})
            scored = self.answers.predictions(pairs, cold)
            return float(scored["score"][0]) if alone and len(scored) == 1 else in_kind(pairs.with_columns(scored), users)
        pairs = to_polars(users)
        return like(pairs.with_columns(self.answers.predictions(pairs, cold)), users)

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        *,
        where: str | None = None,
        allow: Any = None,
        deny: Any = None,
        caps: Mapping[str, int] | None = None,
        filter_seen: bool = True,
        at: Moment | None = None,
        shown: Any = None,
        shown_days: float | None = None,
        cold: Cold = "popular",
        rerank: Any = None,
        rank_by: RankBy = "mean",
        seed: int | None = None,
        explain: bool = False,
        to: str | Path | None = None,
    ) -> Any:
        """The best k items of each user, best first: `user_id item_id title score rank source`.

        Parameters
        ----------
        users : an id, ids, or None for everybody known.
        k : at least 1; fewer come back only where fewer are left.
        where : condition on the item table, such as `"genres has 'Comedy' and year >= 1990"`.
        allow, deny : ids or titles that alone may, or must not, be shown.
        caps : at most so many a value of a column, such as `{"director": 2}`.
        filter_seen : leave out what the user has rated.
        at : when the list is shown, for items with `available_from` or `available_until`; a date, a datetime, text or seconds; None is now.
        shown, shown_days : frame of user_id and item_id, shown lately and left out too; only so many days before `at` (column timestamp).
        cold : what an unknown user gets: the k most "popular" items, best first for the "mean" person; that person's list; or "raise".
        rerank : a `Rerank` with its knobs (diversity, popularity, ...), or None.
        rank_by, seed : "mean"; of a posterior "lower" (a deviation below it) or "sample" (Thompson sampling, with a column `propensity`).
        explain : add a column `because` with the reason for each item, in words.
        to : Parquet file to write the lists to, block by block; the path comes back.
        """
        filters = self.answers.filters(where, allow, deny, caps, at)
        values, single = (self.data.users.ids, False) if users is None else as_list(users)
        ask = ListRequest(k, filters, filter_seen, cold, rerank, self.answers.shown(shown, at, shown_days), rank_by, seed)
        if to is not None:
            return self.answers.write_lists(values, ask, Path(to))
        frame = self.answers.lists(values, ask)
        if explain:
            frame = with_reasons(self.answers, frame)
        return in_kind(frame.drop("user_id") if single else frame, users)

    def similar_items(self, item: Any, k: int = 10) -> Any:
        """The k items whose vectors point the same way (cosine), best first."""
        return in_kind(self.answers.similar("item", item, k))

    def similar_users(self, user: Any, k: int = 10) -> Any:
        """The k users whose vectors point the same way (cosine), best first."""
        return in_kind(self.answers.similar("user", user, k))

    def corner(self, n: int = 15) -> Any:
        """The table that the model fills in: what the `n` busiest users would give the `n` most rated items.

        One row a user: `user_id`, then a column an item, named by its title where known, else its id. Every cell is the model's
        answer, also where a rating was given: `data.corner(n)` is the same table as it was, with gaps, so the two side by side show
        what was learned. Answers are in the units of the ratings (of the score, for models of lists).
        """
        return in_kind(self.answers.filled_corner(n))

    def evaluate(self, test: Any, *, protocol: str | Protocol = "full", baselines: bool = True, lists: bool = True) -> Comparison:
        """How good the answers are on held-out events, with intervals over people, beside baselines fitted on the same data.

        The figures are kept in `notes["evaluation"]`, and `save` puts them into the model card.

        Parameters
        ----------
        test : Dataset, anything `lw.read` takes, or the `held_out` of shards, which has no baselines beside it
            Raw ids as in the training data; ids it does not know are answered with the population's answer, and counted.
        protocol : a name such as "full", "loo99", "vae", or a Protocol
        baselines : bool
            Popularity and EASE beside lists, biases and neighbours beside ratings.
        lists : bool
            False measures predicted ratings alone.
        """
        from likewise.solvers.baselines import judged

        name, seconds = self.notes.get("preset", self.model.name), self.notes.get("fit_seconds")
        found = judged(self.fitted, self.data, as_events(test), protocol, name=name, seconds=seconds, lists=lists, baselines=baselines)
        self.notes["evaluation"] = json.loads(found.json)
        return found

    # ---- someone new ---------------------------------------------------------------------------------------------------------

    def visitor(
        self,
        ratings: Mapping[Any, float] | None = None,
        *,
        likes: Iterable[Any] | None = None,
        history: Iterable[Any] | None = None,
        features: Mapping[str, Any] | None = None,
        half_life: float | None = None,
    ) -> Visitor:
        """Somebody never seen, by what they did; folded in without changing the model.

        Parameters
        ----------
        ratings : mapping of item id or title to rating
        likes : item ids or titles
        history : items in order, or tuples (item, rating, time in seconds)
        features : values of the user features
        half_life : days after which an entry with a time counts half

        Unknown items are left out and listed in `visitor.unknown`.
        """
        return visitor(self.answers, ratings, likes, history, features, half_life)

    def visitors(self, frame: Any, *, features: Any = None, half_life: float | None = None) -> Visitors:
        """Many people never seen, by a frame of what they did; folded in as one batch, which costs far less than one by one.

        Parameters
        ----------
        frame : columns user_id and item_id (id or title); rating, timestamp and weight are used where they are there
        features : frame of user features keyed by user_id, or None
        half_life : days after which an entry counts half

        The ids are the caller's own and may be anything. Rows of unknown items are left out and listed in `visitors.unknown`.
        """
        return visitors(self.answers, frame, features, half_life)

    def new_item(
        self, ratings: Mapping[Any, float | None] | None = None, *, features: Mapping[str, Any] | None = None, title: str = "new item"
    ) -> NewItem:
        """An item never seen, by who rated it (user id to rating; None for a like) and its features; the model is not changed.

        Ask it for `predict(users)`, `similar_items(k)` and `fans(k)`. Unknown users are left out and listed in `unknown`.
        """
        return new_item(self.answers, ratings, features, title)

    def compare_users(self, a: Any, b: Any, k: int = 10) -> SideBySide:
        """Two known users side by side: what both rated and how, and what each loved that the other has not seen."""
        return side_by_side(self.answers, a, b, k)

    def explain(self, user: Any, item: Any) -> Reasons:
        """Why this known user gets this item's score: parts over their own ratings that add up."""
        row = np.array([self.data.users.row(user)], np.int32)
        history = self.data.interactions.by_user.take(row)
        return reasons_of(self.answers, self.fitted.people(row), history, self.answers.titles.row(item))[0]

    def update(self, new: Any, *, half_life: float | None = None, rounds: int = 1, seed: int = 0) -> Recommender:
        """A recommender that has also learned from new events; this one stays as it is.

        New users, items and feature rows are welcome, the old events are not needed again. `half_life` in days lets old events count
        less where rows are solved again. `rounds` is how often the items and people touched follow in turn; 0 folds in who and what is
        new and moves nobody else. What was done is in `notes["update"]`.
        """
        context = tuple(name for name in self.data.contexts if name != "day")
        done = update(self.answers, self.solver, as_dataset(new, context=context, at_least=1), half_life, rounds, seed)
        rec = self.with_answers(done.answers)
        counts = ("new_users", "new_items", "touched_users", "touched_items", "events", "seconds", "notes")
        rec.notes["update"] = {name: getattr(done, name) for name in counts}
        return rec

    def forget(self, user: Any) -> Recommender:
        """A recommender without this person's id, row, history and counts; `notes["forgotten"]` says what still remembers them."""
        done = forget(self.answers, user, self.solver)
        rec = self.with_answers(done.answers)
        rec.notes["forgotten"] = {"events": done.events, "remembers": done.remembers}
        return rec

    @property
    def insight(self) -> Insight:
        """What it learned: biases, axes, maps, neighbours, clusters."""
        if self._insight is None:
            from likewise.insight.kit import Insight

            self._insight = Insight(self.answers, self.history)
        return self._insight

    def draw(self) -> Drawing:
        """The model as an SVG picture: what is looked up and computed, with shapes; networks from their real module."""
        from likewise.insight.drawing import draw

        return draw(self.answers)

    def with_index(self, k: int = 100, *, links: int = 16, effort: int = 128, search: int = 128) -> Recommender:
        """The same recommender, its plain lists made from an approximate index, for catalogues too large to score whole (extra `ann`).

        What the index misses is measured at lists of k: `answers.index.recall`, and in the manifest of a saved model. Lists with caps
        or re-ranking are still scored whole; learning more drops the index. For the other arguments see `ItemIndex.build`. A model
        whose scores are no dot product is refused.
        """
        from likewise.ranking.ann import index_of

        rec = self.with_answers(replace(self.answers, index=index_of(self.fitted, k, links, effort, search)))
        rec.notes = dict(self.notes)
        return rec

    # ---- keeping -------------------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write everything needed to answer, explain and update to a folder; an older model there stays whole until then."""
        from likewise.artifact.store import Saved, save

        written, self._written = self._written, None
        ours = written is not None and written.parent.absolute() == Path(folder).absolute()
        save(folder, Saved(self.fitted, self.solver, self.data, self.notes, self.answers.index, written if ours else None))

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> Recommender:
        """The recommender that `save` wrote; ArtifactError for a damaged or foreign folder."""
        from likewise.artifact.store import load

        saved = load(folder, verify)
        rec = cls(saved.model, saved.solver)
        rec._answers, rec.notes = Answers(saved.fitted, saved.data, saved.index), dict(saved.notes)
        return rec

    # ---- inside --------------------------------------------------------------------------------------------------------------

    def with_answers(self, answers: Answers) -> Recommender:
        """The same recommender with another fitted model and history."""
        rec = Recommender(self.model, self.solver)
        rec._answers, rec.notes = answers, {name: note for name, note in self.notes.items() if name != "evaluation"}
        return rec

    def _repr_html_(self) -> str:
        lines = [("model", repr(self.model)), ("solver", repr(self.solver))]
        if self._answers is None:
            return html_table([*lines, ("state", "not fitted")])
        told = [(name.replace("_", " "), str(self.notes[name])) for name in ("preset", "why") if self.notes.get(name)]
        seconds = self.notes.get("fit_seconds")
        return html_table([*lines, *told, *([] if seconds is None else [("fitted in", f"{seconds:.2f} s")]), *self.data.summary()])

    def __repr__(self) -> str:
        state = "not fitted" if self._answers is None else f"{len(self.data.users):,} users, {len(self.data.items):,} items"
        return f"Recommender({self.model!r}, {self.solver!r}): {state}"


def load(folder: str | Path, *, verify: bool = True) -> Recommender:
    """The recommender saved in a folder; see `Recommender.load`."""
    return Recommender.load(folder, verify=verify)
