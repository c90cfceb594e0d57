"""Presets: a model, its solver and their settings as a TOML file with a name.

    [preset]
    about = "one line"
    task = "rating"            # or "list": what the preset is for
    [model]
    name = "dot"
    factors = 64
    [solver]
    name = "gradient"
    epochs = 20
    [solver.optimizer]
    name = "sgd"
    [tune]                     # optional: where `likewise tune` searches
    "model.factors" = { low = 16, high = 128, log = true }

The files beside this one ship with the package; a path to a file of your own is taken wherever a name is.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.registry import model_settings
from likewise.solvers.base import Solver, check_fits_together
from likewise.solvers.registry import solver_settings

FOLDER = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Preset:
    """A named choice of model and solver.

    >>> load_preset("bias").model.name
    'bias'
    """

    name: str
    about: str
    task: str
    model: Model
    solver: Solver


def preset_names() -> list[str]:
    """The presets that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_preset(name: str | Path, changes: Mapping[str, Any] | None = None) -> Preset:
    """A preset by name or path, with single settings changed: `{"solver.epochs": 20, "model.factors": 64}`.

    Raises InputError for an unknown preset, a file that is no preset, and an unknown or impossible setting.
    """
    return preset_of(read_tables(name, changes), Path(name).stem if str(name).endswith(".toml") else str(name))


def read_tables(name: str | Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The tables of a preset's file, with single settings changed."""
    path = Path(name) if str(name).endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"there is no preset {str(name)!r}; there are: {', '.join(preset_names())}, or give the path of a .toml file")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from error
    for key, value in (changes or {}).items():
        _change(tables, key, value)
    return tables


def preset_of(tables: Mapping[str, Any], name: str) -> Preset:
    """A preset from its tables, every setting checked."""
    head = dict(tables.get("preset", {}))
    model = _settings(tables, "model", name)
    solver = _settings(tables, "solver", name)
    check_fits_together(model, solver)
    return Preset(name, str(head.get("about", "")), str(head.get("task", "rating")), model, solver)


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """`["solver.epochs=20", "model.hidden=[100, 50]"]` as a mapping; values are read as TOML, bare words as text.

    >>> parse_changes(["solver.epochs=20", "model.output=clip"])
    {'solver.epochs': 20, 'model.output': 'clip'}
    """
    parsed: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or "." not in key:
            raise InputError(f"a change must read model.SETTING=VALUE or solver.SETTING=VALUE; got {change!r}")
        try:
            parsed[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[key.strip()] = text.strip()
    return parsed


def _settings(tables: Mapping[str, Any], part: str, preset: str) -> Any:
    table = tables.get(part)
    if not isinstance(table, Mapping) or "name" not in table:
        raise InputError(f"preset {preset!r} needs a table [{part}] with a name")
    kind = model_settings(table["name"]) if part == "model" else solver_settings(table["name"])
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items() if key != "name"}
    known = [field.name for field in dataclasses.fields(kind) if field.init]
    for key in given:
        if key not in known:
            close = get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"{part} {table['name']!r} has no setting {key!r}; it has: {', '.join(known) or 'none'}{hint}")
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"[{part}] of preset {preset!r}: {error}") from error


def _change(tables: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    if not parents or parents[0] not in ("model", "solver"):
        raise InputError(f"a setting to change starts with 'model.' or 'solver.'; got {key!r}")
    table = tables
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise InputError(f"{key!r} cannot be set: {parent!r} is a single value, not a table")
        table = inner
    table[last] = value
