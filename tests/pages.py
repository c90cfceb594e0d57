"""Runs the code of documents, and keeps what they print and draw.

A ```text block right below a block of code is what that code printed. `python -m tests.pages [PAGE ...]` runs pages and writes these
blocks anew; pictures that a page saves in its folder go to `docs/images/`. The tests run the same code and compare.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.blocks import blocks, script

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "samples").glob("*.md")])
WITH_CODE = [page for page in PAGES if any(block.mark is None for block in blocks(page))]
PICTURES = (".svg", ".png")
OUTPUT = re.compile(r"(?P<before>\n*)(?P<indent>[ ]*)```text\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
MARK = "\x1e"
RUNNER = """
import os, runpy, sys, traceback
import pandas
pandas.set_option("display.width", 110, "display.max_columns", 20, "display.max_colwidth", 44, "display.precision", 3)
failed = 0
for path in sys.argv[1:]:
    os.chdir(os.path.dirname(path))
    print("\\x1e" + path, flush=True)
    try:
        runpy.run_path(path, run_name="__main__")
    except BaseException:
        failed = 1
        traceback.print_exc()
sys.exit(failed)
"""


@dataclass
class Told:
    """What a run of a page printed, by the line its block starts on, and the pictures it left."""

    printed: dict[int, str] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def environment() -> dict[str, str]:
    """The surroundings of a page's code: the commands of this installation, and how tables and pictures look."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
        "MPLBACKEND": "Agg",
        "MATPLOTLIBRC": str(ROOT / "docs" / "matplotlibrc"),
        "SOURCE_DATE_EPOCH": "0",
        "POLARS_FMT_TABLE_HIDE_DATAFRAME_SHAPE_INFORMATION": "1",
        "POLARS_FMT_TABLE_HIDE_COLUMN_DATA_TYPES": "1",
        "POLARS_FMT_STR_LEN": "44",
        "POLARS_FMT_MAX_ROWS": "30",
        "POLARS_TABLE_WIDTH": "110",
    }


def run(pages: Sequence[Path], folder: Path) -> tuple[dict[Path, Told], subprocess.CompletedProcess[str]]:
    """Run pages one after another in one process, each in a folder of its own."""
    paths = []
    for page in pages:
        home = folder / name(page).replace("/", "-").removesuffix(".md")
        home.mkdir()
        paths.append(home / "page.py")
        paths[-1].write_text(script(page, told=True), encoding="utf-8")
    command = [sys.executable, "-u", "-W", "error", "-c", RUNNER, *map(str, paths)]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=580)
    return {page: _told(done.stdout, path) for page, path in zip(pages, paths, strict=True)}, done


def _told(stdout: str, path: Path) -> Told:
    told = Told(pictures=sorted(found for found in path.parent.iterdir() if found.suffix in PICTURES))
    _, _, mine = stdout.partition(f"{MARK}{path}\n")
    mine = mine.partition(f"{MARK}/")[0]
    for part in mine.split(MARK)[1:]:
        line, _, text = part.partition("\n")
        told.printed[int(line)] = text
    return told


def outputs(page: Path) -> dict[int, re.Match[str]]:
    """The ```text block right below each block of code, by the line that the code starts on."""
    text = page.read_text(encoding="utf-8")
    found = {}
    for block in blocks(page):
        after = OUTPUT.match(text, block.end)
        if block.mark is None and after and len(after["before"]) <= 2:
            found[block.line] = after
    return found


def alike(told: str, printed: str) -> float:
    """How much of two outputs agrees, 0 to 1: words, and numbers to two digits, as processors differ in the last ones."""
    return SequenceMatcher(None, _words(told), _words(printed), autojunk=False).ratio()


def _words(text: str) -> list[str]:
    return [_rounded(word) for word in text.split() if not set(word) <= set("─━═┄╌┌┐└┘┬┴┼│┆╞╡╪-—")]


def _rounded(word: str) -> str:
    try:
        return f"{float(word.strip('%,;:()')):.2g}"
    except ValueError:
        return word


def write(page: Path, told: Told) -> bool:
    """Write what was printed into the page, and its pictures beside the others; whether anything changed."""
    text = before = page.read_text(encoding="utf-8")
    for line, found in sorted(outputs(page).items(), reverse=True):
        body = "".join(f"{found['indent']}{row}".rstrip() + "\n" for row in told.printed.get(line, "").strip("\n").splitlines())
        text = text[: found.start("text")] + body + text[found.end("text") :]
    page.write_text(text, encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    for picture in told.pictures:
        shutil.copy(picture, IMAGES / picture.name)
    return text != before


def main(arguments: Sequence[str]) -> int:
    wanted = [Path(given).resolve() for given in arguments]
    chosen = [page for page in WITH_CODE if not wanted or any(page == path or path in page.parents for path in wanted)]
    with TemporaryDirectory() as folder:
        told, done = run(chosen, Path(folder))
        for page, found in told.items():
            print(f"{'written' if write(page, found) else 'as it was':10} {name(page)}  {len(found.pictures)} pictures")
    if done.returncode:
        print(done.stderr[-6000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
