"""Save and load everything a recommender is: model, data it learned from, and how it was made.

README.md             the model card; tells of the model, is no part of it
manifest.json         format, versions, model and solver settings, data fingerprint, metrics, notes; names the files
model.safetensors     the fitted model's arrays
users, items .parquet vocabularies in row order
history.parquet       encoded events: user, item, rating, weight, time, context rows
index.safetensors     the approximate index over the items, where one was built
user_table, item_table .parquet, contexts.parquet, features.safetensors   where there are any
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import save_file

from likewise import __version__
from likewise.artifact import tables
from likewise.artifact.card import card
from likewise.artifact.folder import open_files, read_manifest, write_folder
from likewise.data.arrays import read_arrays
from likewise.data.dataset import Dataset
from likewise.errors import ArtifactError, LikewiseError, MissingExtraError
from likewise.models.base import FittedModel, Model
from likewise.models.registry import fitted_class, fitted_name, model_settings
from likewise.solvers.base import Solver
from likewise.solvers.registry import solver_settings

if TYPE_CHECKING:
    from likewise.ranking.ann import ItemIndex

log = logging.getLogger("likewise")

INDEX = "index.safetensors"


@dataclass(frozen=True)
class Saved:
    """What an artifact holds.

    Parameters
    ----------
    fitted : FittedModel
    solver : Solver
    data : Dataset
        What it was fitted on, with side tables and feature encoders.
    notes : mapping
        Seed, seconds, history of the fit, preset, metrics: anything that JSON holds.
    index : ItemIndex or None
        Approximate index of the items; its measured recall stands in the manifest.
    written : path or None
        A file in the folder that holds the model's arrays already; it is moved to its place.
    """

    fitted: FittedModel[Any]
    solver: Solver
    data: Dataset
    notes: Mapping[str, Any] = field(default_factory=dict)
    index: ItemIndex | None = None
    written: Path | None = None

    @property
    def model(self) -> Model:
        return self.fitted.config


def save(folder: str | Path, saved: Saved, extra: Mapping[str, Callable[[Path], None]] | None = None) -> None:
    """Write the artifact; the folder's previous artifact stays whole until the new one is."""
    files, described = tables.describe(saved.data)
    files["model.safetensors"] = _arrays_writer(saved)
    index = saved.index
    if index is not None:
        files[INDEX] = lambda path: save_file(index.state(), path)
    manifest = {
        "likewise": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {"name": saved.model.name, "fitted": fitted_name(saved.fitted), "settings": saved.model.settings},
        "solver": {"name": saved.solver.name, "settings": saved.solver.settings},
        "data": described,
        **({} if index is None else {"index": {"recall": index.recall, "k": index.k}}),
        "notes": json.loads(json.dumps(saved.notes, default=_plain)),
    }
    manifest = json.loads(json.dumps(manifest, default=_plain))
    write_folder(Path(folder), {**files, **(extra or {})}, manifest, card(manifest))


def load(folder: str | Path, verify: bool = True) -> Saved:
    """Read an artifact.

    Raises
    ------
    ArtifactError
        If the folder is no saved model, a file is missing, truncated or edited, or its format is newer than this release.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    paths = open_files(folder, manifest, verify)
    try:
        model, solver = manifest["model"], manifest["solver"]
        config = model_settings(model["name"])(**_tuples(model["settings"]))
        fitted = fitted_class(model["fitted"]).from_state(config, read_arrays(paths["model.safetensors"]))
        found_by = solver_settings(solver["name"])(**_tuples(solver["settings"]))
        data = tables.restore(paths, manifest["data"])
        index = _index(fitted, paths)
    except (KeyError, TypeError, ValueError, OSError, SafetensorError, pl.exceptions.PolarsError) as error:
        if isinstance(error, LikewiseError) and not isinstance(error, ValueError):
            raise
        raise ArtifactError(f"{folder} is damaged or was made by another release (likewise {manifest.get('likewise')}): {error}") from error
    return Saved(fitted, found_by, data, manifest["notes"], index)


def _index(fitted: FittedModel[Any], paths: Mapping[str, Path]) -> ItemIndex | None:
    """The saved index; none where its library is not installed: lists are then exact, and slower."""
    vectors = fitted.item_vectors if INDEX in paths else None
    if vectors is None:
        return None
    from likewise.ranking.ann import ItemIndex

    try:
        return ItemIndex.from_state(vectors, read_arrays(paths[INDEX]))
    except MissingExtraError as error:
        log.warning("this model has an approximate index, which is not used: %s", error)
        return None


def _arrays_writer(saved: Saved) -> Callable[[Path], None]:
    if (written := saved.written) is not None:

        def move(path: Path) -> None:
            written.replace(path)

        return move
    arrays = {name: np.ascontiguousarray(array) for name, array in saved.fitted.state().items()}
    broken = [name for name, array in arrays.items() if array.dtype.kind == "f" and np.isnan(array).any()]
    if broken:
        raise ArtifactError(f"the model holds numbers that are not finite (in {', '.join(broken)}); fit it again before saving")
    return lambda path: save_file(arrays, path)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where settings have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
