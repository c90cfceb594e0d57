"""The draws that the fitted model answers from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.models.draws import Echo, FieldDraws, Halves
from likewise.models.link import Link
from likewise.models.observed import Observed, levels_link
from likewise.models.posterior import FittedPosterior
from likewise.models.streams import derived_key
from likewise.shapes import Floats
from likewise.solvers.gibbs.chain import Chain

if TYPE_CHECKING:
    from likewise.solvers.gibbs.problem import Problem
    from likewise.solvers.gibbs.settings import Gibbs

_KEEP_KEY = 5
HISTORIES = {"user": "history", "item": "raters"}
TOLD_BY = {"item": ("user", "history"), "user": ("item", "raters")}


class Kept:
    """Draws set aside, evenly spaced over the chains.

    Users are drawn once more for the draw that is kept, every second time with the mirror image of the noise before: the noise
    then cancels from the mean, which needs far fewer draws.
    """

    def __init__(self, solver: Gibbs, problem: Problem):
        self.problem = problem
        per_chain = max(1, min(solver.draws, solver.draws_kept // solver.chains))
        self.places = set(np.unique(np.linspace(0, solver.draws - 1, per_chain).round().astype(int)).tolist())
        self.rows: dict[str, list[NDArray[np.float16]]] = {}
        self.means: dict[str, list[Floats]] = {}
        self.precisions: dict[str, list[NDArray[np.float64]]] = {}
        self.coefficients: dict[tuple[str, str], list[NDArray[np.float16]]] = {}
        self.usuals: dict[tuple[str, str], list[Floats]] = {}
        self.alphas: list[float] = []
        self.cuts: list[Floats] = []
        self.scales = np.zeros(problem.layout.n_rows)
        self.usual: dict[str, list[Floats]] = {}

    def __len__(self) -> int:
        return len(self.alphas)

    def take(self, chain: Chain, draw: int) -> None:
        """Set this draw aside if it is one of those to keep."""
        if draw in self.places:
            self._take(chain)

    def need_one(self, chain: Chain) -> bool:
        """Make sure that there is a draw to answer from; always False, for "stop"."""
        if not len(self):
            self._take(chain)
        return False

    def _take(self, chain: Chain) -> None:
        number = len(self)
        for field in chain.layout.fields:
            rows = chain.table[field.rows]
            if field.name == "user":
                rows = np.empty_like(rows)
                chain.draw_field(field, derived_key(*chain.key, _KEEP_KEY, number // 2), 1.0 - 2.0 * (number % 2), rows)
            self.rows.setdefault(field.name, []).append(np.clip(rows, -6e4, 6e4).astype(np.float16))
            prior = chain.priors[field.name]
            self.means.setdefault(field.name, []).append(prior.mean.astype(np.float32))
            self.precisions.setdefault(field.name, []).append(prior.precision)
            if field.name not in ("user", "item"):
                counts = np.diff(field.indptr)
                usual = counts @ chain.table[field.rows] / max(counts.sum(), 1)
                self.usual.setdefault(field.name, []).append(usual.astype(np.float32))
        for name, blocks in chain.blocks.items():
            for block in blocks:
                self.coefficients.setdefault((name, block.name), []).append(block.coefficients().astype(np.float16))
                self.usuals.setdefault((name, block.name), []).append(block.effect.mean(0))
        self.alphas.append(chain.noise.alpha)
        if chain.levels is not None:
            self.cuts.append(chain.levels.cuts.astype(np.float32))
        self.scales += np.log(chain.noise.scales)

    def state(self) -> dict[str, NDArray[Any]]:
        """The draws so far, as arrays."""
        if not len(self):
            return {}
        arrays: dict[str, NDArray[Any]] = {"alphas": np.array(self.alphas), "scales": self.scales}
        if self.cuts:
            arrays["cuts"] = np.stack(self.cuts)
        for label, lists in self._lists().items():
            arrays |= {f"{label}|{'|'.join(key) if isinstance(key, tuple) else key}": np.stack(found) for key, found in lists.items()}
        return arrays

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take up the draws that `state` gave."""
        if not state:
            return
        self.alphas, self.scales, self.cuts = state["alphas"].tolist(), state["scales"], list(state.get("cuts", []))
        lists = self._lists()
        for name, stacked in state.items():
            label, *key = name.split("|")
            if key:
                lists[label][key[0] if len(key) == 1 else tuple(key)] = list(stacked)

    def _lists(self) -> dict[str, dict[Any, Any]]:
        return {
            "rows": self.rows,
            "means": self.means,
            "precisions": self.precisions,
            "coefficients": self.coefficients,
            "usuals": self.usuals,
            "usual": self.usual,
        }

    def fitted(self, model: Dot, data: Dataset) -> FittedPosterior:
        """The model of the draws so far."""
        draws = {field.name: self._field(field.name, field.rows, data) for field in self.problem.layout.fields}
        usual = {name: np.stack(rows) for name, rows in self.usual.items()}
        users, items, observed = draws.pop("user"), draws.pop("item"), self._observed()
        fitted = FittedPosterior(model, users, items, observed, draws, usual)
        if not observed.is_levels:
            return fitted
        return replace(fitted, observed=replace(observed, link=_fitted_link(fitted, data)))

    def _observed(self) -> Observed:
        problem, alphas = self.problem, np.array(self.alphas, np.float32)
        if problem.levels is None or not self.cuts:
            return Observed(problem.link, problem.centre, problem.unit, alphas)
        cuts = np.stack(self.cuts)
        return Observed(levels_link(problem.levels, cuts, 1.0), 0.0, 1.0, alphas, problem.levels, cuts)

    def _field(self, name: str, rows: slice, data: Dataset) -> FieldDraws:
        scale = np.exp(self.scales[rows] / len(self)).astype(np.float32)
        stacked = np.stack(self.rows[name], 1)
        means, precisions = np.stack(self.means[name]), np.stack(self.precisions[name])
        return FieldDraws(stacked, means, precisions, scale, self._echo(name, stacked), *self._features(name, data))

    def _echo(self, name: str, rows: Halves) -> Echo:
        """Shares from the field's own histories, tellings from the other side's coefficients."""
        counts = {f.name: np.diff(f.indptr) for f in self.problem.layout.fields}[name]
        weight = counts / max(counts.sum(), 1)
        share, told = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
        if (name, HISTORIES.get(name, "")) in self.coefficients:
            share = (1 / np.sqrt(counts + 1)).astype(np.float32)
        for s, coefficients in enumerate(self.coefficients.get(TOLD_BY.get(name, ("", "")), [])):
            told += (coefficients[:, :-1].astype(np.float32) * rows[:, s, :-1]).sum(1) + coefficients[:, -1]
        told /= len(self)
        return Echo(share, told, float(weight @ share), float(weight @ told))

    def _features(self, name: str, data: Dataset) -> tuple[Halves | None, Halves | None, Floats | None, Floats | None]:
        """Coefficients of features (zero for columns left out) and of the history, and what they add on average."""
        history = (name, "history" if name == "user" else "raters")
        used = [given for given in self.problem.given if given.field == name and given.start is not None]
        table = data.user_features if name == "user" else data.item_features
        features = usual = None
        if used and table is not None:
            features = np.zeros((table.width, len(self), self.means[name][0].shape[-1]), np.float16)
            usual = np.zeros(features.shape[1:], np.float32)
            for given in used:
                start = given.start or 0
                features[start : start + given.x.width] = np.stack(self.coefficients[name, given.name], 1)
                usual += np.stack(self.usuals[name, given.name])
        if history not in self.coefficients:
            return features, None, usual, None
        return features, np.stack(self.coefficients[history], 1), usual, np.stack(self.usuals[history])


def _fitted_link(fitted: FittedPosterior, data: Dataset, pairs: int = 4000) -> Link:
    """The link that takes the mean score nearest to the mean rating over draws, on pairs as popular as those in training."""
    events, rng = data.interactions, np.random.default_rng(0)
    users = events.users[rng.integers(0, len(events), pairs)]
    items = events.items[rng.integers(0, len(events), pairs)]
    people = fitted.people(users)
    score, wanted = fitted.score_pairs(people, items), fitted.predictive(people, items).mean
    observed = fitted.observed
    levels, cuts = np.asarray(observed.levels), np.asarray(observed.cuts)
    links = [levels_link(levels, cuts, blur) for blur in np.linspace(0.8, 2.0, 61)]
    return min(links, key=lambda link: float(np.mean((link.respond(score) - wanted) ** 2)))
