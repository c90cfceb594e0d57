"""The bars of the service: load, memory, start, page, faults, bad requests. Needs `wrk` and `chromium` (Debian) and the data folder.

The fault and request bars are the slow tests of `tests/faults`; here they are run and their verdict is a line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.bars._bars import Board, run

FIT = """
import sys
import likewise as lw
from likewise.solvers.als import ALS
# how fast a list is made does not depend on how good it is
lw.Recommender(lw.Dot(factors=64), ALS(feedback="ratings", sweeps=2, l2=0.1)).fit(lw.load_movielens(sys.argv[1])).save(sys.argv[2])
"""
LARGE = """
import sys
import numpy as np, polars as pl
import likewise as lw
from likewise.models.dot import FittedDot
rng = np.random.default_rng(0)
n = 1_000_000
events = pl.DataFrame({"user_id": rng.integers(0, 10_000, n), "item_id": np.arange(n), "rating": rng.integers(1, 6, n)})
data = lw.read(events)
vectors = rng.normal(0, 0.1, (n, 64)).astype(np.float32)
people = rng.normal(0, 0.1, (len(data.users), 64)).astype(np.float32)
config = lw.Dot(factors=64)
nothing = np.zeros(n, np.float32), np.zeros(len(data.users), np.float32)
rec = lw.Recommender(lw.Bias()).fit(data)
model = FittedDot.trained(config, people, vectors, nothing[1], nothing[0], 3.0, config.link(data.interactions), data.interactions)
from likewise.artifact.store import Saved, save
from likewise.solvers.als import ALS
save(sys.argv[1], Saved(model, ALS(feedback="ratings"), data, {}))
"""
CATALOGUE = """
import sys
import numpy as np, polars as pl
import likewise as lw
from likewise.solvers.als import ALS
rng = np.random.default_rng(0)
rows = np.arange(200_000)
events = pl.DataFrame({"user_id": rng.integers(0, 5_000, 200_000), "item_id": rows % 10_000, "rating": rng.integers(1, 6, 200_000)})
table = [(n, f"Film {n}", "Comedy|Drama" if n % 2 else "Western", 1950 + n % 70) for n in range(10_000)]
items = pl.DataFrame(table, schema=["item_id", "title", "genres", "year"], orient="row")
events = events.unique(["user_id", "item_id"], keep="first", maintain_order=True)
lw.Recommender(lw.Dot(factors=32), ALS(feedback="ratings", sweeps=2)).fit(lw.read(events, items=items)).save(sys.argv[1])
"""
LISTS = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/users/" .. ((n * 7919) % 6040 + 1) .. "/recommendations?n=10")
end
"""
VISITORS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = n + 1
  local said = {}
  for j = 1, 10 do said[j] = '"' .. ((n * 37 + j * 113) % 3000 + 1) .. '":' .. (j % 5 + 1) end
  return wrk.format("POST", "/recommendations", nil, '{"ratings":{' .. table.concat(said, ",") .. '},"n":10}')
end
"""
SECONDS = 8
ROUNDS = 3
PORT = 8137


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, the 99th percentile in milliseconds, and how many requests."""

    rate: float
    p99: float
    requests: int


def bars(board: Board) -> None:
    home = Path(tempfile.mkdtemp(prefix="likewise-service-"))
    for name, text in (("lists", LISTS), ("visitors", VISITORS)):
        (home / f"{name}.lua").write_text(text, encoding="utf-8")

    @cache
    def loads() -> dict[str, Load]:
        board.run([sys.executable, "-c", FIT, board.data("ml-1m"), home / "model"])
        return measured_loads(home)

    def share(kind: str) -> float:
        return loads()[kind].rate / loads()["empty"].rate

    board.at_least("lists of ten, share of the empty route's requests a second", lambda: share("lists"), 0.40)
    board.at_most("lists of ten, p99 over the empty route's", lambda: loads()["lists"].p99 / loads()["empty"].p99, 6.0)
    board.at_least("fold-in of ten ratings, share of the empty route's requests a second", lambda: share("visitors"), 0.20)
    board.at_most("memory over 200,000 requests, change in percent", lambda: memory_change(home, loads()), 2.0)

    def start() -> float:
        board.run([sys.executable, "-c", LARGE, home / "large"])
        found = []
        for _ in range(4):
            seconds, process = started(home / "large")
            process.terminate()
            process.wait(30)
            found.append(seconds)
        return min(found[1:])  # the first reads the files from the disk and compiles

    board.at_most("start at 1,000,000 x 64 vectors, seconds", start, 2.0)

    def page() -> float:
        board.run([sys.executable, "-c", CATALOGUE, home / "catalogue"])
        return first_view(home / "catalogue")

    board.at_most("explorer, first view over 10,000 items, seconds", page, 2.0)
    for name, test in (
        ("kill -9 under 10,000 events, 20 times, both databases", "test_service_faults.py -k kept_once_in_full"),
        ("PostgreSQL stopped for 10 s", "test_service_faults.py -k stopped_in_full"),
        ("100 hot swaps under load on two workers", "test_service_faults.py -k mixed_answer_in_full"),
        ("20,000 requests made from the OpenAPI document", "test_requests_by_schema.py -k twenty"),
    ):
        board.true(name, lambda test=test: passes(test))  # type: ignore[misc]


def measured_loads(home: Path) -> dict[str, Load]:
    """The median of rounds in turn, so that a slow moment of the machine falls on all alike."""
    _, process = started(home / "model")
    try:
        rounds: dict[str, list[Load]] = {"empty": [], "lists": [], "visitors": []}
        for _ in range(ROUNDS):
            rounds["empty"].append(load("/health/live"))
            for name in ("lists", "visitors"):
                rounds[name].append(load("/", home / f"{name}.lua"))
    finally:
        process.terminate()
        process.wait(30)
    return {name: sorted(found, key=lambda one: one.rate)[len(found) // 2] for name, found in rounds.items()}


def memory_change(home: Path, _: dict[str, Load]) -> float:
    """Resident memory after 20,000 requests and after 200,000 more."""
    _, process = started(home / "model")
    try:
        sent, before = 0, 0
        while sent < 220_000:
            sent += load("/", home / "lists.lua", 10).requests
            before = before or (resident(process.pid) if sent >= 20_000 else 0)
        return 100 * abs(resident(process.pid) / before - 1)
    finally:
        process.terminate()
        process.wait(30)


def first_view(model: Path) -> float:
    """Seconds until the page stands, its list and its question, in a browser that has nothing of it: the median of five."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    _, process = started(model)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            found = []
            for _ in range(5):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{PORT}/explore")
                page.wait_for_selector("main[aria-busy=false] .item")
                found.append(page.evaluate("performance.now()") / 1000)
                context.close()
            browser.close()
        return float(sorted(found)[2])
    finally:
        process.terminate()
        process.wait(30)


def started(model: Path) -> tuple[float, subprocess.Popen[bytes]]:
    """Seconds until the first list, and the process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begin = time.perf_counter()
    command = [str(Path(sys.executable).parent / "likewise"), "serve", str(model), "--port", str(PORT), "--quiet"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/users/1/recommendations", timeout=5) as answer:
                json.loads(answer.read())
                return time.perf_counter() - begin, process
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the service ended with {process.returncode}") from None
            time.sleep(0.01)


def load(path: str, script: Path | None = None, seconds: int = SECONDS) -> Load:
    """wrk with 32 connections kept alive."""
    command = [
        "wrk",
        "-t1",
        "-c32",
        f"-d{seconds}",
        "--latency",
        *(["-s", str(script)] if script else []),
        f"http://127.0.0.1:{PORT}{path}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout.strip()[-200:]} {done.stderr.strip()[-200:]}")
    rate, p99, unit = (
        re.search(pattern, done.stdout) for pattern in (r"Requests/sec:\s+([\d.]+)", r"99%\s+([\d.]+)", r"99%\s+[\d.]+(\w+)")
    )
    requests = re.search(r"(\d+) requests in", done.stdout)
    if not (rate and p99 and unit and requests):
        raise RuntimeError(f"wrk said something else: {done.stdout[-200:]}")
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit[1]]
    return Load(float(rate[1]), float(p99[1]) * scale, int(requests[1]))


def resident(pid: int) -> int:
    """Resident memory in kB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


def passes(test: str) -> bool:
    """Whether a slow test of the faults holds."""
    path, *rest = test.split()
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", f"tests/faults/{path}", *rest]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-2000:], file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    run("service", bars)
