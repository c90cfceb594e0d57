"""Fits from shards: as good as in memory, whatever the threads, going on where they were stopped, in bounded memory."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.data.shards import prepare
from likewise.data.synthetic import write_planted_blocks
from likewise.errors import ArtifactError, InputError
from likewise.solvers.base import Run
from likewise.solvers.gradient import stops
from likewise.solvers.gradient.supply import OnDisk

EVENTS, USERS, ITEMS = 60_000, 400, 150


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """60,000 ratings of a planted model in 12 shards and 8 strata; one in ten held out."""
    place = tmp_path_factory.mktemp("shards")
    write_planted_blocks(place / "in", EVENTS, USERS, ITEMS, factors=2, noise=0.3, block=20_000, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "SHARD", 5000)
        patch.setattr(prepare, "STRATUM", 8000)
        return lw.scan(place / "in", place / "out", test=0.1, range=(0.5, 5))


def kernel(**changes):
    settings = {"epochs": 6, "optimizer": lw.SGD(lr=0.03), "penalty": lw.Penalty(l2=0.03), "engine": "one-pass"}
    return lw.Gradient(**{**settings, **changes})


def loop(**changes):
    return lw.Gradient(**{"epochs": 4, "batch_size": 512, "optimizer": lw.Adam(lr=0.02), "engine": "torch", **changes})


SOLVERS = {"kernel": kernel, "loop": loop}
DOT = lw.Dot(factors=4)


def arrays(model):
    return {name: np.array(array) for name, array in model.state().items()}


def same(one, other):
    found, wanted = arrays(one), arrays(other)
    return found.keys() == wanted.keys() and all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)


@pytest.mark.parametrize("solver", ["kernel", "loop"])
def test_as_good_as_in_memory(shards, solver):
    from_disk = lw.Recommender(DOT, SOLVERS[solver]()).fit(shards, shards.held_out)
    in_memory = lw.Recommender(DOT, SOLVERS[solver]()).fit(shards.resident(), shards.held_out.resident())
    found, wanted = from_disk.history["valid_rmse"][-1], in_memory.history["valid_rmse"][-1]
    assert found < 0.42 and abs(found - wanted) < 0.01
    assert len(from_disk.data) == len(shards) and from_disk.history["rows_per_second"].min() > 0
    assert len(from_disk.recommend(from_disk.data.users.id(3), k=5)) == 5


def test_threads_change_nothing(shards):
    one, two = (kernel(epochs=2).fit_on_disk(DOT, shards, Run(threads=threads)).model for threads in (1, 2))
    assert same(one, two)
    assert not same(one, kernel(epochs=2).fit_on_disk(DOT, shards, Run(threads=1, seed=1)).model)


@pytest.mark.parametrize("solver", ["kernel", "loop"])
@pytest.mark.parametrize("stop", [2, 5, 11])
def test_a_fit_that_is_stopped_goes_on_as_if_it_had_not_been(shards, tmp_path, monkeypatch, solver, stop):
    """Stopped after so many checkpoints, within an epoch and between two."""
    monkeypatch.setattr(stops, "EVERY", 0.0)
    settings = SOLVERS[solver](epochs=2, averaging=lw.Averaging(swa=0.3))
    whole = settings.fit_on_disk(DOT, shards, Run(valid=shards.held_out))
    kept = []

    def stopping(write):
        def then_stop(*arguments, **options):
            write(*arguments, **options)
            kept.append(1)
            if len(kept) == stop:
                raise RuntimeError("the power fails")

        return then_stop

    from likewise.solvers.gradient import checkpoint

    place, name = (checkpoint, "save") if solver == "loop" else (stops.Stops, "at")
    run = Run(valid=shards.held_out, checkpoint=str(tmp_path))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power"):
        patch.setattr(place, name, stopping(getattr(place, name)))
        settings.fit_on_disk(DOT, shards, run)
    again = settings.fit_on_disk(DOT, shards, run)
    assert same(again.model, whole.model)
    assert [(e["loss"], e["valid_rmse"]) for e in again.history] == [(e["loss"], e["valid_rmse"]) for e in whole.history]


def test_the_kernel_in_memory_goes_on_too(tmp_path, monkeypatch):
    data = lw.Dataset.of(prepared_frame())
    settings = kernel(epochs=4, loss="bpr")
    whole = settings.fit(DOT, data, Run())
    settings.fit(DOT, data, Run(checkpoint=str(tmp_path), watch=lambda event: event["epoch"] == 2))
    told = json.loads((stops.ArrayFile.open(tmp_path / stops.NAME)).about)
    assert len(told["history"]) == 2
    path = tmp_path / stops.NAME
    unfinished = {**told, "finished": False, "notes": []}
    file = stops.ArrayFile.open(path)
    stops.write_arrays(path, {name: file.read(name) for name in file.entries}, json.dumps(unfinished))
    assert same(settings.fit(DOT, data, Run(checkpoint=str(tmp_path))).model, whole.model)


def prepared_frame():
    from likewise.data.synthetic import planted_clusters

    return planted_clusters(60, 40).data.frame()


def test_checkpoints_of_another_fit_and_damaged_ones(shards, tmp_path):
    run = Run(checkpoint=str(tmp_path))
    kernel(epochs=1).fit_on_disk(DOT, shards, run)
    with pytest.raises(ArtifactError, match="belongs to a fit with other data, settings or seed"):
        kernel(epochs=2).fit_on_disk(DOT, shards, run)
    path = tmp_path / stops.NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match="is damaged; delete it to start anew"):
        kernel(epochs=1).fit_on_disk(DOT, shards, run)


def test_no_negative_is_one_of_the_users_own(shards):
    supply = OnDisk(shards, likes=True, negatives=True)
    history = shards.resident().interactions.by_user
    for place, stratum in enumerate(supply.strata(0)):
        indptr, own = stratum.own
        for user in range(0, shards.n_users, 37):
            block = (shards.blocks[0][user] + place) % shards.side
            had = set(history.take(np.array([user], np.int32)).rows.tolist())
            drawable = set(stratum.choices[shards.blocks[0][user]].tolist())
            assert (shards.blocks[1][list(drawable)] == block).all()
            assert had & drawable == set(own[indptr[user] : indptr[user + 1]].tolist())


@pytest.mark.parametrize("loss", ["bpr", "bce"])
def test_likes_are_learned(shards, loss):
    fit = kernel(epochs=3, loss=loss, optimizer=lw.Adagrad(lr=0.1), negatives=lw.Negatives(2)).fit_on_disk(
        lw.Dot(factors=4, output="free" if loss == "bpr" else "logistic"), shards, Run(valid=shards.held_out)
    )
    assert fit.history[-1]["loss"] < fit.history[0]["loss"] and fit.history[-1]["valid_ndcg@10"] > 0.02


def test_each_row_comes_once_an_epoch(shards):
    import torch

    from likewise.solvers.gradient.streaming import ShardBatches

    batches = ShardBatches(shards, 512, torch.device("cpu"), False)
    generator = torch.Generator().manual_seed(0)
    orders = []
    for _ in range(2):
        rows = [torch.stack([b.users * ITEMS + b.items, (b.target * 1e4).long()], 1) for b in batches.epoch(generator)]
        assert len(rows) == len(batches)
        orders.append(torch.cat(rows))
    kept = shards.resident().interactions
    pairs, targets = kept.users.astype(np.int64) * ITEMS + kept.items, (kept.ratings * np.float32(1e4)).astype(np.int64)
    wanted = sorted(zip(pairs.tolist(), targets.tolist(), strict=True))
    assert [sorted(map(tuple, order.tolist())) for order in orders] == [wanted, wanted]
    assert not torch.equal(*orders)


@pytest.mark.parametrize("model", [lw.MLP(), lw.TwoTower()])
def test_networks(shards, model):
    rec = lw.Recommender(model, loop(epochs=2, stopping=lw.EarlyStopping("rmse"))).fit(shards, shards.held_out)
    found = rec.evaluate(shards.held_out)
    assert found["rmse"] < 0.55 and abs(found["rmse"] - rec.history["valid_rmse"].min()) < 1e-4 and found["ndcg@10"] > 0


def test_evaluation_is_that_in_memory(shards, monkeypatch):
    rec = lw.Recommender(DOT, kernel(epochs=2)).fit(shards)
    resident = shards.held_out.resident()
    on_disk, in_memory = rec.evaluate(shards.held_out), rec.evaluate(resident.select(np.arange(len(resident))), baselines=False)
    for figure in ("rmse", "mae", "ndcg@10", "recall@20", "auc"):
        assert abs(on_disk[figure] - in_memory[figure]) < 1e-6, figure
    monkeypatch.setattr("likewise.evaluation.on_disk.PEOPLE", 200)
    some = rec.evaluate(shards.held_out)
    assert abs(some["rmse"] - in_memory["rmse"]) < 1e-6 and abs(some["ndcg@10"] - in_memory["ndcg@10"]) < 0.05


def test_the_artifact_is_an_ordinary_one(shards, tmp_path):
    rec = lw.Recommender(DOT, kernel(epochs=1)).fit(shards)
    rec.save(tmp_path / "m")
    again = lw.load(tmp_path / "m")
    assert abs(again.evaluate(shards.held_out)["rmse"] - rec.evaluate(shards.held_out)["rmse"]) < 1e-6
    assert again.recommend(rec.data.users.id(0)).equals(rec.recommend(rec.data.users.id(0)))


@pytest.mark.parametrize(
    ("model", "solver", "message"),
    [
        (DOT, lw.Gibbs(), "Gibbs needs all events in memory"),
        (DOT, lw.ALS(), "ALS needs all events in memory"),
        (lw.Bias(), None, "ClosedForm needs all events in memory"),
        (DOT, loop(loss="softmax"), "loss 'softmax' looks up what each user has had, which stays on disk"),
        (DOT, loop(loss="bpr"), "take engine='one-pass'"),
        (DOT, loop(balance=lw.Balance()), "balance draws from all events at once"),
        (lw.SVDpp(), loop(), "SVDpp reads whole histories"),
    ],
)
def test_what_needs_everything_in_memory_is_refused(shards, model, solver, message):
    with pytest.raises(InputError, match=message):
        lw.Recommender(model, solver).fit(shards)


@pytest.mark.parametrize("solver", SOLVERS)
def test_events_that_are_learned_from_cannot_watch(shards, solver):
    with pytest.raises(InputError, match=r"cannot watch the learning: give valid=data\.held_out"):
        SOLVERS[solver](epochs=1).fit_on_disk(DOT, shards, Run(valid=shards))


def test_parts_that_do_not_belong(shards, tmp_path):
    rec = lw.Recommender(DOT, kernel(epochs=1)).fit(shards)
    with pytest.raises(InputError, match=r"evaluate on data.held_out"):
        rec.evaluate(shards)
    with pytest.raises(InputError, match="events in memory cannot be watched by shards"):
        lw.Recommender(DOT, kernel(epochs=1)).fit(shards.resident(), shards.held_out)
    lw.Dataset.of(prepared_frame()).frame().write_parquet(tmp_path / "x.parquet")
    other = lw.scan(tmp_path / "x.parquet", tmp_path / "other", test=0.2, by="random")
    with pytest.raises(InputError, match="were prepared apart from those to learn from"):
        lw.Recommender(DOT, kernel(epochs=1)).fit(shards, other.held_out)
    with pytest.raises(InputError, match="evaluate on the held_out of the shards it was fitted on"):
        rec.evaluate(other.held_out)
    shifted = shards.resident().frame().with_columns(pl.col("user_id") + 1)
    shifted.write_parquet(tmp_path / "shifted.parquet")
    alike = lw.scan(tmp_path / "shifted.parquet", tmp_path / "alike", test=0.2, by="random")
    assert (alike.n_users, alike.n_items) == (shards.n_users, shards.n_items)
    with pytest.raises(InputError, match="fitted on other ids"):
        rec.evaluate(alike.held_out)
    with pytest.raises(InputError, match="fit on the shards that hold them out"):
        lw.Recommender(DOT, kernel(epochs=1)).fit(shards.held_out)
    with pytest.raises(InputError, match="hold events out where they are prepared"):
        lw.split(shards)
    with pytest.raises(InputError, match="no preset makes lists from shards"):
        lw.fit(other)


MEMORY = """
import json, sys
import likewise as lw
from likewise.data.shards import prepare, source
from likewise.data.shards.progress import peak_megabytes
from likewise.data.synthetic import write_planted_blocks
from likewise.solvers.base import Run
prepare.SHARD, prepare.STRATUM, source.BATCH = 100_000, 100_000, 1 << 17
solver = lw.Gradient(epochs=1, optimizer=lw.SGD(lr=0.02), engine="one-pass")
def work(events):
    place = f"{sys.argv[1]}/{events}"
    write_planted_blocks(place, events, 2000, 1000, block=100_000, threads=1)
    if sys.argv[2] == "memory":
        data = lw.read(place)
        return solver.fit(lw.Dot(factors=16), data, Run(threads=1))
    data = lw.scan(place, place + "-shards", test=0.1)
    fit = solver.fit_on_disk(lw.Dot(factors=16), data, Run(threads=1, valid=data.held_out))
    lw.Recommender(lw.Dot(factors=16), solver)
    return fit
import likewise.data.shards.shards as shards
shards.KEPT = 50_000
work(20_000)  # imports, compiled code
before = peak_megabytes()
fit = work(2_000_000)
print(json.dumps({"mb": peak_megabytes() - before, "rmse": fit.history[-1]["train_rmse"]}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count of the peak")
def test_memory_is_bounded(tmp_path):
    """2 million events prepared and learned in 100 MB; in memory they take more than twice that."""
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path), "disk"], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["mb"] < 100
