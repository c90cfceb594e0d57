"""The report in a browser: no accessibility violation, nothing wider than a phone, search and neighbours by keyboard, quickly there."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.studies.report import write_report
from tests.insight.worlds import fitted

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    rec, test = fitted()
    return write_report(rec, tmp_path_factory.mktemp("report") / "report.html", test).as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_nobody_is_shut_out(chromium, address, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [address] and said == []
    context.close()


def test_search_and_neighbours_by_keyboard(chromium, address):
    page = chromium.new_page()
    page.goto(address)
    page.fill("#find", "film 10")
    page.keyboard.press("Enter")
    assert page.inner_text("#like h3") == "Film 10"
    page.focus("#like li:first-child button")
    other = page.inner_text("#like li:first-child button span")
    page.keyboard.press("Enter")
    assert page.inner_text("#like h3") == other
    page.focus("#points")
    for key in ("ArrowLeft", "+", "-", "Enter", "Escape"):
        page.keyboard.press(key)
    page.click("[data-group='0']")
    assert page.get_attribute("[data-group='0']", "aria-pressed") == "true"
    page.click("#theme")
    assert page.evaluate("document.documentElement.style.colorScheme") in ("dark", "light")
    page.close()


def test_titles_never_run(chromium, address):
    page = chromium.new_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a title ran: {dialog.message}"))
    page.goto(address)
    page.fill("#find", "script")
    page.keyboard.press("Enter")
    assert page.inner_text("#like h3").startswith("<script>")
    page.close()


def test_ten_thousand_items_are_there_in_two_seconds(chromium, tmp_path):
    rng = np.random.default_rng(0)
    events = pl.DataFrame(
        {"user_id": rng.integers(0, 400, 60_000), "item_id": np.arange(60_000) % 10_000, "rating": rng.integers(1, 6, 60_000)}
    )
    data = Dataset.of(events.unique(["user_id", "item_id"], keep="first", maintain_order=True))
    rec = lw.Recommender(lw.Dot(factors=8), lw.Gradient(epochs=1)).fit(data)
    path = write_report(rec, tmp_path / "r.html", data.select(np.arange(500)))
    assert path.stat().st_size < 8e6
    page = chromium.new_page()
    page.goto(path.as_uri())
    seconds = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
    assert seconds < 2
    page.close()
