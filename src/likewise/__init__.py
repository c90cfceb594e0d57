"""Likewise turns a table of who liked what into a recommender you can trust and ship.

Every public name is here, loaded when it is first used, so that `import likewise` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; tests/test_public_names.py keeps it and _HOMES the same
    from likewise.data.dataset import (
        Dataset as Dataset,
    )
    from likewise.data.features import (
        Features as Features,
    )
    from likewise.data.interactions import (
        Histories as Histories,
        Interactions as Interactions,
    )
    from likewise.data.movielens import (
        load_movielens as load_movielens,
    )
    from likewise.data.readers import (
        read as read,
    )
    from likewise.data.shards.prepare import (
        scan as scan,
    )
    from likewise.data.shards.shards import (
        Shards as Shards,
        open_shards as open_shards,
    )
    from likewise.data.splits import (
        folds as folds,
        split as split,
    )
    from likewise.data.vocabulary import (
        Vocabulary as Vocabulary,
    )
    from likewise.errors import (
        AmbiguousTitleError as AmbiguousTitleError,
        ArtifactError as ArtifactError,
        DivergedError as DivergedError,
        InputError as InputError,
        LikewiseError as LikewiseError,
        MissingExtraError as MissingExtraError,
        NotFittedError as NotFittedError,
        UnknownIdError as UnknownIdError,
    )
    from likewise.models.bias import (
        Bias as Bias,
    )
    from likewise.models.blend import (
        Blend as Blend,
    )
    from likewise.models.dot import (
        Dot as Dot,
    )
    from likewise.models.ease import (
        EASE as EASE,
    )
    from likewise.models.markov import (
        Markov as Markov,
    )
    from likewise.models.neighbours import (
        Neighbours as Neighbours,
    )
    from likewise.models.networks.autorec import (
        AutoRec as AutoRec,
    )
    from likewise.models.networks.dlrm import (
        DLRM as DLRM,
    )
    from likewise.models.networks.mlp import (
        MLP as MLP,
    )
    from likewise.models.networks.neumf import (
        NeuMF as NeuMF,
    )
    from likewise.models.networks.sequential import (
        Sequential as Sequential,
    )
    from likewise.models.networks.svdpp import (
        SVDpp as SVDpp,
    )
    from likewise.models.networks.two_tower import (
        TwoTower as TwoTower,
    )
    from likewise.models.popularity import (
        Popularity as Popularity,
    )
    from likewise.people.reasons import (
        Reasons as Reasons,
    )
    from likewise.people.visitor import (
        Visitor as Visitor,
    )
    from likewise.ranking.ann import (
        ItemIndex as ItemIndex,
    )
    from likewise.ranking.rerank import (
        Rerank as Rerank,
        Signals as Signals,
    )
    from likewise.ranking.shown import (
        Shown as Shown,
    )
    from likewise.recommender import (
        Recommender as Recommender,
        load as load,
    )
    from likewise.solvers.als import (
        ALS as ALS,
    )
    from likewise.solvers.closed_form import (
        ClosedForm as ClosedForm,
    )
    from likewise.solvers.gibbs.settings import (
        Gibbs as Gibbs,
    )
    from likewise.solvers.gradient.settings import (
        Averaging as Averaging,
        Balance as Balance,
        EarlyStopping as EarlyStopping,
        Gradient as Gradient,
        Loss as Loss,
        Negatives as Negatives,
        Penalty as Penalty,
    )
    from likewise.solvers.gradient.steps import (
        SGD as SGD,
        Adagrad as Adagrad,
        Adam as Adam,
        AdamW as AdamW,
        Constant as Constant,
        CosineRestarts as CosineRestarts,
        LazyAdam as LazyAdam,
        OneCycle as OneCycle,
        Plateau as Plateau,
        Step as Step,
    )
    from likewise.solvers.stack import (
        Stack as Stack,
    )
    from likewise.studies.compare import (
        compare as compare,
    )
    from likewise.studies.fit import (
        fit as fit,
    )
    from likewise.studies.presets import (
        Preset as Preset,
        load_preset as load_preset,
        preset_names as preset_names,
    )

_HOMES = {
    "ALS": "solvers.als",
    "Adagrad": "solvers.gradient.steps",
    "Adam": "solvers.gradient.steps",
    "AdamW": "solvers.gradient.steps",
    "AmbiguousTitleError": "errors",
    "ArtifactError": "errors",
    "AutoRec": "models.networks.autorec",
    "Averaging": "solvers.gradient.settings",
    "Balance": "solvers.gradient.settings",
    "Bias": "models.bias",
    "Blend": "models.blend",
    "ClosedForm": "solvers.closed_form",
    "Constant": "solvers.gradient.steps",
    "CosineRestarts": "solvers.gradient.steps",
    "DLRM": "models.networks.dlrm",
    "Dataset": "data.dataset",
    "DivergedError": "errors",
    "Dot": "models.dot",
    "EASE": "models.ease",
    "EarlyStopping": "solvers.gradient.settings",
    "Features": "data.features",
    "Gibbs": "solvers.gibbs.settings",
    "Gradient": "solvers.gradient.settings",
    "Histories": "data.interactions",
    "InputError": "errors",
    "Interactions": "data.interactions",
    "ItemIndex": "ranking.ann",
    "LazyAdam": "solvers.gradient.steps",
    "LikewiseError": "errors",
    "Loss": "solvers.gradient.settings",
    "MLP": "models.networks.mlp",
    "Markov": "models.markov",
    "MissingExtraError": "errors",
    "Negatives": "solvers.gradient.settings",
    "Neighbours": "models.neighbours",
    "NeuMF": "models.networks.neumf",
    "NotFittedError": "errors",
    "OneCycle": "solvers.gradient.steps",
    "Penalty": "solvers.gradient.settings",
    "Plateau": "solvers.gradient.steps",
    "Popularity": "models.popularity",
    "Preset": "studies.presets",
    "Reasons": "people.reasons",
    "Recommender": "recommender",
    "Rerank": "ranking.rerank",
    "SGD": "solvers.gradient.steps",
    "SVDpp": "models.networks.svdpp",
    "Sequential": "models.networks.sequential",
    "Shards": "data.shards.shards",
    "Shown": "ranking.shown",
    "Signals": "ranking.rerank",
    "Stack": "solvers.stack",
    "Step": "solvers.gradient.steps",
    "TwoTower": "models.networks.two_tower",
    "UnknownIdError": "errors",
    "Visitor": "people.visitor",
    "Vocabulary": "data.vocabulary",
    "compare": "studies.compare",
    "fit": "studies.fit",
    "folds": "data.splits",
    "load": "recommender",
    "load_movielens": "data.movielens",
    "load_preset": "studies.presets",
    "open_shards": "data.shards.shards",
    "preset_names": "studies.presets",
    "read": "data.readers",
    "scan": "data.shards.prepare",
    "split": "data.splits",
}
"""The module that each public name lives in."""

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("likewise")
    if name not in _HOMES:
        raise AttributeError(f"module 'likewise' has no attribute {name!r}")
    value = getattr(import_module(f"likewise.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
