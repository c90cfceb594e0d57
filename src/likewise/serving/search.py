"""Items by title, with typing errors: what begins so, what holds it, what is near to it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

NEAR = 62.0
"""Likeness in percent from which a title counts as meant."""


class Search:
    """Titles made ready to be searched.

    Parameters
    ----------
    titles, ids : sequences of str, one an item row
    popularity : int [item]
        Orders what fits equally well.

    Examples
    --------
    >>> Search(["Heat (1995)", "The Matrix (1999)"], ["6", "2571"], [1, 2]).find("martix", 5)
    [(1, 83.3)]
    """

    def __init__(self, titles: Sequence[str], ids: Sequence[str], popularity: Any) -> None:
        self.popularity = np.asarray(popularity)
        self.order = np.argsort(-self.popularity, kind="stable")
        self.titles = [folded(titles[row]) for row in self.order]
        self.ids = {raw: row for row, raw in enumerate(ids)}
        self.words: dict[str, list[int]] = {}
        for place, title in enumerate(self.titles):
            for word in set(title.split()):
                self.words.setdefault(word, []).append(place)

    def find(self, query: str, n: int) -> list[tuple[int, float]]:
        """Rows and how well they fit in percent, best first; everything by popularity for an empty query."""
        wanted = folded(query)
        if not wanted:
            return [(int(row), 0.0) for row in self.order[:n]]
        places: dict[int, float] = {}
        if query.strip() in self.ids:
            row = self.ids[query.strip()]
            places[int(np.flatnonzero(self.order == row)[0])] = 100.0
        begins, holds = [], []
        for place, title in enumerate(self.titles):
            at = title.find(wanted)
            if at == 0:
                begins.append(place)
            elif at > 0 and title[at - 1] == " ":
                holds.append(place)
        for place in begins[:n]:
            places.setdefault(place, 100.0)
        for place in holds[:n]:
            places.setdefault(place, 95.0)
        if len(places) < n and len(wanted) > 2:
            for place, score in self._near(wanted, n):
                places.setdefault(place, round(min(score, 94.0), 1))
        return [(int(self.order[place]), score) for place, score in list(places.items())[:n]]

    def _near(self, wanted: str, n: int) -> list[tuple[int, float]]:
        """Places of titles whose words are near to those wanted: the sum over the words, the most popular first among equals."""
        words = wanted.split()
        total: dict[int, float] = {}
        for word in words:
            best: dict[int, float] = {}
            for near, score, _ in process.extract(word, self.words.keys(), scorer=fuzz.ratio, limit=20, score_cutoff=NEAR):
                for place in self.words[near][:1000]:
                    best[place] = max(best.get(place, 0.0), score)
            for place, score in best.items():
                total[place] = total.get(place, 0.0) + score / len(words)
        ordered = sorted(total.items(), key=lambda found: (-found[1], found[0]))
        return [found for found in ordered if found[1] >= NEAR * 0.8][:n]


def folded(text: str) -> str:
    """Letters and digits alone, without accents or case; a trailing article comes first ("Matrix, The")."""
    text = re.sub(r"^(.*), (the|a|an|le|la|les|der|die|das|il|el)\b", r"\2 \1", text.casefold())
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", text))
