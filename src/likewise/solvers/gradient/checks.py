"""Checks that settings share: each refuses with one line."""

from __future__ import annotations

import math
from collections.abc import Iterable

from likewise.errors import InputError


def at_least(name: str, value: float, low: float) -> None:
    """Refuse a number below `low`, or one that is not a number."""
    if not isinstance(value, int | float) or math.isnan(value) or value < low:
        raise InputError(f"{name} must be at least {low}; got {value!r}")


def above(name: str, value: float, low: float) -> None:
    """Refuse a number that is not greater than `low`."""
    if not isinstance(value, int | float) or not value > low:
        raise InputError(f"{name} must be greater than {low}; got {value!r}")


def fraction(name: str, value: float) -> None:
    """Refuse what lies outside [0, 1)."""
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"{name} must lie in [0, 1); got {value!r}")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a word that is not in the list."""
    if value not in (words := sorted(allowed)):
        raise InputError(f"{name} must be one of {', '.join(words)}; got {value!r}")
