"""The bars of the networks and of the craft of training them: accuracy of presets, speed of the loop, cost of lazy steps and negatives.

Snippets run in fresh processes on one thread and print one JSON object. The loop's rows a second are rows a second of one core's time.
"""

from __future__ import annotations

import sys

from benchmarks.bars._bars import Board, run

LOOP = """
import json, sys, time
import polars as pl
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.models.networks.mlp import MLP
from likewise.solvers.base import Run
from likewise.solvers.gradient import AdamW, Gradient
data = Dataset.of(pl.read_parquet(sys.argv[1], columns=["user_id", "item_id", "rating"]))
model = Dot(50) if sys.argv[2] == "dot" else MLP(50, (100, 50))
solver = Gradient(epochs=4, batch_size=8192, optimizer=AdamW(0.01), engine="torch")
clock = [time.process_time()]
solver.fit(model, data, Run(threads=1, watch=lambda event: clock.append(time.process_time())))
print(json.dumps({"rate": max(len(data) / (after - before) for before, after in zip(clock, clock[1:]))}))
"""

LAZY = """
import json, time, torch
from torch import nn
from likewise.models.networks.layers import Table
from likewise.solvers.gradient import LazyAdam
from likewise.solvers.gradient.optimizers import stepper
torch.set_num_threads(1)
class Net(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.table = Table(rows, 16)
def step(net, steps):
    net.table.weight.grad = None
    looked_up = torch.randint(0, len(net.table.weight), (4096,))
    start = time.process_time()
    net.table(looked_up).sum().backward()
    steps.step(0.01, None)
    return time.process_time() - start
nets = [Net(rows) for rows in (10**4, 10**6, 10**7)]
pairs = [(net, stepper(LazyAdam(), net)) for net in nets]
taken = [[step(*pair) for pair in pairs] for _ in range(100)]
small, middle, large = (sorted(column)[len(column) // 4] for column in zip(*taken[20:]))
print(json.dumps({"to_million": large / middle, "to_thousands": large / small}))
"""

NEGATIVES = """
import json, resource, numpy as np, torch
from likewise.data.interactions import Interactions
from likewise.solvers.gradient import Negatives
from likewise.solvers.gradient.negatives import Sampler
draw = np.random.default_rng(0)
users, items = (draw.integers(0, size, 1_600_000).astype(np.int32) for size in (50_000, 100_000))
data = Interactions(users, items, 50_000, 100_000)
generator = torch.Generator().manual_seed(0)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
sampler = Sampler(Negatives(ratio=4), data, torch.device("cpu"))
users, items = torch.from_numpy(data.users).long(), torch.from_numpy(data.items).long()
for start in range(0, len(users), 8192):
    sampler.draw(users[start : start + 8192], items[start : start + 8192], generator)
print(json.dumps({"mb": peak() - before}))
"""

FIRST_TUTORIAL = """
import json, sys, time
import numpy as np, polars as pl
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import SGD, Gradient, OneCycle, Penalty
frame = pl.read_csv(sys.argv[1], separator="\\t", has_header=False, new_columns=["user_id", "item_id", "rating", "timestamp"])
held = np.random.default_rng(0).random(frame.height) < 0.1
train, test = Dataset.of(frame.filter(pl.Series(~held))), frame.filter(pl.Series(held))
solver = Gradient(
    epochs=15, optimizer=SGD(0.02), schedule=OneCycle(rise=0.0), penalty=Penalty(l2=0.135, power=0.5), engine="one-pass"
)
model = Dot(20, output="clip", init="small")
solver.fit(model, train, Run(threads=1))
start = time.process_time()
fit = solver.fit(model, train, Run(threads=1))
seconds = time.process_time() - start
pairs = train.encode(test)
answers = fit.model.link.respond(fit.model.score_pairs(fit.model.people(pairs.users), pairs.items))
print(json.dumps({"mse": float(np.mean((np.clip(answers, 1, 5) - pairs.ratings) ** 2)), "seconds": seconds}))
"""

BALANCE = """
import json, sys
import numpy as np, polars as pl
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import AdamW, Balance, Gradient, Penalty
columns = ["user_id", "item_id", "rating", "timestamp"]
train, test = (pl.read_csv(path, separator="\t", has_header=False, new_columns=columns) for path in sys.argv[1:3])
train = Dataset.of(train)
pairs = train.encode(test)
counts = train.interactions.by_item.counts
rare = np.zeros(len(counts) + 1, bool)
rare[np.argsort(counts)[: len(counts) // 2]] = rare[-1] = True
tail = rare[pairs.items]
def squares(balance, l2):
    total = 0
    for seed in range(3):
        solver = Gradient(10, 1024, AdamW(0.01, 0.0), penalty=Penalty(l2=l2, bias=0.1), balance=balance, engine="torch")
        model = solver.fit(Dot(50), train, Run(seed=seed, threads=1)).model
        answers = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items))
        total = total + (np.clip(answers, 1, 5) - pairs.ratings) ** 2 / 3
    return total
plain, even = squares(None, 0.24), squares(Balance(users=0, items=0.5), 0.5)  # both by benchmarks.studies.inner_choices
draw, change = np.random.default_rng(0), (even - plain)[tail]
sums = [draw.choice(change, len(change)).mean() for _ in range(2000)]
print(json.dumps({"upper": float(np.quantile(sums, 0.975)), "head": float(even[~tail].mean() ** 0.5 - plain[~tail].mean() ** 0.5)}))
"""


def bars(board: Board) -> None:
    u1 = board.data("ml-100k/u1.base"), board.data("ml-100k/u1.test")
    r90 = board.data("splits/ml-1m-r90.train.parquet"), board.data("splits/ml-1m-r90.test.parquet")
    u1_tables = ("--items", str(board.data("ml-100k/u.item")), "--users", str(board.data("ml-100k/u.user")))
    r90_tables = ("--items", str(board.data("ml-1m/movies.dat")), "--users", str(board.data("ml-1m/users.dat")))

    for preset, fastai in (("tutorial-dot", 0.9406), ("tutorial-mlp", 0.9478)):
        name = f"{preset}, ML-100K u1, RMSE, fastai's at its settings"
        board.near(name, lambda p=preset: board.median(*u1, p, "rmse"), fastai, 0.003, accuracy=True)
    for preset, bound, tables in (
        ("mlp", 0.930, ()),
        ("two-tower", 0.915, u1_tables),
        ("svdpp", 0.915, ()),
        ("autorec", 0.912, ()),
    ):
        name = f"{preset}, ML-100K u1, RMSE"
        board.at_most(name, lambda p=preset, t=tables: board.median(*u1, p, "rmse", *t), bound, accuracy=True)
    for preset, bound, options in (
        ("autorec", 0.833, SETTINGS_1M["autorec"]),
        ("svdpp", 0.838, SETTINGS_1M["svdpp"]),
        ("two-tower", 0.848, (*r90_tables, *SETTINGS_1M["two-tower"])),
    ):
        name = f"{preset}, ML-1M r90, RMSE"
        board.at_most(name, lambda p=preset, o=options: board.median(*r90, p, "rmse", *o), bound, accuracy=True)

    for kind, bound in (("dot", 1.3e6), ("mlp", 0.33e6)):
        name = f"torch loop on one core, ML-1M, batch 8192, {kind}, rows a second"
        board.at_least(name, lambda k=kind: snippet(board, LOOP, str(r90[0]), k)["rate"], bound)
    board.at_most("a lazy step at 1e7 rows, times one at 1e6", lambda: snippet(board, LAZY)["to_million"], 1.5)
    board.at_most("a lazy step at 1e7 rows, times one at 1e4", lambda: snippet(board, LAZY)["to_thousands"], 6)
    board.at_most("negatives of 1.6 million events and 100,000 items, MB above the data", lambda: snippet(board, NEGATIVES)["mb"], 200)
    board.at_least("new films of ML-1M from genre and year: lower end of AUC above popularity of genre", lambda: new_films(board), 0.0)
    board.at_most(
        "balanced sampling, u1: upper end of the tail half's change in squared error",
        lambda: snippet(board, BALANCE, *map(str, u1))["upper"],
        0.0,
    )
    board.at_most("balanced sampling, u1: its cost on the head half, RMSE", lambda: snippet(board, BALANCE, *map(str, u1))["head"], 0.05)
    for kind in ("ordinal", "categorical"):
        levels = (*u1_tables, "--set", f"solver.loss={kind}", "--set", "solver.penalty.l2=0.08")
        name = f"two-tower by {kind} cross-entropy, u1, expected calibration error"
        board.at_most(name, lambda o=levels: board.median(*u1, "two-tower", "ece", *o), 0.03)
    u_data = str(board.data("ml-100k/u.data"))
    board.at_most("the first tutorial's network, random 90/10, MSE", lambda: snippet(board, FIRST_TUTORIAL, u_data)["mse"], 0.85)
    board.at_most("the first tutorial's network, CPU seconds", lambda: snippet(board, FIRST_TUTORIAL, u_data)["seconds"], 1.0)


def changed(**settings: float) -> tuple[str, ...]:
    """`--set` options of names with a double underscore for each dot."""
    return tuple(word for name, value in settings.items() for word in ("--set", f"{name.replace('__', '.')}={value}"))


SETTINGS_1M = {
    "autorec": changed(
        model__hidden=200,
        solver__epochs=18,
        solver__batch_size=4096,
        solver__optimizer__lr=0.005,
        solver__optimizer__weight_decay=0.1,
        solver__penalty__l2=0.1,
    ),
    "svdpp": changed(solver__batch_size=8192, solver__optimizer__lr=0.015, solver__penalty__l2=0.14),
    "two-tower": changed(solver__epochs=12, solver__batch_size=4096, solver__penalty__l2=0.14),
}
"""What differs on ML-1M, found on an inner 92/8 split of its training rows: larger batches, half the holding."""


def new_films(board: Board) -> float:
    """How far two-tower's AUC on withheld films is above the popularity of their genres, lower end of its interval."""
    return float(board.run([sys.executable, "-m", "benchmarks.new_films"], threads=1).json()["lower"])


def snippet(board: Board, code: str, *arguments: str) -> dict[str, float]:
    """What a script prints in a fresh process of one thread."""
    found: dict[str, float] = board.run([sys.executable, "-c", code, *arguments], threads=1).json()
    return found


if __name__ == "__main__":
    run("networks", bars)
