"""Every code block of the documents runs, and every relative link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.tables import documents, filled
from tests.blocks import blocks, script
from tests.pages import IMAGES, PAGES, ROOT, WITH_CODE, alike, environment, name, outputs, run

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
FOLDERS = sorted({page.parent for page in WITH_CODE})
AGREE = 0.75
"""Least agreement of what a page shows with what its code prints now: processors differ in last digits and close ranks, drift shows."""


@pytest.mark.timeout(600)  # a folder is one process; on a busy machine its guides take minutes
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: name(folder) if folder != ROOT else "top")
def test_code_blocks_run(folder: Path, tmp_path: Path) -> None:
    """The pages of a folder, run in one process: no error, no warning, and they print and draw what they show."""
    told, done = run([page for page in WITH_CODE if page.parent == folder], tmp_path)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    for page, found in told.items():
        for line, shown in outputs(page).items():
            agreement = alike(shown["text"], found.printed[line])
            assert agreement >= AGREE, f"{name(page)}:{line} shows something else than its code prints ({agreement:.2f}): make pages"
        missing = [picture.name for picture in found.pictures if not (IMAGES / picture.name).exists()]
        assert not missing, f"{name(page)} draws {missing}, not in docs/images: make pages"


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", example], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    assert done.stdout


def test_tables_are_as_the_results_say() -> None:
    stale = [name(page) for page in documents() if filled(text := page.read_text(encoding="utf-8")) != text]
    assert not stale, "python -m benchmarks.tables"


@pytest.mark.parametrize("page", [page for page in PAGES if "docs" not in page.relative_to(ROOT).parts], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Pages in docs/ are checked by the strict build of the site."""
    broken = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()]
    assert not broken


PAGE = """# Page

```python
x = 1
```

<!-- not run: needs a server -->
```bash
likewise serve
```

<!-- ci -->
```bash
make demo
```

```python
assert x == 1
```
"""


def test_blocks_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    marks = [(block.language, block.mark) for block in blocks(page)]
    assert marks == [("python", None), ("bash", "not run: needs a server"), ("bash", "ci"), ("python", None)]
    lines = script(page).splitlines()
    assert [number for number, line in enumerate(lines, start=1) if line] == [4, 18]
    assert PAGE.splitlines()[17] == lines[17]


def test_outputs_are_found_and_compared(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(0.5)\n```\n\n```text\n0.5\n```\n\n```python\nx = 1\n```\n\nWords.\n\n```text\nno output\n```\n", encoding="utf-8"
    )
    assert {line: found["text"] for line, found in outputs(page).items()} == {2: "0.5\n"}
    assert alike("rmse 0.8712 of knn", "rmse 0.8719 of knn") == 1
    assert alike("rmse 0.8712 of knn", "mae 0.6 of bias") < AGREE


def test_readme_shows_how_to_start() -> None:
    """`.ci/run` follows README literally, so the two commands must be marked there."""
    commands = "".join(block.code for block in blocks(ROOT / "README.md") if block.mark == "ci").split("\n")
    assert "make demo" in commands
    assert "make test" in commands
