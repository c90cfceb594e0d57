"""The transformer over histories: NumPy and torch agree, order is read, a planted chain is recovered."""

from __future__ import annotations

import numpy as np
import pytest

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
    whole, end = Histories(np.array([0, 15]), long), Histories(np.array([0, 7]), long[-7:])
    np.testing.assert_array_equal(fitted.fold_in(whole), fitted.fold_in(end))


def test_leaving_out_the_strongest_reason_changes_the_score_most(fitted: FittedSequential) -> None:
    history = Histories.of({0: 1.0, 5: 1.0, 9: 1.0})
    item = int(CHAIN.transitions[9].argmax())
    (parts,) = fitted.explain(fitted.fold_in(history), history, item)
    assert parts.taste.argmax() == 2
    assert parts.item + parts.taste.sum() + parts.residual == pytest.approx(parts.score, abs=1e-4)


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
