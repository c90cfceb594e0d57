"""The bars of speed: the one-pass kernel, the ranking kernel, reading; each beside what it is compared with, in one run.

Snippets run in fresh processes and print one JSON object. Times are the best of several repetitions: other work on a machine can
only slow one down. Peers that are not installed leave their bars unmet and say so (`make bench-peers`).
"""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.bars._bars import Board, run
from benchmarks.contenders import contender
from benchmarks.install_peers import python_of, status
from benchmarks.measure import likewise
from benchmarks.suites import split_of, suites

QUICK = ("--set", "model.factors=16", "--set", "solver.epochs=8", "--set", "solver.optimizer.lr=0.04")
"""The preset `dot` cut down to what already beats fastai and Cornac; chosen on a part of the training rows."""
QUICK_1M = ("--set", "model.factors=16", "--set", "solver.epochs=12", "--set", "solver.optimizer.lr=0.03")

KERNEL = """
import json, sys
import polars as pl
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import SGD, Constant, Gradient, Penalty
data = Dataset.of(pl.read_parquet(sys.argv[1], columns=["user_id", "item_id", "rating"]))
solver = Gradient(epochs=8, optimizer=SGD(lr=0.005), schedule=Constant(), penalty=Penalty(l2=0.1), engine="one-pass")
found = {}
for factors, threads in ((10, 1), (16, 1), *((64, 1), (64, 2)) * 6):
    epochs = solver.fit(Dot(factors=factors, init="small"), data, Run(threads=threads)).history
    name = f"{factors} factors, {threads} threads"
    found[name] = max([found.get(name, 0.0), *(epoch["rows_per_second"] / 1e6 for epoch in epochs)])
print(json.dumps(found))
"""

RANKING = """
import json, sys
from time import perf_counter
import numpy as np
from likewise.data.csr import CSR
from likewise.ranking.topk import top_k
given = np.load(sys.argv[1])
users, items = given["users"], given["items"]
seen = CSR(given["indptr"], given["columns"], None, len(items))

def best(work, times=5):
    found = []
    for _ in range(times):
        start = perf_counter(); work(); found.append(perf_counter() - start)
    return min(found)

def by_partition():
    columns, lists = np.ascontiguousarray(items.T), []
    for start in range(0, len(users), 1024):
        stop = min(start + 1024, len(users))
        scores = users[start:stop] @ columns
        rows = np.repeat(np.arange(stop - start), np.diff(seen.indptr[start:stop + 1]))
        scores[rows, seen.columns[seen.indptr[start]:seen.indptr[stop]]] = -np.inf
        part = np.argpartition(-scores, 100, axis=1)[:, :100]
        order = np.argsort(-np.take_along_axis(scores, part, 1), axis=1)
        lists.append(np.take_along_axis(part, order, 1))
    return np.vstack(lists)

def peak():  # the most memory held since the last call, MB: Linux counts it, and forgets it on request
    status = dict(line.split(":") for line in open("/proc/self/status"))
    open("/proc/self/clear_refs", "w").write("5")
    return int(status["VmHWM"].split()[0]) / 1024

top_k(users[:5], items, 5, seen.take(np.arange(5, dtype=np.int32)))
peak(), (before := peak())
ours = top_k(users, items, 100, seen)
used = peak() - before
assert (ours.items == by_partition()).mean() > 0.999
found = {"seconds": best(lambda: top_k(users, items, 100, seen)), "numpy": best(by_partition, 3), "mb": used}
rng = np.random.default_rng(0)
for n in (100_000, 1_000_000):
    vectors, person = rng.standard_normal((n, 64), np.float32), rng.standard_normal((1, 64), np.float32)
    alone, top = [], []
    for _ in range(30):  # in turns, so that other work on the machine meets both
        alone.append(best(lambda: vectors @ person[0], 1)); top.append(best(lambda: top_k(person, vectors, 10), 1))
    found[f"one of {n}"] = min(top) / min(alone)
print(json.dumps(found))
"""

IMPLICIT = """
import json, sys
from time import perf_counter
import numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
given = np.load(sys.argv[1])
users, items = given["users"], given["items"]
seen = sp.csr_matrix((np.ones(len(given["columns"]), np.float32), given["columns"], given["indptr"]), (len(users), len(items)))
model = AlternatingLeastSquares(factors=users.shape[1], num_threads=2)
model.user_factors, model.item_factors = users, items
found = []
for _ in range(3):
    start = perf_counter()
    for first in range(0, len(users), 1000):
        rows = np.arange(first, min(first + 1000, len(users)))
        model.recommend(rows, seen[rows], N=100, filter_already_liked_items=True)
    found.append(perf_counter() - start)
print(json.dumps({"seconds": min(found)}))
"""

FACTORS = """
import sys
import numpy as np, polars as pl
from likewise.data.dataset import Dataset
data = Dataset.of(pl.read_parquet(sys.argv[1], columns=["user_id", "item_id"])).interactions
rng = np.random.default_rng(0)
users, items = (rng.standard_normal((n, 128), np.float32) for n in (data.n_users, data.n_items))
np.savez(sys.argv[2], users=users, items=items, indptr=data.by_user.indptr, columns=data.by_user.rows)
"""

READING = """
import json, sys
from time import perf_counter
import polars as pl
import likewise
path = sys.argv[1]
likewise.read(sys.argv[2])

def best(work):
    found = []
    for _ in range(5):
        start = perf_counter(); kept = work(); found.append(perf_counter() - start)
    return min(found), kept

bare, _ = best(lambda: pl.read_csv(path))
ours, data = best(lambda: likewise.read(path))
events = data.interactions
arrays = [events.users, events.items, events.ratings, events.weights, events.times, *events.context.values()]
print(json.dumps({"ratio": ours / bare, "seconds": ours, "bytes": sum(a.nbytes for a in arrays if a is not None) / len(events)}))
"""


def bars(board: Board) -> None:
    u1 = board.data("ml-100k/u1.base"), board.data("ml-100k/u1.test")
    r90 = board.data("splits/ml-1m-r90.train.parquet"), board.data("splits/ml-1m-r90.test.parquet")
    with tempfile.TemporaryDirectory() as folder:
        _kernel(board, r90)
        _to_a_peers_error(board, u1, r90, Path(folder))
        _ranking(board, r90[0], Path(folder))
        _reading(board, r90, Path(folder))


def _kernel(board: Board, r90: tuple[Path, Path]) -> None:
    @cache
    def speeds() -> dict[str, Any]:
        return board.run([sys.executable, "-c", KERNEL, r90[0]], threads=2).json()

    board.at_least("kernel, 64 factors, one core, million updates a second", lambda: speeds()["64 factors, 1 threads"], 18)
    board.at_least("two cores against one", lambda: speeds()["64 factors, 2 threads"] / speeds()["64 factors, 1 threads"], 1.7)
    board.at_least("kernel, 16 factors, one core, million updates a second", lambda: speeds()["16 factors, 1 threads"], 45)
    board.at_least(
        "kernel against Cornac's MF, 10 factors, updates a second", lambda: speeds()["10 factors, 1 threads"] / _cornac_rate(), 3
    )
    board.at_most("dot, ML-1M r90, RMSE", lambda: board.median(*r90, "dot", "rmse"), 0.842, accuracy=True)


def _to_a_peers_error(board: Board, u1: tuple[Path, Path], r90: tuple[Path, Path], folder: Path) -> None:
    def cold() -> float:
        command = ["env", f"NUMBA_CACHE_DIR={folder / 'nothing-compiled-yet'}", *likewise(), "bench", u1[0], "--test", u1[1]]
        told = board.run([*command, "--preset", "dot", *QUICK, "--json"], threads=1).json()
        return _peer("ml-100k-u1", "fastai:dot")["fit_seconds"] / (told["fit_seconds"] + told["compile_seconds"])

    board.at_most("dot, quick, ML-100K u1, RMSE", lambda: board.median(*u1, "dot", "rmse", *QUICK), 0.9406, accuracy=True)
    warm = lambda: _peer("ml-100k-u1", "fastai:dot")["fit_seconds"] / board.median(*u1, "dot", "fit_seconds", *QUICK)  # noqa: E731
    board.at_least("fastai's fit against it, warm, times", warm, 300)
    board.at_least("fastai's fit against it, cold with compilation, times", cold, 10)
    board.at_most("dot, quick, ML-1M r90, RMSE", lambda: board.median(*r90, "dot", "rmse", *QUICK_1M), 0.8461, accuracy=True)
    ratio = lambda: _peer("ml-1m-r90", "cornac:mf")["fit_seconds"] / board.median(*r90, "dot", "fit_seconds", *QUICK_1M)  # noqa: E731
    board.at_least("Cornac's fit against it, times", ratio, 3)


def _ranking(board: Board, train: Path, folder: Path) -> None:
    arrays = folder / "factors.npz"

    @cache
    def ours() -> dict[str, Any]:
        board.run([sys.executable, "-c", FACTORS, train, arrays])
        return board.run([sys.executable, "-c", RANKING, arrays], threads=2).json()

    def implicit() -> float:
        if not (known := status("implicit"))["installed"]:
            raise RuntimeError(str(known["problem"]))
        ours()
        return board.run([python_of("implicit"), "-c", IMPLICIT, arrays], threads=2).json()["seconds"]

    board.at_most("top-100 of all ML-1M users, 128 factors, history masked, two threads, seconds", lambda: ours()["seconds"], 0.5)
    board.at_least("NumPy's product and argpartition against it, times", lambda: ours()["numpy"] / ours()["seconds"], 2)
    board.at_least("implicit's recommend against it, times", lambda: implicit() / ours()["seconds"], 6)
    board.at_most("its memory above the model, MB", lambda: ours()["mb"], 300)
    for n in (100_000, 1_000_000):
        board.at_most(f"one user, top-10 of {n:,} x 64, against NumPy's product alone", lambda n=n: ours()[f"one of {n}"], 1.5)


def _reading(board: Board, parts: tuple[Path, Path], folder: Path) -> None:
    text, small = folder / "ratings.csv", folder / "small.csv"
    write = "import polars as pl, sys; d = pl.concat([pl.read_parquet(part) for part in sys.argv[3:]]); "
    write += "d.write_csv(sys.argv[1]); d.head(100).write_csv(sys.argv[2])"

    @cache
    def read() -> dict[str, Any]:
        board.run([sys.executable, "-c", write, text, small, *parts])
        return board.run([sys.executable, "-c", READING, text, small], threads=2).json()

    board.at_most("reading 1 million ratings from text, against Polars alone, times", lambda: read()["ratio"], 2)
    board.at_most("bytes a rating beyond the vocabularies", lambda: read()["bytes"], 40)


@cache
def _peer(suite: str, name: str) -> dict[str, Any]:
    found = contender(name, "peer").run(suites()[suite].task, split_of(suites()[suite]), 0, 1)
    if "problem" in found:
        raise RuntimeError(found["problem"])
    return found


def _cornac_rate() -> float:
    """Million updates a second of Cornac's MF: the adapter's 25 epochs over 900,188 ratings."""
    return 25 * 900_188 / _peer("ml-1m-r90", "cornac:mf")["fit_seconds"] / 1e6


if __name__ == "__main__":
    run("speed", bars)
