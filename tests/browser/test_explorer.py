"""The explorer page in a real browser: what a visitor does, by mouse and by keyboard, in both colours, on a phone and a desk."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

pytestmark = pytest.mark.browser
VIEWS = (
    "#/",
    "#/?me=100:5,101:1",
    "#/?me=100:5&tools=1",
    "#/?user=1",
    "#/map?me=100:5,102:4",
    "#/compare?me=100:5",
    "#/model",
    "#/?item=107",
)


def listed(page: Any) -> list[str]:
    return [row.get_attribute("data-item") for row in page.locator("main .item").all()]


def until(page: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait for an expression to be true; the browser's own waiting would need `eval`, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def settled(page: Any) -> None:
    """Wait until the page's last request is answered and drawn; a click or key has set the sign of work by the time it returns."""
    page.wait_for_selector("main[aria-busy=false] h1")


def opened(page: Any, explorer: str, address: str) -> None:
    page.goto("about:blank")
    page.goto(f"{explorer}/explore{address}")
    settled(page)


def test_rating_five_films_moves_the_list(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/")
    before = listed(page)
    assert len(before) == 15
    for n in range(5):
        title = page.locator(".question .name").inner_text()
        odd = int(re.search(r"\d+", title)[0] if re.search(r"\d+", title) else 1) % 2  # type: ignore[index]
        page.locator(".question .stars label").nth(0 if odd else 4).click()
        settled(page)
        assert page.locator(".mine li").count() == n + 1
    after = listed(page)
    assert after != before
    assert page.locator(".move").count() > 0
    assert page.url.count(":") >= 5
    told = page.locator("#said").text_content()
    assert "The list has changed" in (told or "")


def test_reasons_add_up(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/?me=100:5,102:4,101:1")
    page.get_by_role("button", name=re.compile("^Why ")).first.click()
    settled(page)
    values = [text.replace("−", "-").replace("+", "") for text in page.locator(".step:not(.total) .value").all_inner_texts()]
    total = float(page.locator(".step.total .value").get_attribute("data-sum"))
    assert sum(map(float, values)) == pytest.approx(total, abs=0.006)


def test_a_link_brings_the_view_back(page: Any, explorer: str, chromium: Any) -> None:
    opened(page, explorer, "#/?me=100:5,101:1")
    page.get_by_role("button", name="Filters and knobs").click()
    page.get_by_role("button", name="Western", exact=True).click()
    settled(page)
    assert "Western" in page.url
    page.get_by_label("Diversity").fill("0.6")
    settled(page)
    assert "diversity" in page.url
    page.locator("main .item .name").first.click()
    settled(page)
    link, rows, title = page.url, listed(page), page.locator("#drawer h1").inner_text()
    other = chromium.new_context().new_page()
    other.goto(link)
    settled(other)
    assert listed(other) == rows and other.locator("#drawer h1").inner_text() == title
    assert other.get_by_role("button", name="Western", exact=True, include_hidden=True).get_attribute("aria-pressed") == "true"
    other.context.close()


def test_keys_alone_are_enough(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/")
    page.keyboard.press("/")
    page.keyboard.type("haet of the")
    settled(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    settled(page)
    assert "Heat" in page.locator("#drawer h1").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer:not([open])", state="attached")
    page.locator(".question .stars input").first.focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".mine li").count() == 1
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".mine .stars .on").count() == 3, "the keys go on where the answer stands now"


def test_a_redraw_keeps_the_focus_on_a_star(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/?item=107")
    page.keyboard.press("Escape")
    page.locator(".question .stars input").first.focus()
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    settled(page)
    assert page.evaluate("document.activeElement.type") == "radio"


def test_map_shows_the_visitor_and_the_lasso_chooses(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/map?me=100:5,102:4")
    assert "taste points" in page.locator("[data-you]").inner_text()
    box = page.locator("#chart .draglayer .nsewdrag").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.02)]
    page.mouse.move(box["x"] + box["width"] * 0.02, box["y"] + box["height"] * 0.02)
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=6)
    page.mouse.up()
    until(page, "/inside the lasso/.test(document.querySelector('[data-chosen]').textContent)")


def test_user_compare_code_and_errors(page: Any, explorer: str) -> None:
    opened(page, explorer, "#/?user=1")
    assert page.locator("[aria-label=History] li").count() > 3 and len(listed(page)) == 15
    page.get_by_role("button", name="Copy as curl or Python").click()
    assert "curl 'http" in page.locator("pre").first.inner_text() and "rec.recommend(1" in page.locator("pre").nth(1).inner_text()
    opened(page, explorer, "#/compare?me=100:5,101:1")
    assert page.locator("main .list").count() == 2 and len(listed(page)) == 30
    opened(page, explorer, "#/?user=nobody-at-all")
    assert "not known" in page.locator("main").inner_text()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desk"])
def test_no_view_has_an_accessibility_violation(chromium: Any, explorer: str, colours: str, size: tuple[int, int]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=colours, reduced_motion="reduce", bypass_csp=True
    )
    page = context.new_page()
    found = []
    for view in VIEWS:
        opened(page, explorer, view)
        result = axe.Axe().run(page)
        found += [(view, one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in result.response["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the screen"
    context.close()
    assert found == []
