"""Fits by the one-pass kernel: what they find, that threads change nothing, how they end."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import likewise
from likewise.data.dataset import Dataset
from likewise.errors import DivergedError, InputError
from likewise.models.dot import Dot
from likewise.ranking.topk import rank_model
from likewise.solvers.base import Run
from likewise.solvers.gradient import grid
from likewise.solvers.gradient.settings import Averaging, EarlyStopping, Gradient, Negatives, Penalty
from likewise.solvers.gradient.steps import SGD, Adagrad, Constant, OneCycle, Plateau


def planted(seed=0, users=120, items=60, factors=2, share=0.6, noise=0.1):
    """Ratings that a biased dot product of two factors made."""
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0, 0.8, (users, factors)), rng.normal(0, 0.8, (items, factors))
    full = 3 + rng.normal(0, 0.4, users)[:, None] + rng.normal(0, 0.4, items) + p @ q.T + rng.normal(0, noise, (users, items))
    u, i = np.nonzero(rng.random((users, items)) < share)
    return pl.DataFrame({"user_id": u, "item_id": i, "rating": full[u, i]})


def cut(frame, seed=0, share=0.15):
    held = np.random.default_rng(seed).random(len(frame)) < share
    return Dataset.of(frame.filter(~held)), Dataset.of(frame.filter(held))


def solver(**changes):
    return Gradient(
        **{
            "epochs": 40,
            "optimizer": SGD(lr=0.02),
            "schedule": OneCycle(rise=0.0),
            "penalty": Penalty(l2=0.02),
            "engine": "one-pass",
            **changes,
        }
    )


def rmse(model, train, test):
    pairs = train.encode(test)
    return float(np.sqrt(np.mean((model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items)) - pairs.ratings) ** 2)))


def block_world():
    """Two kinds of people and of items: everybody likes seven in ten of their own kind, so the rest of that kind comes next."""
    rng = np.random.default_rng(0)
    alike = (np.arange(60)[:, None] % 2) == (np.arange(40) % 2)
    u, i = np.nonzero(alike & (rng.random((60, 40)) < 0.7))
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i}))


@pytest.mark.parametrize("output", ["free", "clip", "sigmoid"])
def test_a_planted_model_is_found(output):
    train, test = cut(planted())
    fit = solver(epochs=80).fit(Dot(factors=2, output=output), train, Run(seed=1))
    assert 0.1 < rmse(fit.model, train, test) < 0.2
    assert fit.history[-1]["train_rmse"] < 0.15
    assert [event["epoch"] for event in fit.history] == list(range(1, 81))


def test_biases_can_be_left_out():
    train, test = cut(planted())
    without = solver().fit(Dot(factors=2, bias=False), train, Run()).model
    assert not without.user_bias.any() and not without.item_bias.any()
    assert rmse(without, train, test) > rmse(solver().fit(Dot(factors=2), train, Run()).model, train, test)


@pytest.mark.parametrize("changes", [{}, {"loss": "bpr"}, {"loss": "bce", "negatives": Negatives(ratio=2)}, {"optimizer": Adagrad(lr=0.1)}])
def test_threads_do_not_change_a_byte(monkeypatch, changes):
    monkeypatch.setattr(grid, "SMALL", 1000)
    frame = planted().with_columns((pl.col("rating") > 3).cast(pl.Float32)) if "loss" in changes else planted()
    data = Dataset.of(frame)
    fits = [solver(epochs=3, **changes).fit(Dot(factors=20), data, Run(seed=5, threads=threads)) for threads in (1, 2, 3)]
    states = [b"".join(array.tobytes() for array in fit.model.state().values()) for fit in fits]
    assert states[0] == states[1] == states[2]
    assert fits[0].history[-1]["loss"] == fits[2].history[-1]["loss"]
    other = solver(epochs=3, **changes).fit(Dot(factors=20), data, Run(seed=6, threads=2))
    assert other.model.user_factors.tobytes() != fits[0].model.user_factors.tobytes()


def test_blocks_of_a_stratum_share_nobody():
    data = Dataset.of(planted()).interactions
    laid = grid.lay_out(data, data.ratings, 4, np.random.default_rng(0))
    seen = 0
    for stratum in range(4):
        blocks = [laid.block(stratum, block)[0] for block in range(4)]
        for rows in (laid.users, laid.items):
            sets = [set(rows[block].tolist()) for block in blocks]
            assert sum(map(len, sets)) == len(set().union(*sets))
        for place, block in enumerate(blocks):
            assert set(laid.items[block].tolist()) <= set(laid.block(stratum, place)[1].tolist())
            seen += block.stop - block.start
    assert seen == len(data)
    triples = sorted(zip(laid.users.tolist(), laid.items.tolist(), laid.targets.tolist(), strict=True))
    assert triples == sorted(zip(data.users.tolist(), data.items.tolist(), data.ratings.tolist(), strict=True))


@pytest.mark.parametrize(
    "changes",
    [{"loss": "bpr"}, {"loss": "bce", "negatives": Negatives(ratio=2)}, {"loss": "bce"}, {"loss": "bpr", "optimizer": Adagrad(lr=0.1)}],
)
def test_likes_are_ranked(changes):
    data = block_world()
    model = solver(**{"epochs": 60, "optimizer": SGD(lr=0.1), "schedule": Constant(), **changes}).fit(Dot(factors=4), data, Run()).model
    seen = data.interactions.by_user
    lists = rank_model(model, model.people(np.arange(60, dtype=np.int32)), 2, seen.csr(40)).items
    items, people = data.items.ids.to_numpy(), data.users.ids.to_numpy()
    right = [items[i] % 2 == people[u] % 2 for u in range(60) for i in lists[u]]
    assert np.mean(right) > 0.98


def test_stopping_keeps_the_best_epoch():
    train, test = cut(planted(noise=0.6))
    settings = solver(epochs=300, optimizer=SGD(lr=0.03), schedule=Constant(), penalty=Penalty(), stopping=EarlyStopping(patience=4))
    fit = settings.fit(Dot(factors=16), train, Run(valid=test))
    errors = [event["valid_rmse"] for event in fit.history]
    assert len(errors) < 300 and len(errors) - 1 - int(np.argmin(errors)) == 4
    assert rmse(fit.model, train, test) == pytest.approx(min(errors), abs=1e-4)
    assert "has not improved" in fit.notes[0]


def test_validation_tells_the_truth_about_lists():
    data = block_world()
    found = solver(loss="bpr", epochs=30, optimizer=SGD(lr=0.1)).fit(Dot(factors=4), data, Run(valid=data))
    assert 0 <= found.history[-1]["valid_ndcg@10"] < 0.05, "what was learned from is not ranked again, so it is never found"
    frame = data.frame()
    held = np.random.default_rng(1).random(len(frame)) < 0.2
    train, valid = Dataset.of(frame.filter(~held)), Dataset.of(frame.filter(held))
    assert (
        solver(loss="bpr", epochs=30, optimizer=SGD(lr=0.1)).fit(Dot(factors=4), train, Run(valid=valid)).history[-1]["valid_ndcg@10"] > 0.3
    )


def test_averages_plateaus_and_a_watcher_take_part():
    train, test = cut(planted(noise=0.6))
    last = solver(schedule=Constant()).fit(Dot(factors=8), train, Run(valid=test))
    mean = solver(schedule=Constant(), averaging=Averaging(swa=0.5)).fit(Dot(factors=8), train, Run(valid=test))
    assert mean.history[-1]["valid_rmse"] < last.history[-1]["valid_rmse"]
    assert rmse(mean.model, train, test) == pytest.approx(mean.history[-1]["valid_rmse"], abs=1e-4)
    dropped = solver(epochs=60, schedule=Plateau(patience=2)).fit(Dot(factors=8), train, Run(valid=test))
    assert dropped.history[-1]["rate"] < dropped.history[0]["rate"]
    stopped = solver().fit(Dot(factors=2), train, Run(watch=lambda event: event["epoch"] == 3))
    assert len(stopped.history) == 3 and "as asked" in stopped.notes[0]


def test_an_interrupt_keeps_what_is_there():
    train, _ = cut(planted())

    def interrupt(event):
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    assert len(solver().fit(Dot(factors=2), train, Run(watch=interrupt, keep_on_interrupt=True)).history) == 2
    with pytest.raises(KeyboardInterrupt):
        solver().fit(Dot(factors=2), train, Run(watch=interrupt))


def test_divergence_is_an_error_that_keeps_the_last_good_parameters():
    train, _ = cut(planted())
    with pytest.raises(DivergedError, match="lower the learning rate") as caught:
        solver(optimizer=SGD(lr=50.0), schedule=Constant()).fit(Dot(factors=8, output="free"), train, Run())
    assert np.isfinite(caught.value.fit.model.user_factors).all()


def test_training_goes_on_from_another_model():
    train, _ = cut(planted())
    first = solver(epochs=30).fit(Dot(factors=2), train, Run())
    more = solver(epochs=1, optimizer=SGD(lr=1e-4)).fit(Dot(factors=2), train, Run(start=first.model))
    assert more.history[0]["train_rmse"] < first.history[1]["train_rmse"]
    with pytest.raises(InputError, match="same number of factors"):
        solver(epochs=1).fit(Dot(factors=3), train, Run(start=first.model))


def test_what_the_kernel_cannot_do_is_refused():
    with pytest.raises(InputError, match="one-pass"):
        solver(optimizer=SGD(momentum=0.9)).fit(Dot(factors=2), block_world(), Run())
    with pytest.raises(InputError, match="needs ratings"):
        solver().fit(Dot(factors=2), block_world(), Run())


def test_every_setting_changes_something():
    train, _ = cut(planted())
    base = solver(epochs=3).fit(Dot(factors=2), train, Run()).model.user_factors
    for changed in (
        {"epochs": 4},
        {"optimizer": SGD(lr=0.01)},
        {"optimizer": Adagrad(lr=0.02)},
        {"optimizer": Adagrad(lr=0.02, eps=1.0)},
        {"schedule": Constant()},
        {"penalty": Penalty(l2=0.2)},
        {"penalty": Penalty(l2=0.02, power=0.5)},
        {"averaging": Averaging(swa=0.1)},
    ):
        assert not np.array_equal(base, solver(**{"epochs": 3, **changed}).fit(Dot(factors=2), train, Run()).model.user_factors), changed
    starts = {
        init: solver(epochs=1).fit(Dot(factors=2, init=init), train, Run()).model.user_factors.std()
        for init in ("normal", "truncated", "scaled", "small")
    }
    assert starts["small"] < starts["truncated"] < starts["normal"] < starts["scaled"]


FIT_TWICE = """
import logging, sys
import numpy as np, polars as pl
import likewise.solvers.gradient.kernel as kernel
assert kernel.__file__.startswith(sys.argv[1]), kernel.__file__
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import SGD, Gradient
data = Dataset.of(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1], "rating": [5.0, 3.0, 4.0]}))
fit = Gradient(epochs=1, optimizer=SGD(), engine="one-pass").fit(Dot(factors=2), data, Run())
print(fit.compile_seconds, fit.seconds)
assert "torch" not in sys.modules
"""


def test_compiled_code_is_kept_where_the_install_folder_cannot_be_written(tmp_path):
    """A file stands where each cache folder would be made, which stops the administrator as well."""
    home = tmp_path / "site" / "likewise"
    shutil.copytree(Path(likewise.__file__).parent, home, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [home, *(path for path in home.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CACHE")}
    environment = {**clean, "PYTHONPATH": str(home.parent), "HOME": str(tmp_path / "user"), "XDG_CACHE_HOME": str(tmp_path / "user/.cache")}
    command = [sys.executable, "-W", "error", "-c", FIT_TWICE, str(home)]
    runs = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)]
    cold, warm = ([float(word) for word in run.stdout.split()] for run in runs)
    assert cold[0] > 0.2 and warm[0] < cold[0] / 2
    assert "compiling" in runs[0].stderr and "compiling" not in runs[1].stderr


def test_a_fit_says_nothing_when_nothing_is_compiled(caplog):
    train, _ = cut(planted())
    solver(epochs=1).fit(Dot(factors=2), train, Run())
    with caplog.at_level(logging.INFO, "likewise"):
        assert solver(epochs=1).fit(Dot(factors=2), train, Run()).compile_seconds == 0
    assert not caplog.records
