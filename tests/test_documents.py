"""Every code block of the documents runs, and every relative link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import blocks, script

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "samples").glob("*.md")])
WITH_CODE = [page for page in PAGES if any(block.mark is None for block in blocks(page))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_code_blocks_run(page: Path, tmp_path: Path) -> None:
    path = tmp_path / (page.stem + ".py")
    path.write_text(script(page), encoding="utf-8")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    done = subprocess.run([sys.executable, "-W", "error", path], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{name(page)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


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


def test_readme_shows_how_to_start() -> None:
    """`.ci/run` follows README literally, so the two commands must be marked there."""
    commands = "".join(block.code for block in blocks(ROOT / "README.md") if block.mark == "ci").split("\n")
    assert "make demo" in commands
    assert "make test" in commands
