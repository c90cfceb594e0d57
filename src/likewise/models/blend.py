"""Several fitted models as one: their scores on one scale, weighted and added.

    score(u, i) = sum over parts of weight / scale * score of the part        scale: standard deviation of the part's scores

Different models' mistakes differ, so the sum ranks better than its best part. One scale a part for everybody keeps the sum linear:
folding in, reasons and growth are those of the parts. The weights come from an inner split (`solvers.stack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, Side
from likewise.models.graph import Graph
from likewise.models.link import Link
from likewise.models.mixture import Mixture
from likewise.models.registry import fitted_class, model_settings
from likewise.shapes import Floats, Rows


@dataclass(frozen=True)
class Blend(Model):
    """Settings of a blend.

    Parameters
    ----------
    parts : tuple of mappings
        Each `{"model": {"name": "ease", ...}, "solver": {"name": "closed_form", ...}}`, settings as in a preset; a part whose
        solver is left out is solved in closed form. A fit adds "fitted", the kind of the fitted part.
    weights : tuple of float, 0 or more, or None
        One a part, on the scale of standard deviations; None finds them on an inner split.

    Examples
    --------
    >>> Blend(({"model": {"name": "ease", "l2": 100.0}}, {"model": {"name": "popularity"}}), (0.9, 0.1)).weights
    (0.9, 0.1)
    """

    parts: tuple[Mapping[str, Any], ...]
    weights: tuple[float, ...] | None = None

    name: ClassVar[str] = "blend"
    solvers: ClassVar[frozenset[str]] = frozenset({"stack"})

    def __post_init__(self) -> None:
        if not self.parts:
            raise InputError("a blend needs at least one part")
        for part in self.parts:
            if not isinstance(part, Mapping) or not isinstance(part.get("model"), Mapping) or "name" not in part["model"]:
                raise InputError(f"a part of a blend is a mapping with a model that has a name; got {part!r}")
            self.model_of(part)
        if self.weights is not None:
            if len(self.weights) != len(self.parts):
                raise InputError(f"weights must be one a part ({len(self.parts)}); {len(self.weights)} were given")
            if not (np.isfinite(self.weights).all() and min(self.weights) >= 0 and max(self.weights) > 0):
                raise InputError(f"weights must be 0 or more and not all 0; got {self.weights}")

    @staticmethod
    def model_of(part: Mapping[str, Any]) -> Any:
        """The settings of a part's model; InputError for an unknown name or setting."""
        return settings_of(part["model"], model_settings(part["model"]["name"]))


def settings_of(table: Mapping[str, Any], kind: Any) -> Any:
    """An object of settings from its plain values; lists stand for tuples."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items() if key != "name"}
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"{table.get('name')!r} in a blend: {error}") from error


@dataclass(frozen=True, eq=False)
class FittedBlend(FittedModel[Mixture]):
    """Fitted models and what each counts.

    Parameters
    ----------
    models : tuple of FittedModel
    shares : tuple of float
        weight / scale of each.
    """

    config: Blend
    models: tuple[FittedModel[Any], ...]
    shares: tuple[float, ...]
    link: Link = Link("free")  # noqa: RUF009 - frozen

    @property
    def n_users(self) -> int:
        return self.models[0].n_users

    @property
    def n_items(self) -> int:
        return self.models[0].n_items

    @property
    def item_vectors(self) -> None:
        return None

    def factors(self, side: Side) -> Floats | None:
        """Those of the first part that has any."""
        return next((found for model in self.models if (found := model.factors(side)) is not None), None)

    def graph(self) -> Graph:
        graph = Graph()
        history = graph.add("history", f"[batch, {self.n_items:,}]", "input")
        parts = [
            graph.add(model.config.name, f"times {share:.3g}", "layer", (history,))
            for model, share in zip(self.models, self.shares, strict=True)
        ]
        return graph.end(self, graph.add("add", "", "operation", tuple(parts)))

    def people(self, users: Rows) -> Mixture:
        return Mixture(tuple(model.people(users) for model in self.models))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Mixture:
        return Mixture(tuple(model.fold_in(histories, features) for model in self.models))

    def score(self, people: Mixture, items: Rows | None = None) -> Floats:
        scores = [model.score(part, items) for model, part in zip(self.models, people.parts, strict=True)]
        return self._sum(scores)

    def score_pairs(self, people: Mixture, items: Rows, context: Context | None = None) -> Floats:
        return self._sum([model.score_pairs(part, items, context) for model, part in zip(self.models, people.parts, strict=True)])

    def explain(self, people: Mixture, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        found = [model.explain(part, histories, item, context) for model, part in zip(self.models, people.parts, strict=True)]
        return [self._added(parts) for parts in zip(*found, strict=True)]

    def with_people(self, users: Rows, people: Mixture) -> Self:
        return replace(self, models=tuple(m.with_people(users, part) for m, part in zip(self.models, people.parts, strict=True)))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        return replace(self, models=tuple(model.with_items(items, histories, features) for model in self.models))

    def refined(self, side: Side, rows: Rows, histories: Histories, features: CSR | None = None) -> Self:
        return replace(self, models=tuple(model.refined(side, rows, histories, features) for model in self.models))

    @property
    def reads_features(self) -> bool:
        return any(model.reads_features for model in self.models)

    def state(self) -> Arrays:
        parts = {f"part{n}.{name}": array for n, model in enumerate(self.models) for name, array in model.state().items()}
        return {**parts, "shares": np.array(self.shares)}

    @classmethod
    def from_state(cls, config: Blend, state: Mapping[str, NDArray[Any]]) -> Self:
        models = []
        for n, part in enumerate(config.parts):
            prefix = f"part{n}."
            arrays = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            models.append(fitted_class(part["fitted"]).from_state(config.model_of(part), arrays))
        return cls(config, tuple(models), tuple(state["shares"].tolist()))

    def _sum(self, scores: list[Floats]) -> Floats:
        total = np.float32(self.shares[0]) * scores[0]
        for share, score in zip(self.shares[1:], scores[1:], strict=True):
            total += np.float32(share) * score
        return np.asarray(total, np.float32)

    def _added(self, parts: tuple[Parts, ...]) -> Parts:
        def total(values: list[Any]) -> Any:
            return sum(share * value for share, value in zip(self.shares, values, strict=True))

        extra: dict[str, float] = {}
        for share, part in zip(self.shares, parts, strict=True):
            for name, value in part.extra.items():
                extra[name] = extra.get(name, 0.0) + share * value
        taste = np.asarray(total([part.taste for part in parts]), np.float32)
        levels = [np.zeros_like(part.taste) if part.level is None else part.level for part in parts]
        level = None if all(part.level is None for part in parts) else np.asarray(total(levels), np.float32)
        sums = {name: float(total([getattr(part, name) for part in parts])) for name in ("mean", "user", "item", "score", "residual")}
        return Parts(**sums, taste=taste, response=sums["score"], extra=extra, level=level)
