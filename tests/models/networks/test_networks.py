"""Every network: it learns, answers, folds in, explains, grows, is kept and comes back; bad settings are refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.models.dot import Dot
from likewise.models.networks.autorec import AutoRec
from likewise.models.networks.base import Network, embedding_width, network_of
from likewise.models.networks.dlrm import DLRM
from likewise.models.networks.layers import Ragged, bag_sum, biased_dot, dense, with_biases
from likewise.models.networks.mlp import MLP
from likewise.models.networks.net import Net
from likewise.models.networks.neumf import NeuMF
from likewise.models.networks.svdpp import SVDpp
from likewise.models.networks.two_tower import TwoTower
from likewise.models.popularity import Popularity
from likewise.solvers.base import Run
from likewise.solvers.gradient import AdamW, Averaging, Gradient, Penalty
from likewise.solvers.gradient.objective import facts_for

SOLVER = Gradient(epochs=12, batch_size=64, optimizer=AdamW(0.02, weight_decay=0.05), penalty=Penalty(l2=0.02), engine="torch")
NETWORKS: list[Network] = [
    MLP(8, (16, 8), (0.1,)),
    MLP(("auto", 5), (16,), norm=True, output="clip"),
    NeuMF(4, 4, (8,)),
    TwoTower(4),
    TwoTower(4, hidden=(6,), id_dropout=0.2),
    TwoTower(4, join="mlp", join_hidden=(8,)),
    SVDpp(4, history_dropout=0.2),
    SVDpp(4, mirror=True),
    DLRM(4, bottom=(4,), top=(8,)),
    AutoRec(8, dropout=0.1, scale=0.5),
]
VECTORS = (TwoTower(4), SVDpp(4), SVDpp(4, mirror=True), AutoRec(8))


def world(seed: int = 0, users: int = 50, items: int = 30) -> tuple[Dataset, Dataset]:
    """Ratings driven by a genre that people like or not, and by levels; with tables of features. (train, valid)"""
    draw = np.random.default_rng(seed)
    genre, taste = draw.integers(0, 2, items), draw.normal(0, 1, users)
    score = 3 + taste[:, None] * (2 * genre - 1) + draw.normal(0, 0.4, items) + draw.normal(0, 0.1, (users, items))
    u, i = np.nonzero(draw.random((users, items)) < 0.6)
    frame = pl.DataFrame({"user_id": u, "item_id": i, "rating": np.clip(score[u, i], 0, 6), "where": draw.choice(["home", "out"], len(u))})
    held = draw.random(len(u)) < 0.2
    tables: dict[str, Any] = {
        "item_table": pl.DataFrame({"item_id": np.arange(items), "genre": np.where(genre, "drama", "comedy"), "year": 1990 + genre}),
        "user_table": pl.DataFrame({"user_id": np.arange(users), "likes": np.where(taste > 0, "drama", "comedy")}),
    }
    return Dataset.of(frame.filter(pl.Series(~held)), ("where",), **tables), Dataset.of(frame.filter(pl.Series(held)), ("where",), **tables)


TRAIN, VALID = world()
FITS: dict[int, FittedModel[Any]] = {}


def fitted(n: int) -> FittedModel[Any]:
    """Each network, fitted once."""
    if n not in FITS:
        FITS[n] = SOLVER.fit(NETWORKS[n], TRAIN, Run(threads=1)).model
    return FITS[n]


def rows(*values: int) -> Any:
    return np.array(values, np.int32)


every = pytest.mark.parametrize("n", range(len(NETWORKS)), ids=lambda n: f"{NETWORKS[n].name}{n}")


@every
def test_it_learns_more_than_levels(n: int) -> None:
    model, pairs = fitted(n), TRAIN.encode(VALID)
    answers = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items, pairs.context))
    error = float(np.sqrt(np.mean((answers - pairs.ratings) ** 2)))
    assert error < 0.75 * float(np.std(pairs.ratings)), error


@every
def test_answers_agree_with_each_other(n: int) -> None:
    model = fitted(n)
    people = model.people(rows(0, 7, -1))
    whole = model.score(people)
    assert whole.shape == (3, TRAIN.n_items) and whole.dtype == np.float32 and np.isfinite(whole).all()
    assert np.allclose(model.score(people, rows(4, 2)), whole[:, [4, 2]], atol=1e-5)
    assert np.allclose(model.score_pairs(people, rows(1, 2, 3)), whole[[0, 1, 2], [1, 2, 3]], atol=1e-5)
    assert np.isfinite(model.score_pairs(people, rows(-1, -1, -1))).all()
    if model.item_vectors is not None:
        assert np.allclose(people @ model.item_vectors.T, whole, atol=1e-5)
    for side in ("user", "item"):
        assert len(model.factors(side)) == (TRAIN.n_users if side == "user" else TRAIN.n_items)  # type: ignore[arg-type]


@every
def test_it_comes_back_from_its_arrays(n: int) -> None:
    model = fitted(n)
    again = type(model).from_state(NETWORKS[n], model.state())
    assert np.array_equal(again.score(again.people(rows(3, -1))), model.score(model.people(rows(3, -1))))
    history = TRAIN.interactions.by_user.take(rows(5))
    assert np.array_equal(again.fold_in(history), model.fold_in(history))
    assert {name: a.tobytes() for name, a in again.state().items()} == {name: a.tobytes() for name, a in model.state().items()}


@every
def test_a_person_folded_in_gets_the_answers_of_one_trained(n: int) -> None:
    model, everyone = fitted(n), np.arange(TRAIN.n_users, dtype=np.int32)
    features = None if TRAIN.user_features is None else TRAIN.user_features.design()
    folded = model.fold_in(TRAIN.interactions.by_user.take(everyone), features)
    trained, again = model.score(model.people(everyone)), model.score(folded)
    assert np.corrcoef(trained.ravel(), again.ravel())[0, 1] > 0.9
    empty = model.fold_in(Histories.of({}))
    assert np.allclose(model.score(empty), model.score(model.people(rows(-1))), atol=1e-5)


@every
def test_parts_add_up(n: int) -> None:
    model = fitted(n)
    for part in model.explain(model.people(rows(2, -1)), TRAIN.interactions.by_user.take(rows(2, -1)), 4):
        total = part.mean + part.user + part.item + float(part.taste.sum()) + sum(part.extra.values()) + part.residual
        assert total == pytest.approx(part.score, abs=1e-4)
    assert (
        len(model.explain(model.people(rows(2)), TRAIN.interactions.by_user.take(rows(2)), 4)[0].taste)
        == TRAIN.interactions.by_user.counts[2]
    )


@every
def test_copies_change_only_what_they_were_asked_to(n: int) -> None:
    model, size = fitted(n), TRAIN.n_users
    before = model.score(model.people(rows(0, 1)))
    person = model.fold_in(TRAIN.interactions.by_user.take(rows(3)))
    grown = model.with_people(rows(size), person)
    assert grown.n_users == size + 1 and model.n_users == size
    assert np.array_equal(grown.score(grown.people(rows(0, 1))), before)
    assert np.allclose(grown.score(grown.people(rows(size))), model.score(person), atol=1e-4)
    liked = Histories.of(dict.fromkeys(range(20), 6.0), dict.fromkeys(range(20), 0.0))
    more = model.with_items(rows(TRAIN.n_items, TRAIN.n_items + 1), liked)
    assert more.n_items == TRAIN.n_items + 2
    scores = more.score(more.people(rows(0, 1, 2)))
    assert np.allclose(scores[:2, :-2], before, atol=1e-5)
    assert scores[:, -2].mean() > scores[:, -1].mean() + 0.5


@every
def test_settings_are_plain_values(n: int) -> None:
    assert type(NETWORKS[n])(**NETWORKS[n].settings) == NETWORKS[n]
    listed = {k: list(v) if isinstance(v, tuple) else v for k, v in NETWORKS[n].settings.items()}
    assert type(NETWORKS[n])(**listed) == NETWORKS[n]


@pytest.mark.parametrize("network", [*VECTORS, Dot(4), MLP(4, (8,)), TwoTower(4, hidden=(5,))])
def test_seeds_answer_with_the_mean_of_their_scores(network: Any) -> None:
    solver = replace(SOLVER, epochs=2, averaging=Averaging(seeds=3))
    facts = facts_for(network_of(network), TRAIN, solver)
    torch.manual_seed(0)
    nets = [Net(network_of(network), facts) for _ in range(3)]
    joint = network_of(network).fitted(nets, facts)
    alone = [network_of(network).fitted([net], facts) for net in nets]
    everyone = np.arange(TRAIN.n_users, dtype=np.int32)
    mean = np.mean([m.score(m.people(everyone)) for m in alone], 0)
    assert np.allclose(joint.score(joint.people(everyone)), mean, atol=1e-4)
    pairs = torch.arange(5), torch.arange(5)
    net_scores = [net.eval()(*pairs, {}).detach().numpy() for net in nets]
    assert np.allclose(joint.score_pairs(joint.people(rows(*range(5))), rows(*range(5))), np.mean(net_scores, 0), atol=1e-4)


def test_two_towers_answer_unknown_ids_from_features() -> None:
    solver = replace(SOLVER, epochs=20)
    for network in (TwoTower(4), TwoTower(4, ids=False), TwoTower(4, hidden=(6,), id_dropout=0.3)):
        model = solver.fit(network, TRAIN, Run()).model
        assert TRAIN.item_features is not None and TRAIN.user_features is not None
        frame = pl.DataFrame({"genre": ["drama", "comedy"], "year": [1991, 1990]})
        new = rows(TRAIN.n_items, TRAIN.n_items + 1)
        more = model.with_items(new, Histories.of({}, {}), TRAIN.item_features.encode(frame).design())
        fans = TRAIN.user_features.encode(pl.DataFrame({"likes": ["drama", "comedy"]})).design()
        scores = more.score(more.fold_in(Histories.of({}, {}), fans), new)
        assert scores[0, 0] > scores[0, 1] + 0.3 and scores[1, 1] > scores[1, 0] + 0.3
    with pytest.raises(InputError, match="columns of training"):
        model.fold_in(Histories.of({}), TRAIN.item_features.take(rows(0)).design())
    with pytest.raises(InputError, match="without ids need features"):
        solver.fit(TwoTower(4, ids=False), Dataset.of(TRAIN.frame()), Run())


def test_svdpp_reads_the_history_and_dlrm_the_context() -> None:
    model = fitted(6)
    rated_low = Histories.of({0: 3.0, 1: 3.0})
    silent = Histories(rated_low.indptr, rows(2, 3), rated_low.ratings)
    assert not np.allclose(model.fold_in(rated_low), model.fold_in(silent))
    dlrm = fitted(8)
    people = dlrm.people(rows(1, 1, 1))
    answers = dlrm.score_pairs(people, rows(2, 2, 2), {"where": rows(0, 1, -1)})
    assert len(set(answers.tolist())) == 3
    assert answers[2] == pytest.approx(dlrm.score_pairs(people[:1], rows(2))[0], abs=1e-5)


@pytest.mark.parametrize("network", [TwoTower(4), SVDpp(4), AutoRec(8)])
def test_vector_models_load_and_answer_without_torch(network: Network, tmp_path: Any) -> None:
    model = replace(SOLVER, epochs=1).fit(network, TRAIN, Run()).model
    np.savez(tmp_path / "state.npz", **model.state())  # type: ignore[arg-type]
    script = f"""
import sys, numpy as np
from {type(network).__module__} import {type(network).__name__}
from likewise.models.networks.sums import FittedSums
from likewise.data.interactions import Histories
state = dict(np.load({str(tmp_path / "state.npz")!r}))
model = FittedSums.from_state({type(network).__name__}(**{network.settings!r}), state)
model.score(model.fold_in(Histories.of({{0: 5.0}})))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_importing_settings_does_not_import_torch() -> None:
    names = ["autorec", "dlrm", "dot", "mlp", "neumf", "svdpp", "two_tower", "sums", "tower"]
    script = f"""
import sys, importlib
for name in {names!r}:
    importlib.import_module("likewise.models.networks." + name)
import likewise.solvers.gradient
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_layers_equal_their_naive_forms() -> None:
    torch.manual_seed(0)
    table = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    indptr, columns = torch.tensor([0, 2, 2, 5]), torch.tensor([1, 1, 5, 0, 3])
    values = torch.randn(5, dtype=torch.float64)
    naive = torch.stack([(values[a:b, None] * table[columns[a:b]]).sum(0) for a, b in pairwise(indptr)])
    torch.testing.assert_close(bag_sum(table, indptr, columns, values), naive)
    assert torch.autograd.gradcheck(lambda t: bag_sum(t, indptr, columns, values), (table,))
    ragged = Ragged(CSR(indptr.numpy(), columns.numpy().astype(np.int32), values.numpy().astype(np.float32), 6))
    for asked in ([0, 2, 0], [1]):  # of three rows one is a whole sum; a table of many rows takes the other way
        found = ragged.sums(table, torch.tensor(asked))
        torch.testing.assert_close(found, naive[asked], atol=1e-6, rtol=1e-5)
    many = Ragged(CSR(np.arange(41, dtype=np.int64), np.arange(40, dtype=np.int32) % 6, None, 6))
    torch.testing.assert_close(many.sums(table, torch.tensor([7, 3, 7])), table[[1, 3, 1]])
    assert torch.autograd.gradcheck(lambda t: ragged.sums(t, torch.tensor([2, 0])), (table,))
    assert torch.autograd.gradcheck(lambda t: many.sums(t, torch.tensor([7, 3])), (table,))
    p, q = torch.randn(4, 3, dtype=torch.float64, requires_grad=True), torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(biased_dot(p, q), (p[:, :2] * q[:, :2]).sum(1) + p[:, 2] + q[:, 2])
    left, right = with_biases(p, q)
    torch.testing.assert_close(biased_dot(p, q), (left * right).sum(1))
    assert torch.autograd.gradcheck(biased_dot, (p, q))
    names = [type(layer).__name__ for layer in dense([4, 3, 2], [0.5], norm=True)]
    assert names == ["Linear", "ReLU", "RowNorm", "Dropout", "Linear", "ReLU", "RowNorm", "Linear"]


def test_widths_by_rule() -> None:
    assert [embedding_width("auto", n) for n in (943, 1682, 10**6)] == [74, 102, 600]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(0), "embedding must be at least 1"),
        (lambda: MLP("wide"), "'auto'"),
        (lambda: MLP(8, (16, 0)), "at least 1 unit"),
        (lambda: MLP(8, ()), "at least one layer"),
        (lambda: MLP(8, (16,), (1.0,)), r"\[0, 1\)"),
        (lambda: MLP(8, (16,), (0.1, 0.1)), "more dropouts than hidden layers"),
        (lambda: MLP(8, (16,), embedding_dropout=-0.1), r"\[0, 1\)"),
        (lambda: MLP(8, range=(5.0, 1.0)), "low < high"),
        (lambda: MLP(8, output="tanh"), "output must be"),  # type: ignore[arg-type]
        (lambda: MLP(8, init="zeros"), "init must be"),  # type: ignore[arg-type]
        (lambda: NeuMF(0), "at least 1"),
        (lambda: NeuMF(hidden=()), "at least one layer"),
        (lambda: TwoTower(0), "at least 1"),
        (lambda: TwoTower(join="sum"), "join must be"),  # type: ignore[arg-type]
        (lambda: TwoTower(join="mlp", join_hidden=()), "at least one layer"),
        (lambda: SVDpp(0), "at least 1"),
        (lambda: SVDpp(history_dropout=1), r"\[0, 1\)"),
        (lambda: DLRM(top=()), "at least one layer"),
        (lambda: AutoRec(0), "at least 1"),
        (lambda: AutoRec(activation="swish"), "activation must be"),  # type: ignore[arg-type]
        (lambda: AutoRec(scale=2), r"\[0, 1\]"),
        (lambda: network_of(Popularity()), "has no network"),
    ],
)
def test_bad_settings_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
