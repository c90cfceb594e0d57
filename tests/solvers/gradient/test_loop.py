"""The loop: it learns, stops, resumes, averages, diverges with advice, and leaves the caller's torch alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from likewise.data.dataset import Dataset
from likewise.errors import ArtifactError, DivergedError, InputError
from likewise.models.base import Model
from likewise.models.bias import Bias
from likewise.models.dot import Dot, FittedDot
from likewise.models.networks.autorec import AutoRec
from likewise.models.networks.base import Network
from likewise.models.networks.dlrm import DLRM
from likewise.models.networks.dot import DotNetwork
from likewise.models.networks.mlp import MLP
from likewise.models.networks.neumf import NeuMF
from likewise.models.networks.svdpp import SVDpp
from likewise.models.networks.two_tower import TwoTower
from likewise.recommender import Recommender
from likewise.solvers.als import ALS
from likewise.solvers.base import Fit, Run, Start
from likewise.solvers.gradient import (
    SGD,
    AdamW,
    Averaging,
    Balance,
    Constant,
    CosineRestarts,
    EarlyStopping,
    Gradient,
    LazyAdam,
    Loss,
    Negatives,
    Penalty,
    Plateau,
)
from likewise.solvers.gradient.loop import Training


def planted(seed: int = 0, users: int = 120, items: int = 40, share: float = 0.5, rank: int = 2) -> tuple[Dataset, Dataset]:
    """Ratings of a rank-2 dot product with biases and a little noise; (train, valid)."""
    draw = np.random.default_rng(seed)
    p, q = draw.normal(0, 0.7, (users, rank)), draw.normal(0, 0.7, (items, rank))
    score = 3 + draw.normal(0, 0.4, users)[:, None] + draw.normal(0, 0.4, items) + p @ q.T + draw.normal(0, 0.05, (users, items))
    u, i = np.nonzero(draw.random((users, items)) < share)
    frame = pl.DataFrame({"user_id": u, "item_id": i, "rating": np.clip(score[u, i], 0, 6)})
    held = draw.random(len(u)) < 0.2
    return Dataset.of(frame.filter(pl.Series(~held))), Dataset.of(frame.filter(pl.Series(held)))


QUICK = Gradient(epochs=25, batch_size=64, optimizer=AdamW(0.02, weight_decay=0.01), engine="torch")
TRAIN, VALID = planted()


def error(fit: Fit, data: Dataset = VALID, train: Dataset = TRAIN) -> float:
    pairs = train.encode(data)
    pairs = pairs.select(pairs.known)
    model = fit.model
    answers = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items, None))
    return float(np.sqrt(np.mean((answers - pairs.ratings) ** 2)))


@pytest.mark.parametrize("output", ["clip", "free", "sigmoid"])
def test_it_recovers_a_planted_dot_product(output: str) -> None:
    fit = QUICK.fit(Dot(4, output=output), TRAIN, Run(valid=VALID))  # type: ignore[arg-type]
    assert isinstance(fit.model, FittedDot)
    assert error(fit) < 0.25
    assert fit.history[-1]["valid_rmse"] == pytest.approx(error(fit), abs=1e-4)
    assert fit.history[-1]["train_rmse"] < 0.15 and len(fit.history) == 25
    assert fit.seconds > 0 and fit.history[0]["of"] == 25 and fit.history[0]["rows_per_second"] > 0


def test_a_plain_dot_product_has_no_biases() -> None:
    model = QUICK.fit(Dot(4, bias=False, output="free"), TRAIN, Run()).model
    assert isinstance(model, FittedDot) and not model.user_bias.any() and not model.item_bias.any()


def test_the_same_seed_gives_the_same_bytes_and_torch_is_left_alone() -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    states = [replace(QUICK, epochs=3).fit(MLP(8, (16,), (0.2,)), TRAIN, Run(seed=s, threads=1)).model.state() for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == threads
    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])
    assert states[0]["persons"].tobytes() != states[2]["persons"].tobytes()


def test_early_stopping_restores_the_best_weights() -> None:
    train, valid = planted(3, share=0.15)
    solver = Gradient(
        epochs=80, batch_size=32, optimizer=AdamW(0.1, 0.0), schedule=Constant(), stopping=EarlyStopping("rmse", 4), engine="torch"
    )
    fit = solver.fit(Dot(8, output="free"), train, Run(valid=valid))
    errors = [e["valid_rmse"] for e in fit.history]
    assert len(errors) < 80 and errors.index(min(errors)) == len(errors) - 5
    assert error(fit, valid, train) == pytest.approx(min(errors), abs=1e-4)
    assert any("has not improved" in note for note in fit.notes)


def test_stopping_may_go_by_a_ranked_list() -> None:
    solver = replace(QUICK, epochs=4, loss="bpr", stopping=EarlyStopping("ndcg@5", 2))
    fit = solver.fit(Dot(4, output="free"), TRAIN, Run(valid=VALID))
    assert 0 < fit.history[-1]["valid_ndcg@5"] <= 1


@pytest.mark.parametrize("optimizer", [AdamW(0.02), SGD(0.1, momentum=0.9), LazyAdam(0.02)])
def test_a_resumed_fit_has_the_numbers_of_an_uninterrupted_one(tmp_path: Path, optimizer: Any) -> None:
    solver = replace(QUICK, epochs=6, optimizer=optimizer, averaging=Averaging(ema=0.9), stopping=EarlyStopping("rmse", 5))
    model = MLP(8, (16,), (0.2,))
    whole = solver.fit(model, TRAIN, Run(valid=VALID, seed=3))
    run = Run(valid=VALID, seed=3, checkpoint=str(tmp_path), watch=lambda event: event["epoch"] == 2)
    half = solver.fit(model, TRAIN, run)
    assert len(half.history) == 2 and any("as asked" in note for note in half.notes)
    import json

    from safetensors import safe_open

    # a run that was asked to stop is finished; one that was killed is not: the file says so
    with safe_open(tmp_path / "gradient.safetensors", "pt") as file:
        assert json.loads(file.metadata()["about"])["finished"] is False
    resumed = solver.fit(model, TRAIN, replace(run, watch=None))
    assert len(resumed.history) == 6
    a, b = whole.model.state(), resumed.model.state()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    with pytest.raises(ArtifactError, match="other data, settings or seed"):
        solver.fit(model, TRAIN, replace(run, seed=4))
    content = bytearray((tmp_path / "gradient.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "gradient.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="its checksum is another"):
        solver.fit(model, TRAIN, run)
    (tmp_path / "gradient.safetensors").write_bytes(b"broken")
    with pytest.raises(ArtifactError, match="damaged"):
        solver.fit(model, TRAIN, run)


def test_a_diverging_run_stops_with_advice_and_keeps_the_last_good_weights() -> None:
    # the rate warms up, so the first epochs are sound and a later one is not
    solver = Gradient(epochs=12, batch_size=64, optimizer=SGD(1e6), schedule=Constant(warmup=12), engine="torch")
    with pytest.raises(DivergedError, match=r"epoch \d+, step \d+.*lower the learning rate") as caught:
        solver.fit(Dot(4, output="free"), TRAIN, Run())
    kept = caught.value.fit
    assert isinstance(kept, Fit)
    assert np.isfinite(kept.model.score(kept.model.people(np.arange(5, dtype=np.int32)))).all()


def test_ctrl_c_keeps_the_best_so_far_if_asked() -> None:
    def press(event: Any) -> None:
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        QUICK.fit(Dot(4), TRAIN, Run(watch=press))
    fit = QUICK.fit(Dot(4), TRAIN, Run(watch=press, keep_on_interrupt=True))
    assert len(fit.history) == 2 and "interrupted" in fit.notes[0]


@pytest.mark.parametrize("averaging", [Averaging(ema=0.95), Averaging(swa=0.5), Averaging(seeds=3)])
def test_averages_answer_as_well(averaging: Averaging) -> None:
    fit = replace(QUICK, averaging=averaging).fit(Dot(4, output="free"), TRAIN, Run(valid=VALID))
    assert error(fit) < 0.3
    assert fit.history[-1]["valid_rmse"] == pytest.approx(error(fit), abs=1e-4)
    if averaging.seeds > 1:
        assert fit.model.factors("item").shape == (40, 12)  # type: ignore[union-attr]


def test_l2_and_l1_by_occurrence_shrink_and_clipping_holds() -> None:
    def size(**penalty: float) -> float:
        fit = replace(QUICK, epochs=5, penalty=Penalty(**penalty)).fit(Dot(4, output="free"), TRAIN, Run())
        return float(np.abs(fit.model.factors("item")).mean())

    free = size()
    assert size(l2=0.5) < free * 0.9 and size(l1=0.2) < free * 0.9
    assert replace(QUICK, epochs=2, penalty=Penalty(clip=0.01)).fit(Dot(4), TRAIN, Run()).history


def test_the_penalty_is_the_gradient_of_its_formula() -> None:
    from likewise.models.networks.base import network_of
    from likewise.solvers.gradient.loop import Training

    for optimizer in (SGD(0.1), LazyAdam()):
        solver = replace(QUICK, optimizer=optimizer, penalty=Penalty(l2=0.3, l1=0.1, bias=0.5))
        training = Training(network_of(Dot(3)), Dot(3), TRAIN, Run(), solver, torch.device("cpu"))
        batch = next(iter(training.batches.epoch(training.generator)))
        net = training.members[0]
        (net(batch.users, batch.items, {}).sum() * 0).backward()
        training.objective.penalise()
        found = {name: p.grad.to_dense() for name, p in net.named_parameters() if p.grad is not None}
        net.zero_grad()
        share = torch.tensor([1.0, 1.0, 1.0, 0.5])
        # a dense table is held as the whole data looks it up, a lazy one as the batch does
        rows = training.batches.rows if isinstance(optimizer, SGD) else batch
        naive = sum(
            0.15 * (share * table[looked_up].square()).sum() + 0.1 * (share * table[looked_up].abs()).sum()
            for table, looked_up in ((net.users.weight, rows.users), (net.items.weight, rows.items))  # type: ignore[union-attr, index]
        ) / len(rows)
        naive.backward()  # type: ignore[union-attr]
        for name, p in net.named_parameters():
            torch.testing.assert_close(found[name], p.grad.to_dense())  # type: ignore[union-attr]


@pytest.mark.parametrize("loss", ["mae", "huber", "ordinal", "categorical", "bce", "bpr", "hinge", "warp", "sampled-softmax", "softmax"])
def test_every_loss_learns(loss: str) -> None:
    train = Dataset.of(TRAIN.frame().with_columns(pl.col("rating").round()))
    valid = Dataset.of(VALID.frame().with_columns(pl.col("rating").round()))
    fit = replace(QUICK, epochs=8, loss=loss).fit(Dot(4, output="free"), train, Run(valid=valid))
    history = fit.history
    assert history[-1]["loss"] < history[0]["loss"]
    if loss in ("mae", "huber", "ordinal", "categorical"):
        assert history[-1]["valid_rmse"] < 0.7
    if loss in ("ordinal", "categorical"):
        told = fit.model.predictive(fit.model.people(np.array([0, -1], np.int32)), np.array([1, -1], np.int32))
        assert told is not None and told.probabilities is not None
        assert told.probabilities.shape == (2, 7) and told.probabilities.sum(1) == pytest.approx([1, 1], abs=1e-4)
        # the score of a model of levels is the rating it expects
        assert fit.model.score_pairs(fit.model.people(np.array([0], np.int32)), np.array([1], np.int32)) == pytest.approx(
            told.mean[:1], abs=1e-4
        )


def test_contrastive_ranks_by_direction() -> None:
    solver = replace(QUICK, epochs=8, loss={"name": "contrastive", "margin": 0.2}, negatives=Negatives(ratio=8))
    fit = solver.fit(Dot(8, bias=False, output="free"), TRAIN, Run())
    assert np.linalg.norm(fit.model.factors("item"), axis=1) == pytest.approx(np.ones(40), abs=1e-4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bias=False"):
        solver.fit(Dot(8), TRAIN, Run())
    with pytest.raises(InputError, match="needs a dot product"):
        solver.fit(MLP(8), TRAIN, Run())


def test_negatives_of_a_rating_loss_count_as_their_target() -> None:
    plain = replace(QUICK, epochs=10).fit(Dot(4, output="free"), TRAIN, Run()).model
    for negatives in (Negatives(ratio=0.5, replace=True), Negatives(ratio=0.5), Negatives(ratio=2)):
        lower = replace(QUICK, epochs=10, negatives=negatives).fit(Dot(4, output="free"), TRAIN, Run()).model
        everyone = np.arange(120, dtype=np.int32)
        assert lower.score(lower.people(everyone)).mean() < plain.score(plain.people(everyone)).mean() - 0.4


def test_weights_and_balance_change_what_is_learned() -> None:
    frame = TRAIN.frame().with_columns(pl.Series("weight", np.where(TRAIN.interactions.ratings > 3, 1.0, 0.0)))
    heavy = replace(QUICK, epochs=8).fit(Dot(4, output="free"), Dataset.of(frame), Run()).model
    even = replace(QUICK, epochs=8).fit(Dot(4, output="free"), TRAIN, Run()).model
    everyone = np.arange(120, dtype=np.int32)
    assert heavy.score(heavy.people(everyone)).mean() > even.score(even.people(everyone)).mean() + 0.2
    assert replace(QUICK, epochs=2, balance=Balance(items=1)).fit(Dot(4), TRAIN, Run()).history


def test_plateaus_drop_the_rate() -> None:
    solver = replace(QUICK, epochs=30, schedule=Plateau(patience=2, factor=0.1))
    rates = [e["rate"] for e in solver.fit(Dot(4), TRAIN, Run(valid=VALID)).history]
    assert rates[0] == pytest.approx(0.02) and rates[-1] < 0.01


def test_it_says_when_everybody_gets_the_same_list() -> None:
    solver = replace(QUICK, epochs=3, penalty=Penalty(l2=50.0))
    notes = solver.fit(Dot(2, output="free"), TRAIN, Run(valid=VALID)).notes
    assert any("same list" in note for note in notes)


def test_training_may_start_from_another_models_tables() -> None:
    first = QUICK.fit(Dot(4, output="free"), TRAIN, Run())
    held = replace(QUICK, epochs=1, optimizer=AdamW(1e-9, 0.0))
    again = held.fit(Dot(4, output="free"), TRAIN, Run(start=first.model))
    assert np.allclose(again.model.factors("item"), first.model.factors("item"), atol=1e-4)  # type: ignore[arg-type]
    frozen = replace(QUICK, epochs=2).fit(MLP(4, (8,), freeze=("items",)), TRAIN, Run(start=first.model))
    assert np.array_equal(frozen.model.factors("item"), first.model.factors("item"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="same number of factors"):
        QUICK.fit(Dot(7), TRAIN, Run(start=first.model))
    with pytest.raises(InputError, match="freeze names 'tops'"):
        QUICK.fit(MLP(4, (8,), freeze=("tops",)), TRAIN, Run())


@pytest.mark.parametrize(
    "network",
    [
        SVDpp(4, mirror=True, freeze=("users", "mirrored")),
        DLRM(4, top=(4,), freeze=("users", "top")),
        TwoTower(4, freeze=("users",)),
        AutoRec(4, freeze=("users",)),
        DotNetwork(Dot(4, freeze=("items",))),
    ],
)
def test_frozen_layers_stay_as_they_began(network: Network) -> None:
    nets = []
    for epochs in (1, 3):
        training = Training(network, network, TRAIN, Run(), replace(QUICK, epochs=epochs), torch.device("cpu"))
        if not nets:
            nets.append({name: value.clone() for name, value in training.nets.state_dict().items()})
            continue
        training.nets.load_state_dict(nets[0])
        training.run_epochs()
        nets.append(training.nets.state_dict())
    moved = {name for name, value in nets[1].items() if not torch.equal(value, nets[0][name])}
    frozen = tuple(f"0.{layer}." for layer in network.freeze)  # type: ignore[attr-defined]
    assert moved and not [name for name in moved if name.startswith(frozen)]


def test_freezing_fits_gradient_descent_alone() -> None:
    frozen = Dot(4, freeze=["items"])  # type: ignore[arg-type] # as a preset file gives it
    assert frozen.freeze == ("items",)
    fit = Gradient(2, 64, optimizer=SGD(0.01), engine="auto").fit(
        frozen, TRAIN, Run(start=(first := QUICK.fit(Dot(4), TRAIN, Run())).model)
    )
    assert np.array_equal(fit.model.factors("item"), first.model.factors("item"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="clip or freeze"):
        Gradient(2, 64, optimizer=SGD(0.01), engine="one-pass").fit(frozen, TRAIN, Run())
    with pytest.raises(InputError, match="ALS moves every row"):
        Recommender(frozen, ALS())
    with pytest.raises(InputError, match="'users', 'items' or both; got 'tops'"):
        Dot(4, freeze=("tops",))


def test_a_recommender_passes_precision_and_compile_to_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []

    def fit(self: Gradient, model: Model, data: Dataset, run: Run) -> Fit:
        seen.append((run.precision, run.compile))
        return own(self, model, data, run)

    own = Gradient._fit
    monkeypatch.setattr(Gradient, "_fit", fit)
    once = replace(QUICK, epochs=1)
    Recommender(Dot(4), once).fit(TRAIN, precision="mixed")
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)  # torch's compiler takes a minute
    Recommender(Dot(4), once).fit(TRAIN, compile=True)
    assert seen == [("mixed", False), ("float32", True)]
    with pytest.raises(InputError, match="'float32' or 'mixed'; got 'half'"):
        Recommender(Dot(4), once).fit(TRAIN, precision="half")  # type: ignore[arg-type]


def test_people_are_found_anew_for_the_dot_product_alone() -> None:
    again = replace(QUICK, loss=Loss("softmax"), penalty=Penalty(l2=0.1, people=2.0))
    with pytest.raises(InputError, match="the people of Dot anew, and MLP makes them in layers"):
        again.fit(MLP(4, (8,)), TRAIN, Run())


def test_neumf_begins_as_the_mean_of_its_halves() -> None:
    dot = QUICK.fit(Dot(4), TRAIN, Run())
    perceptron = replace(QUICK, epochs=5).fit(MLP(3, (8, 4), output="clip"), TRAIN, Run())
    whole = NeuMF(4, 3, (8, 4), dropout=(0.0,), output="clip")
    still = replace(QUICK, epochs=1, optimizer=AdamW(1e-9, 0.0))
    for halves in ((dot, perceptron), (perceptron, dot)):
        joined = still.fit(whole, TRAIN, Run(start=[Start(half.model) for half in halves])).model
        users, items = np.arange(20, dtype=np.int32), np.arange(20, dtype=np.int32)
        scores = [m.score_pairs(m.people(users), items) for m in (joined, dot.model, perceptron.model)]
        assert np.allclose(scores[0], (scores[1] + scores[2]) / 2, atol=1e-3)
    trained = replace(QUICK, epochs=10).fit(whole, TRAIN, Run(start=[Start(dot.model), Start(perceptron.model)]))
    assert error(trained) < error(perceptron)
    for halves, message in (
        ([dot, dot], "a Dot and an MLP"),
        ([QUICK.fit(Dot(2), TRAIN, Run()), perceptron], "the dot half has 2 factors"),
        ([dot, replace(QUICK, epochs=1).fit(MLP(3, (8,), output="clip"), TRAIN, Run())], "embedding=3, hidden="),
        ([dot, replace(QUICK, epochs=1).fit(MLP(3, (8, 4)), TRAIN, Run())], "own output and range"),
        ([dot, dot, dot], "only NeuMF takes two"),
    ):
        with pytest.raises(InputError, match=message):
            QUICK.fit(whole, TRAIN, Run(start=[Start(half.model) for half in halves]))


def test_rows_that_the_other_model_knows_begin_where_it_ended() -> None:
    first = QUICK.fit(Dot(4), TRAIN, Run()).model
    places = np.full(TRAIN.n_users, -1, np.int32), np.arange(TRAIN.n_items, dtype=np.int32)
    places[0][:10] = np.arange(10)[::-1]
    for solver in (replace(QUICK, epochs=1, optimizer=AdamW(1e-9, 0.0)), Gradient(epochs=1, optimizer=SGD(1e-9), engine="one-pass")):
        again = solver.fit(Dot(4), TRAIN, Run(start=Start(first, *places))).model
        assert np.allclose(again.user_factors[:10], first.user_factors[:10][::-1], atol=1e-4)
        assert np.allclose(again.user_bias[:10], first.user_bias[:10][::-1], atol=1e-4)
        assert np.allclose(again.item_factors, first.item_factors, atol=1e-4)
        assert not np.allclose(again.user_factors[10:], first.user_factors[10:], atol=1e-2)
    perceptron = replace(QUICK, epochs=5).fit(MLP(4, (8,)), TRAIN, Run()).model
    tuned = replace(QUICK, epochs=1, optimizer=AdamW(1e-9, 0.0)).fit(MLP(4, (8,)), TRAIN, Run(start=perceptron)).model
    rows = np.arange(30, dtype=np.int32)
    assert np.allclose(tuned.score_pairs(tuned.people(rows), rows), perceptron.score_pairs(perceptron.people(rows), rows), atol=1e-3)
    with pytest.raises(InputError, match="starts from one other model"):
        Gradient(optimizer=SGD(0.1), engine="one-pass").fit(Dot(4), TRAIN, Run(start=[Start(first), Start(first)]))


def test_a_recommender_starts_from_another_by_id(tmp_path: Path) -> None:
    old = Recommender(Dot(4), QUICK).fit(TRAIN)
    old.save(tmp_path / "old")
    frame = VALID.frame().with_columns(pl.col("user_id").cast(pl.String), pl.col("item_id").cast(pl.String))
    still = replace(QUICK, epochs=1, optimizer=AdamW(1e-9, 0.0))
    new = Recommender(Dot(4), still).fit(Dataset.of(frame), start=tmp_path / "old")
    ids = new.data.items.ids.to_list()
    rows = old.data.items.rows(ids)
    assert np.allclose(new.fitted.factors("item"), old.fitted.factors("item")[rows], atol=1e-4)
    with pytest.raises(InputError, match="only gradient descent can start"):
        Recommender(Bias()).fit(TRAIN, start=old)


def test_one_row_is_enough_and_none_is_refused() -> None:
    one = Dataset.of(pl.DataFrame({"user_id": [1], "item_id": [2], "rating": [4.0]}))
    for model in (Dot(2), MLP(2, (4,), norm=True)):
        fit = replace(QUICK, epochs=1).fit(model, one, Run())
        assert np.isfinite(fit.model.score(fit.model.people(np.array([0, -1], np.int32)))).all()
    with pytest.raises(InputError, match="nothing to learn"):
        QUICK.fit(Dot(2), one.select(np.zeros(1, np.bool_)), Run())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"schedule": CosineRestarts(period=50)}, "longer than training"),
        ({"optimizer": {"name": "adamv"}}, "name= one of adagrad"),
        ({"optimizer": {"name": "adam", "rate": 1}}, "no setting 'rate'"),
        ({"loss": "rmse"}, "loss must be one of"),
        ({"stopping": {"metric": "auc"}}, "'ndcg@K'"),
        ({"engine": "jax"}, "engine must be one of"),
        ({"averaging": {"ema": 0.9, "swa": 0.5}}, "not both"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(QUICK, **change)


def test_losses_that_do_not_fit_the_data_are_refused() -> None:
    likes = Dataset.of(TRAIN.frame().drop("rating"))
    with pytest.raises(InputError, match="needs ratings"):
        QUICK.fit(Dot(2, output="free"), likes, Run())
    with pytest.raises(InputError, match="rating levels; the data has"):
        replace(QUICK, loss="categorical").fit(Dot(2), TRAIN, Run())
    with pytest.raises(InputError, match="takes no sampled negatives"):
        replace(QUICK, loss="softmax", negatives=Negatives()).fit(Dot(2), likes, Run())
    with pytest.raises(InputError, match="device must be"):
        QUICK.fit(Dot(2), TRAIN, Run(device="abacus"))


def test_settings_survive_the_way_through_plain_values() -> None:
    solver = replace(
        QUICK, negatives=Negatives(ratio=2), stopping=EarlyStopping("mae"), schedule=CosineRestarts(), loss={"name": "huber", "delta": 2.0}
    )
    assert Gradient(**solver.settings) == solver
    assert Gradient(optimizer="sgd", schedule="constant", loss="mae").loss.name == "mae"
