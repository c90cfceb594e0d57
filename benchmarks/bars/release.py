"""The bars of a release: beside the best other library in every row, small enough to ship, and read in an afternoon.

A row's value is the near end of the 95 % interval of Likewise's first preset minus the peer, paired by person and turned so that
more is better: above zero Likewise is better, and the bar asks that it is at least not significantly worse (the far end).
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bars._bars import Board, run
from benchmarks.contenders import PEOPLE, contender
from benchmarks.measure import ROOT, likewise
from benchmarks.suites import split_of, suites
from likewise.evaluation.significance import differences

ROWS = {
    "ml-100k-u1": ("posterior", "myfm:ids"),
    "ml-100k-r90": ("posterior", "myfm:ids"),
    "ml-latest-small-r90": ("posterior", "myfm:ids"),
    "ml-1m-r90": ("posterior", "cornac:mf"),
    "topn-ml-100k": ("top-n", "implicit:als"),
    "topn-ml-1m": ("top-n", "implicit:als-1m"),
    "topn-ml-latest-small": ("top-n", "implicit:als"),
}
"""A suite, our preset and the peer that is nearest to it or ahead, as `docs/benchmarks.md` shows."""

ONNX = """
import json, sys
from time import perf_counter
import numpy as np, onnxruntime
import likewise
rec = likewise.load(sys.argv[1])
rng = np.random.default_rng(0)
rows = [np.sort(rng.choice(len(rec.data.items), 10, replace=False)) for _ in range(200)]
given = [dict(zip(rec.data.items.take(some).to_list(), map(float, rng.integers(1, 6, 10)))) for some in rows]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[2], options)
empty = np.zeros(0, np.bool_)

def graph(n):
    ratings = np.fromiter(given[n].values(), np.float32)
    return session.run(None, {"user": np.array([-1]), "items": rows[n].astype(np.int64), "ratings": ratings,
                              "exclude": rows[n].astype(np.int64), "allowed": empty, "k": np.array([10])})

def library(n):
    return rec.visitor(given[n]).recommend(10)

def seconds(work):
    for n in range(20):
        work(n)
    found = []
    for n in range(200):
        start = perf_counter(); work(n); found.append(perf_counter() - start)
    return float(np.median(found))

print(json.dumps({"graph": seconds(graph), "library": seconds(library)}))
"""


def bars(board: Board) -> None:
    for suite, (preset, peer) in ROWS.items():
        board.at_least(f"{suite}: {preset} against {peer}, far end of the interval", lambda s=suite, p=preset, o=peer: gap(s, p, o), 0)
    sources = list((ROOT / "src").rglob("*.py"))
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in sources]
    board.at_most("lines of the longest source file", max(lines), 400)
    board.at_most("lines of the median source file", median(lines), 150)
    board.at_most("modules in an import cycle", lambda: len(in_cycles(sources)), 0)
    with tempfile.TemporaryDirectory() as folder:
        board.at_most("the wheel, MB", lambda: wheel(Path(folder)), 1)
        board.at_most("one fold-in request by ONNX Runtime, times the library's own time", lambda: exported(board, Path(folder)), 1)


@cache
def gap(suite: str, preset: str, peer: str) -> float:
    """The far end of the interval, turned so that more is better for us."""
    task, split = suites()[suite].task, split_of(suites()[suite])
    ours, theirs = (contender(name, kind).run(task, split, 0, 1) for name, kind in ((preset, "preset"), (peer, "peer")))
    for found in (ours, theirs):
        if "problem" in found:
            raise RuntimeError(found["problem"])
    (found,) = differences({"": ours[PEOPLE]}, {"": theirs[PEOPLE]})
    return -found.low if task == "rating" else found.high


def in_cycles(sources: list[Path]) -> set[str]:
    """Modules that import themselves by way of others, by their top-level imports."""
    names = {_module(path): path for path in sources}
    needs = {name: _imports(path, names.keys()) - {name} for name, path in names.items()}
    while free := [name for name, wanted in needs.items() if not wanted & needs.keys()]:  # those that need nobody left
        for name in free:
            del needs[name]
    return set(needs)


def wheel(folder: Path) -> float:
    """Megabytes of the wheel as `pip wheel` makes it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return next(folder.glob("likewise-*.whl")).stat().st_size / 1e6


def exported(board: Board, folder: Path) -> float:
    """Median seconds of a visitor's ten ratings to ten items, by the exported graph over by the library, one thread each."""
    model, graph = folder / "model", folder / "model.onnx"
    board.run([*likewise(), "fit", board.data("ml-100k/u1.base"), "--preset", "dot", "--out", model])
    board.run([*likewise(), "export", model, "--onnx", graph])
    told: dict[str, Any] = board.run([sys.executable, "-c", ONNX, model, graph], threads=1).json()
    return float(told["graph"] / told["library"])


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: Collection[str]) -> set[str]:
    """Modules that a file's top level imports; `from package import module` needs the module, not the package's own lines."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {name.name: f"{node.module}.{name.name}" for name in node.names}
            found |= {module if module in known else node.module for module in inner.values()}
    return found & set(known)


if __name__ == "__main__":
    run("release", bars)
