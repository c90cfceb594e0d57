"""`import likewise` and `likewise --help` start fast, because they load next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BUDGET_SECONDS = 0.3
TYPER = {"typer", "rich", "click", "shellingham", "annotated_doc", "typing_extensions", "pygments", "markdown_it", "mdurl", "colorama"}
ALLOWED = {"likewise"} | TYPER
REPORT = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
HELP = """
import sys
from likewise.cli import main
sys.argv = ["likewise", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code
"""
DOORS = {"import likewise": "import likewise", "likewise --help": HELP}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def loaded_beyond_bare_python(code: str) -> set[str]:
    """Return the top-level packages that `code` loads and that the interpreter alone does not (site hooks load some)."""
    marker = "---loaded---"
    after = run(f"{code}\nprint('{marker}')\n{REPORT}").split(marker)[1].split()
    return set(after) - set(run(REPORT).split())


@pytest.mark.parametrize("door", DOORS)
def test_nothing_heavy_is_loaded(door: str) -> None:
    assert loaded_beyond_bare_python(DOORS[door]) <= ALLOWED


@pytest.mark.parametrize("door", DOORS)
def test_starts_within_the_budget(door: str) -> None:
    """Processor time, interpreter included, best of several runs: other work on the machine can only slow a run down."""
    best = float("inf")
    for _ in range(8):
        before = os.times()
        run(DOORS[door])
        after = os.times()
        best = min(best, after.children_user + after.children_system - before.children_user - before.children_system)
        if best < BUDGET_SECONDS:
            break
    assert best < BUDGET_SECONDS
