"""The public names resolve, are the same for people and for type checkers, and the tree of errors is drawn as it is."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import likewise
from likewise import errors

SOURCE = Path(likewise.__file__ or "").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", likewise.__all__)
def test_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(likewise, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{name} has no docstring"
        assert value.__module__.startswith("likewise.")


def test_type_checkers_see_the_same_names() -> None:
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: (node.module or "").removeprefix("likewise.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == likewise._HOMES


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'recomender'"):
        _ = likewise.recomender


def test_dir_lists_the_public_names() -> None:
    assert set(likewise.__all__) | {"__version__"} == set(dir(likewise))


def test_version_is_the_installed_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", likewise.__version__)


def drawn_tree() -> dict[str, str]:
    """Return class -> parent as drawn at the top of errors.py."""
    parents: dict[str, str] = {}
    trail: list[str] = []
    for line in (errors.__doc__ or "").replace("\n    ", "\n").splitlines():
        match = re.match(r"^(?P<lead>[ │├└─]*)(?P<name>\w+Error)\b", line)
        if match is None:
            continue
        depth = len(match["lead"]) // 4
        del trail[depth:]
        if trail:
            parents[match["name"]] = trail[-1]
        trail.append(match["name"])
    return parents


def test_errors_are_drawn_as_they_are() -> None:
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__}
    actual = {
        name: next(base.__name__ for base in value.__bases__ if issubclass(base, errors.LikewiseError))
        for name, value in classes.items()
        if value is not errors.LikewiseError
    }
    assert drawn_tree() == actual


def test_all_errors_are_public() -> None:
    assert {name for name in vars(errors) if name.endswith("Error")} <= set(likewise.__all__)
