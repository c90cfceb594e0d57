"""Likewise turns a table of who liked what into a recommender you can trust and ship.

Every public name is here, loaded when it is first used, so that `import likewise` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; tests/test_public_names.py keeps it and _HOMES the same
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

_HOMES = {
    "AmbiguousTitleError": "errors",
    "ArtifactError": "errors",
    "DivergedError": "errors",
    "InputError": "errors",
    "LikewiseError": "errors",
    "MissingExtraError": "errors",
    "NotFittedError": "errors",
    "UnknownIdError": "errors",
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
