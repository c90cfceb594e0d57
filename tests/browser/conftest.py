"""A service and a headless Chromium; skipped with the reason where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import saved_models
from tests.serving_process import running

__all__ = ["saved_models"]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def explorer(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the page over a small model, with a second one beside it."""
    folder = Path(shutil.copytree(saved_models / "dot", tmp_path_factory.mktemp("explorer") / "model"))
    with running(folder, "--beside", str(saved_models / "other")) as service:
        yield service.url


@pytest.fixture(scope="module")  # not longer: one process runs one Playwright at a time
def chromium() -> Iterator[Any]:
    """Return a headless browser that reaches nothing but this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, explorer: str) -> Iterator[Any]:
    """Return a page that fails the test on a console error, an exception, or a request to anywhere but the service."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((explorer, "data:", "blob:")) else troubles.append(request.url))
    yield page
    context.close()
    assert troubles == []
