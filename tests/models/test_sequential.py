"""The transformer over histories: NumPy and torch agree, order is read, a planted chain is recovered."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.data.synthetic import planted_chain
from likewise.errors import InputError
from likewise.models.networks.sequential import Sequential
from likewise.models.sequence import FittedSequential
from likewise.solvers.base import Run
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.gradient.steps import AdamW

CHAIN = planted_chain(n_users=400, n_items=20, length=12, certainty=0.8, seed=1)


@pytest.fixture(scope="module")
def fitted() -> FittedSequential:
    solver = Gradient(epochs=12, batch_size=512, loss="softmax", optimizer=AdamW(4e-3))
    found = solver.fit(Sequential(factors=24, heads=2, blocks=1, window=8, dropout=0.0), CHAIN.data, Run(threads=1)).model
    assert isinstance(found, FittedSequential)
    return found


def test_a_planted_chain_is_recovered(fitted: FittedSequential) -> None:
    alone = Histories(np.arange(21, dtype=np.int64), np.arange(20, dtype=np.int32))
    assert (fitted.score(fitted.fold_in(alone)).argmax(1) == CHAIN.transitions.argmax(1)).mean() >= 0.9


def test_numpy_answers_as_torch_trained(fitted: FittedSequential) -> None:
    users = np.arange(50, dtype=np.int32)
    histories = CHAIN.data.interactions.by_user.take(users)  # of 12 events, longer than the window
    np.testing.assert_allclose(fitted.fold_in(histories), fitted.people(users), atol=2e-5)


def test_the_last_item_counts_most(fitted: FittedSequential) -> None:
    there, back = Histories.of({0: 1.0, 1: 1.0, 2: 1.0}, {2: 1.0, 1: 1.0, 0: 1.0}), CHAIN.transitions.argmax(1)
    best = fitted.score(fitted.fold_in(there)).argmax(1)
    assert best.tolist() == [back[2], back[0]]


def test_only_the_window_is_read(fitted: FittedSequential) -> None:
    long = np.arange(15, dtype=np.int32)
    whole, end = Histories(np.array([0, 15]), long), Histories(np.array([0, 8]), long[-8:])
    np.testing.assert_array_equal(fitted.fold_in(whole), fitted.fold_in(end))


def test_leaving_out_the_strongest_reason_changes_the_score_most(fitted: FittedSequential) -> None:
    history = Histories.of({0: 1.0, 5: 1.0, 9: 1.0})
    item = int(CHAIN.transitions[9].argmax())
    (parts,) = fitted.explain(fitted.fold_in(history), history, item)
    assert parts.taste.argmax() == 2
    assert parts.item + parts.taste.sum() + parts.residual == pytest.approx(parts.score, abs=1e-4)


def test_packed_windows_equal_windows_one_by_one() -> None:
    torch = pytest.importorskip("torch")
    from likewise.models.networks.encoder import Encoder, groups_of

    torch.manual_seed(0)
    encoder = Encoder(8, 2, 2, window=6, dropout=0.5).eval()
    counts = torch.tensor([13, 1, 0, 6, 5, 20, 2])
    vectors = torch.randn(int(counts.sum()), 8)
    together, row = encoder(vectors, counts), 0
    for count in counts.tolist():
        before = torch.cat([encoder.start[None], vectors[row : row + count]])[:count]
        for start in range(0, count, 6):
            x = before[start : start + 6]
            for block in encoder.blocks:
                x = block(x, groups_of(torch.tensor([len(x)])))
            torch.testing.assert_close(together[row + start : row + start + len(x)], encoder.norm(x))
        row += count
    whole = encoder.last(vectors, counts)
    torch.testing.assert_close(whole[2], encoder.last(vectors[:0], torch.tensor([0]))[0])


def test_resumed_training_ends_where_training_in_one_go_ends(tmp_path) -> None:
    def fit(**told):
        solver = Gradient(epochs=3, batch_size=512, loss="softmax", optimizer=AdamW(4e-3))
        run = Run(threads=1, checkpoint=str(tmp_path), **told) if told else Run(threads=1)
        return solver.fit(Sequential(factors=8, heads=2, blocks=1, window=8, dropout=0.2), CHAIN.data, run).model

    fit(watch=lambda event: event["epoch"] == 2)
    whole, resumed = fit(), fit(watch=lambda event: False)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, resumed.state()[name], err_msg=name)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"factors": 0}, "factors"),
        ({"factors": 10, "heads": 3}, "multiple of heads"),
        ({"window": 1}, "window"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_impossible_settings_are_refused(wrong, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Sequential(**wrong)


@pytest.mark.parametrize("again", [False, True])
def test_people_who_meet_an_item_once_are_asked_among_the_rest(again: bool) -> None:
    torch = pytest.importorskip("torch")
    from likewise.models.networks.net import Net
    from likewise.solvers.gradient.batches import rows_of
    from likewise.solvers.gradient.objective import Objective, facts_for

    items = np.array([0, 3, 4, 1, 4, 2, 0, 3] if not again else [0, 3, 0, 1, 4, 2, 4, 3], np.int32)
    users = np.array([0, 0, 0, 1, 1, 1, 1, 1], np.int32)
    data, solver, cpu = Dataset.of(pl.DataFrame({"user_id": users, "item_id": items})), Gradient(loss="softmax"), torch.device("cpu")
    model = Sequential(factors=4, heads=1, blocks=1, window=8)
    facts = facts_for(model, data, solver)
    net = Net(model, facts).train()
    torch.nn.init.zeros_(net.get_parameter("items.weight"))  # all scores are alike
    loss, _ = Objective(solver, [net], facts, cpu)(rows_of(data.interactions.in_order(), cpu), torch.Generator())
    choices = [5] * 8 if again else [5, 4, 3, 5, 4, 3, 2, 1]
    assert float(loss.detach()) == pytest.approx(np.log(choices).mean())


def test_time_between_events_is_read() -> None:
    rng = np.random.default_rng(0)
    late = rng.random((400, 12)) < 0.5  # from an event that came after a pause people go two on, else one
    steps = np.cumsum(1 + late[:, :-1], 1)
    walks = (rng.integers(0, 30, (400, 1)) + np.column_stack([np.zeros(400, np.int64), steps])) % 30
    times = np.cumsum(np.where(late, 86_400, 20), 1)
    columns = {"user_id": np.repeat(np.arange(400), 12), "item_id": walks.reshape(-1), "timestamp": times.reshape(-1)}
    data = Dataset.of(pl.DataFrame(columns))
    solver = Gradient(epochs=12, batch_size=512, loss="softmax", optimizer=AdamW(1e-2))
    train, people = data.interactions, np.arange(400, dtype=np.int32)
    histories = train.by_user

    def right(**told: bool) -> float:
        model = solver.fit(Sequential(factors=24, heads=2, blocks=1, window=12, dropout=0.1, **told), data, Run(threads=1)).model
        np.testing.assert_allclose(model.fold_in(histories), model.people(people), atol=2e-5)
        kept = histories.keep(np.tile(np.arange(12) < 11, 400))
        want = histories.rows.reshape(400, 12)[:, 11]
        return float((model.score(model.fold_in(kept)).argmax(1) == want).mean())

    assert right(gaps=True) > 0.9
    assert right() < 0.7
    with pytest.raises(InputError, match="times of events"):
        solver.fit(Sequential(gaps=True), Dataset.of(pl.DataFrame(columns).drop("timestamp")), Run(threads=1))


def test_an_item_nobody_took_stands_with_its_like() -> None:
    rng = np.random.default_rng(0)
    genre = rng.integers(0, 4, 240)  # people stay in one genre of six items
    events = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(240), 5),
            "item_id": np.concatenate([rng.permutation(6)[:5] + 6 * g for g in genre]),
            "timestamp": np.tile(np.arange(5), 240),
        }
    )
    table = pl.DataFrame({"item_id": np.arange(24), "genre": [f"g{n // 6}" for n in range(24)]})
    data = Dataset.of(events, item_table=table)
    solver = Gradient(epochs=10, batch_size=256, loss="softmax", optimizer=AdamW(1e-2))
    model = Sequential(factors=8, heads=1, blocks=1, window=8, dropout=0.0, features=True)
    rec = lw.Recommender(model, solver).fit(data, threads=1)
    fans = data.users.rows(np.flatnonzero(genre == 2))
    scores = rec.new_item(features={"genre": "g2"}).fitted.score(rec.fitted.people(fans))
    others = data.items.rows(np.setdiff1d(np.arange(24), np.arange(12, 18)))
    assert (scores[:, 24] > scores[:, others].max(1)).mean() >= 0.9
    np.testing.assert_allclose(rec.fitted.fold_in(data.interactions.by_user.take(fans)), rec.fitted.people(fans), atol=2e-5)
    again = FittedSequential.from_state(model, rec.fitted.state())
    np.testing.assert_array_equal(again.with_items(*_plain_item(data)).items, rec.fitted.with_items(*_plain_item(data)).items)
    with pytest.raises(InputError, match="table of items"):
        lw.Recommender(model, solver).fit(CHAIN.data)


def _plain_item(data: Dataset) -> tuple[np.ndarray, Histories, CSR]:
    features = data.item_features.encode(pl.DataFrame({"genre": ["g1"]})).design()
    return np.array([24], np.int32), Histories.of({}), features
