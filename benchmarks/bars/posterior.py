"""The bars of the posterior: accuracy, time and memory beside myFM, forward in time, and calibration."""

from __future__ import annotations

import json
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.bars._bars import Board, run
from benchmarks.contenders import contender
from benchmarks.studies.paired import run as paired
from benchmarks.suites import split_of, suites

IDS, RICH = "posterior", "posterior-rich"
ORDINAL = ("--set", "solver.observation=ordinal")

FORWARD = """
import json, sys
import numpy as np
import likewise as lw
sides = json.loads(sys.argv[2])
train, test = lw.split(lw.read(sys.argv[1], **sides), by="time", test=0.1)
frame = test.frame()
rating, warm = frame["rating"].to_numpy(), train.users.rows(frame["user_id"]) >= 0
errors, found = {}, {}
for preset in ("posterior-rich", "posterior", "dot", "bias"):
    score = np.clip(lw.fit(train, preset).predict(frame)["score"].to_numpy(), *train.rating_range)
    errors[preset] = (score - rating) ** 2
for rows, mask in (("all", np.ones(len(rating), bool)), ("warm", warm)):
    users = np.unique(frame["user_id"].to_numpy()[mask], return_inverse=True)[1]
    for preset, error in errors.items():
        found[f"{preset} {rows}"] = float(np.sqrt(error[mask].mean()))
        more = np.bincount(users, (errors["posterior-rich"] - error)[mask]), np.bincount(users)
        rng = np.random.default_rng(0)
        draws = [(lambda k: more[0][k].sum() / more[1][k].sum())(rng.integers(0, len(more[0]), len(more[0]))) for _ in range(1000)]
        found[f"{preset} {rows} low"] = float(np.quantile(draws, 0.025))
print(json.dumps(found))
"""

CALIBRATION = """
import json, sys
import numpy as np
import likewise as lw
from likewise.data.readers import read_pairs
from likewise.models.normal import normal_cdfs
train, sides = lw.read(sys.argv[1], **json.loads(sys.argv[3])), None
rec = lw.fit(train, "posterior-rich", changes={"solver.observation": "ordinal", "solver.choose": False})
test = train.encode(read_pairs(sys.argv[2]))
told = [rec.fitted.predictive(rec.fitted.people(test.users[s:s + 4096]), test.items[s:s + 4096]) for s in range(0, len(test.users), 4096)]
chances, mean = (np.concatenate([getattr(part, name) for part in told]) for name in ("probabilities", "mean"))
levels = told[0].levels
place = np.searchsorted(levels, test.ratings)
below = np.column_stack([np.zeros(len(chances)), np.cumsum(chances, 1)])
rows = np.arange(len(place))
low, high = below[rows, place], below[rows, place + 1]
pit = low + np.random.default_rng(0).random(len(low)) * (high - low)
found = {f"pit {q}": float((pit < q).mean() - q) for q in (0.1, 0.25, 0.5, 0.75, 0.9)}
step = np.diff(levels)
def crps(cumulative):
    return float(((cumulative[:, :-1] - (levels[:-1] >= np.asarray(test.ratings)[:, None])) ** 2 @ step).mean())
sd = np.std(np.asarray(test.ratings) - mean)
middles = (levels[1:] + levels[:-1]) / 2
plain = normal_cdfs(((middles - mean[:, None]) / sd).astype(np.float32))
edges = np.column_stack([np.zeros(len(plain)), plain, np.ones(len(plain))])
found["crps ratio"] = crps(np.cumsum(chances, 1)) / crps(edges[:, 1:])
score = lambda p: float(-np.log(np.maximum(p[rows, place], 1e-9)).mean())
found["log score less"] = score(np.diff(edges, axis=1)) - score(chances)
print(json.dumps(found))
"""

GROWTH = """
import json
import numpy as np, polars as pl
from time import perf_counter
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gibbs.problem import make_chain, make_problem
from likewise.solvers.gibbs.settings import Gibbs
rng, found = np.random.default_rng(0), {}
for n in (100_000, 1_000_000, 10_000_000):
    users, items = rng.integers(0, n // 100, n), rng.integers(0, n // 200, n)
    data = Dataset.of(pl.DataFrame({"user_id": users, "item_id": items, "rating": rng.integers(1, 6, n).astype(np.float32)}))
    chain = make_chain(Gibbs(), Dot(factors=16), make_problem(Gibbs(), Dot(factors=16), data), (0, 0), None)
    chain.sweep()
    times = []
    for _ in range(3):
        start = perf_counter(); chain.sweep(); times.append(perf_counter() - start)
    found[str(n)] = min(times)
print(json.dumps(found))
"""


def bars(board: Board) -> None:
    """Every bar."""
    u1 = board.data("ml-100k/u1.base"), board.data("ml-100k/u1.test")
    r90, small, million = (
        (board.data(f"splits/{name}-r90.train.parquet"), board.data(f"splits/{name}-r90.test.parquet"))
        for name in ("ml-100k", "ml-latest-small", "ml-1m")
    )
    sides = {name: _sides(board, name) for name in ("ml-100k", "ml-latest-small", "ml-1m")}
    day = ("--context", "day")
    for name, tables, side, ids, rich, dated in (
        ("u1", u1, "ml-100k", 0.905, 0.8835, 0.8795),
        ("100K r90", r90, "ml-100k", 0.902, None, 0.872),
        ("latest-small r90", small, "ml-latest-small", 0.8165, 0.783, None),
        ("1M r90", million, "ml-1m", 0.832, 0.8165, None),
    ):
        board.at_most(f"{name}, ids, RMSE", lambda t=tables: board.median(*t, IDS, "rmse"), ids, accuracy=True)
        if rich is not None:
            more = _options(sides[side])
            board.at_most(
                f"{name}, rich without day, RMSE", lambda t=tables, m=more: board.median(*t, RICH, "rmse", *m), rich, accuracy=True
            )
        if dated is not None:
            more = (*_options(sides[side]), *day)
            board.at_most(f"{name}, rich with day, RMSE", lambda t=tables, m=more: board.median(*t, RICH, "rmse", *m), dated, accuracy=True)
    rich_million = _options(sides["ml-1m"])
    board.at_most("1M r90, rich, fit seconds", lambda: board.record(*million, RICH, *rich_million)["fit_seconds"], 240)
    for suite in ("ml-100k-u1", "ml-100k-r90", "ml-latest-small-r90"):
        board.at_most(
            f"{suite}, ids, time over myFM's", lambda s=suite: _fit(s, "posterior", "preset") / _fit(s, "myfm:ids", "peer"), 1 / 3
        )
        board.at_most(
            f"{suite}, ids, RMSE less myFM's", lambda s=suite: _rmse(s, "posterior", "preset") - _rmse(s, "myfm:ids", "peer"), 0.0
        )
    for suite in ("ml-100k-u1", "ml-100k-r90", "ml-latest-small-r90"):
        for inputs in ("ids", "history", "all"):
            board.at_most(
                f"{suite}, {inputs}, squared error over myFM's with the same inputs, 2.5 %",
                lambda s=suite, i=inputs: _beside(s, i, board.threads)["low"],
                0.0,
            )
        board.at_most(f"{suite}, all, time over myFM's", lambda s=suite: _slower(s, "all", board.threads), 1 / 3)
    for name, table, side in (("ML-100K", "ml-100k/u.data", "ml-100k"), ("latest-small", "ml-latest-small/ratings.csv", "ml-latest-small")):
        for other in ("posterior", "dot", "bias"):
            for rows in ("all", "warm"):
                found = lambda key, t=table, s=side: _python(board, FORWARD, board.data(t), s)[key]  # noqa: E731
                board.at_most(
                    f"{name} forward, {rows} rows, error over {other}'s, 2.5 %", lambda f=found, k=f"{other} {rows} low": f(k), 0.0
                )
    for q in (0.1, 0.25, 0.5, 0.75, 0.9):
        board.near(f"u1, ordinal, randomised PIT at {q}", lambda q=q: _python(board, CALIBRATION, *u1, "ml-100k")[f"pit {q}"], 0.0, 0.02)
    board.at_most("u1, ordinal, CRPS over constant variance's", lambda: _python(board, CALIBRATION, *u1, "ml-100k")["crps ratio"], 1.0)
    board.at_least("u1, ordinal, log score gained on it", lambda: _python(board, CALIBRATION, *u1, "ml-100k")["log score less"], 0.0)
    ordinal = (*_options(sides["ml-100k"]), *ORDINAL)
    board.at_most("u1, ordinal, calibration error of levels", lambda: board.median(*u1, RICH, "ece", *ordinal), 0.02)
    board.at_most("a sweep, 1e7 over 1e6 ratings, time", lambda: _growth(board, "10000000", "1000000"), 13)
    board.at_most("a sweep, 1e6 over 1e5 ratings, time", lambda: _growth(board, "1000000", "100000"), 13)


def _sides(board: Board, name: str) -> dict[str, str]:
    files = {
        "ml-100k": {"items": "u.item", "users": "u.user"},
        "ml-latest-small": {"items": "movies.csv", "tags": "tags.csv"},
        "ml-1m": {"items": "movies.dat", "users": "users.dat"},
    }[name]
    return {kind: str(board.data(f"{name}/{file}")) for kind, file in files.items()}


def _options(sides: dict[str, str]) -> tuple[str, ...]:
    return tuple(word for kind, path in sides.items() for word in (f"--{kind}", path))


@cache
def _contend(suite: str, name: str, kind: str) -> tuple[tuple[str, Any], ...]:
    found = contender(name, kind).run("rating", split_of(suites()[suite]), 0, 2)
    if "problem" in found:
        raise RuntimeError(found["problem"])
    return tuple(found.items())


@cache
def _beside(suite: str, inputs: str, threads: int | None) -> dict[str, Any]:
    return paired(suite, inputs, 0, threads or 2, 500)


def _slower(suite: str, inputs: str, threads: int | None) -> float:
    found = _beside(suite, inputs, threads)
    return float(found["fit_seconds"] / found["myfm_fit_seconds"])


def _fit(suite: str, name: str, kind: str) -> float:
    return float(dict(_contend(suite, name, kind))["fit_seconds"])


def _rmse(suite: str, name: str, kind: str) -> float:
    return float(dict(_contend(suite, name, kind))["rmse"])


def _python(board: Board, code: str, *arguments: Any) -> dict[str, float]:
    """What a snippet prints in a process of its own; the last argument names the data set whose side tables it reads."""
    *paths, side = arguments
    return _snippet(board, code, *map(str, paths), json.dumps(_sides(board, str(side))))


def _growth(board: Board, large: str, small: str) -> float:
    found = _snippet(board, GROWTH)
    return found[large] / found[small]


def _snippet(board: Board, code: str, *arguments: str) -> dict[str, float]:
    return _printed(code, arguments, board.threads)


@cache
def _printed(code: str, arguments: tuple[str, ...], threads: int | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "snippet.py"
        script.write_text(code)
        found: dict[str, float] = Board(threads=threads).run([sys.executable, script, *arguments]).json()
    return found


if __name__ == "__main__":
    run("posterior", bars)
