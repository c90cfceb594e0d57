"""The Makefile explains itself, and the settings of the tools agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = {"demo", "test", "check", "docs", "bench", "bench-peers", "bench-full", "bars", "quality", "help", "install-torchrec"}


def test_make_help_lists_the_targets() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+)", shown, re.MULTILINE)) >= TARGETS


def test_bars_can_be_run_one_by_one() -> None:
    shown = subprocess.run(["make", "-n", "bars", "ONLY=posterior"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "for bar in posterior;" in shown


def test_direct_dependencies_are_pinned() -> None:
    """What `make` installs from is pinned in constraints.txt; extras that are not installed by it need no pin."""
    pins = {name(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line and line[0] != "#"}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in ("plots", "serve", "sql", "tune", "export", "docs", "dev") for line in extras[extra]),
    ]
    assert {name(line) for line in wanted} - {"likewise"} <= pins


def name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("paper", ["LICENSE", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CITATION.cff"])
def test_papers_are_there(paper: str) -> None:
    assert (ROOT / paper).stat().st_size > 200


def test_versions_agree() -> None:
    version = PROJECT["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_architecture_names_every_layer() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    rooms = {room for layer in contract["layers"] for room in re.findall(r"\w+", layer)} - {"__main__"}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert not {room for room in rooms if f"`{room}/`" not in page and f"`{room}.py`" not in page}
