"""What a notebook and a terminal show of the objects that people look at."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import likewise as lw

TITLE = "Tom & <b>Jerry</b>"


class Balanced(HTMLParser):
    """Refuses tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("br", "img", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def shown() -> dict[str, object]:
    """One of each, about an item whose title is markup."""
    rng = np.random.default_rng(0)
    pairs = rng.choice(30 * 20, 300, replace=False)
    table = pl.DataFrame({"user_id": pairs // 20, "item_id": pairs % 20, "rating": rng.integers(1, 6, 300)})
    items = pl.DataFrame({"item_id": range(20), "title": [TITLE, *(f"Film {n}" for n in range(1, 20))]})
    data = lw.read(table, items=items)
    train, test = lw.split(data, by="random", seed=0)
    rec = lw.Recommender(lw.Bias()).fit(train)
    visitor = rec.visitor({TITLE: 5, "Film 3": 1, "Nothing": 2})
    comparison = rec.evaluate(test)
    return {
        "dataset": data,
        "report": data.report,
        "new": lw.Recommender(lw.Bias()),
        "recommender": rec,
        "visitor": visitor,
        "visitors": rec.visitors(pl.DataFrame({"user_id": ["a", "b"], "item_id": [1, 2], "rating": [5, 1]})),
        "new item": rec.new_item({1: 5.0}, title=TITLE),
        "reasons": visitor.explain(TITLE),
        "comparison": comparison,
        "evaluation": next(iter(comparison.evaluations.values())),
    }


KINDS = ("dataset", "report", "new", "recommender", "visitor", "visitors", "new item", "reasons", "comparison", "evaluation")


@pytest.mark.parametrize("kind", KINDS)
def test_markup_is_whole_and_escaped(shown: dict[str, object], kind: str) -> None:
    page = shown[kind]._repr_html_()  # type: ignore[attr-defined]
    reader = Balanced()
    reader.feed(page)
    assert reader.open == [] and "<table" in page and "<b>Jerry" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_no_address(shown: dict[str, object], kind: str) -> None:
    text = repr(shown[kind])
    assert " object at 0x" not in text and len(text.splitlines()) < 60


def test_a_recommender_tells_what_it_is(shown: dict[str, object]) -> None:
    page = shown["recommender"]._repr_html_()  # type: ignore[attr-defined]
    assert "Bias(" in page and "30" in page and "not fitted" not in page
    assert "not fitted" in shown["new"]._repr_html_()  # type: ignore[attr-defined]


def test_a_visitor_tells_what_they_said(shown: dict[str, object]) -> None:
    page = shown["visitor"]._repr_html_()  # type: ignore[attr-defined]
    assert "Tom &amp; &lt;b&gt;Jerry" in page and "Film 3" in page and "Nothing" in page
