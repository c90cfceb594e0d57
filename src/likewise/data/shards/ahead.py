"""The next piece is made by a thread of its own while this one is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(pieces: Iterable[T]) -> Iterator[T]:
    """The same pieces in the same order; one is being made while the last is in use, so at most two exist.

    An error in making one is raised where that piece would come.
    """
    left = iter(pieces)
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        coming = reader.submit(_next, left)
        while (found := coming.result()) is not None:
            coming = reader.submit(_next, left)
            yield found[0]


def _next(left: Iterator[T]) -> tuple[T] | None:
    for piece in left:
        return (piece,)
    return None
