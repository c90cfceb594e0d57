"""Every model and solver by its name, imported when first asked for.

Adding a model is one file and one line here; the contract tests, presets, artifacts and the command line find it by this name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from likewise.errors import InputError

MODELS = {
    "popularity": "likewise.models.popularity:Popularity",
    "bias": "likewise.models.bias:Bias",
    "neighbours": "likewise.models.neighbours:Neighbours",
    "dot": "likewise.models.dot:Dot",
    "ease": "likewise.models.ease:EASE",
    "blend": "likewise.models.blend:Blend",
    "markov": "likewise.models.markov:Markov",
    "mlp": "likewise.models.networks.mlp:MLP",
    "neumf": "likewise.models.networks.neumf:NeuMF",
    "two-tower": "likewise.models.networks.two_tower:TwoTower",
    "svdpp": "likewise.models.networks.svdpp:SVDpp",
    "dlrm": "likewise.models.networks.dlrm:DLRM",
    "autorec": "likewise.models.networks.autorec:AutoRec",
    "sequential": "likewise.models.networks.sequential:Sequential",
}
"""Name of a model -> its settings class."""

FITTED = {
    "popularity": "likewise.models.popularity:FittedPopularity",
    "bias": "likewise.models.bias:FittedBias",
    "neighbours": "likewise.models.neighbours:FittedNeighbours",
    "dot": "likewise.models.dot:FittedDot",
    "ease": "likewise.models.ease:FittedEASE",
    "blend": "likewise.models.blend:FittedBlend",
    "markov": "likewise.models.markov:FittedMarkov",
    "posterior": "likewise.models.posterior:FittedPosterior",
    "implicit": "likewise.models.implicit:FittedImplicit",
    "softmax": "likewise.models.softmax:FittedSoftmax",
    "network": "likewise.models.networks.fitted:FittedNetwork",
    "sequential": "likewise.models.sequence:FittedSequential",
    "sums": "likewise.models.networks.sums:FittedSums",
}
"""Name kept in an artifact -> the fitted class that reads its arrays. `Dot` has two: a point and a posterior."""


def load(where: str) -> Any:
    """The class at "module:Name"."""
    module, name = where.split(":")
    return getattr(import_module(module), name)


def model_settings(name: str) -> Any:
    """The settings class of a model.

    Raises InputError for a name that is not registered.
    """
    return load(_find(MODELS, name, "model"))


def fitted_class(name: str) -> Any:
    """The fitted class whose arrays an artifact holds."""
    return load(_find(FITTED, name, "fitted model"))


def fitted_name(fitted: object) -> str:
    """The registered name of a fitted model's class."""
    where = f"{type(fitted).__module__}:{type(fitted).__qualname__}"
    for name, known in FITTED.items():
        if known == where:
            return name
    raise InputError(f"{type(fitted).__name__} is not in the registry of fitted models; add it to likewise.models.registry.FITTED")


def _find(table: dict[str, str], name: str, what: str) -> str:
    if name not in table:
        raise InputError(f"there is no {what} called {name!r}; there are: {', '.join(sorted(table))}")
    return table[name]
