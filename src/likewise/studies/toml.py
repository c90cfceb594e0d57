"""Preset tables as TOML text; the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dumps(tables: Mapping[str, Any]) -> str:
    """TOML of nested mappings of texts, numbers, truths and lists of these.

    >>> print(dumps({"model": {"name": "dot", "range": [1, 5]}, "solver": {"optimizer": {"lr": 0.1}}}))
    [model]
    name = "dot"
    range = [1, 5]
    <BLANKLINE>
    [solver.optimizer]
    lr = 0.1
    <BLANKLINE>
    """
    return "\n".join(_lines(tables, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    inline = path == ("tune",)
    flat = {name: value for name, value in table.items() if value is not None and (inline or not isinstance(value, Mapping))}
    lines = ["", f"[{'.'.join(map(_key, path))}]"] if path and flat else []
    lines += [f"{_key(name)} = {_value(value)}" for name, value in flat.items()]
    for name, value in table.items():
        if name not in flat and isinstance(value, Mapping):
            lines += _lines(value, (*path, name))
    return lines


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=True)
