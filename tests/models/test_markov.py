"""The Markov chain against a loop over lags, and against a chain with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories, Interactions
from likewise.data.synthetic import planted_chain
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.models.markov import Markov


def data_of(walks: list[list[int]], n_items: int) -> Dataset:
    users = np.repeat(np.arange(len(walks), dtype=np.int32), [len(w) for w in walks])
    items = np.array([i for w in walks for i in w], np.int32)
    events = Interactions(users, items, len(walks), n_items, times=np.arange(len(items), dtype=np.int64))
    return Dataset(events, Vocabulary(np.arange(len(walks))), Vocabulary(np.arange(n_items)))


def naive_scores(walks: list[list[int]], n_items: int, model: Markov, history: list[int]) -> np.ndarray:
    counts, habit = np.zeros((n_items, n_items)), np.zeros(n_items)
    for walk in walks:
        for place, item in enumerate(walk):
            habit[item] += 1
            for lag in range(1, min(model.window, place) + 1):
                counts[walk[place - lag], item] += model.decay ** (lag - 1)
    habit /= habit.sum()
    left = counts.sum(1)
    scores = np.zeros(n_items) if history else habit.copy()
    for age, item in enumerate(reversed(history[-model.window :])):
        mixed = (counts[item] + model.shrinkage * habit) / max(left[item] + model.shrinkage, 1e-9)
        scores += model.decay**age * mixed
    return scores


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), max_size=6),
    st.integers(1, 4),
    st.floats(0.1, 1.0),
    st.floats(0.0, 5.0),
)
def test_scores_equal_a_loop_over_lags(walks, history, window, decay, shrinkage) -> None:
    model = Markov(window, decay, shrinkage)
    fitted = model.solve(data_of(walks, 6))
    person = fitted.fold_in(Histories(np.array([0, len(history)]), np.array(history, np.int32)))
    np.testing.assert_allclose(fitted.score(person)[0], naive_scores(walks, 6, model, history), atol=1e-5)


def test_a_planted_chain_is_recovered() -> None:
    chain = planted_chain(n_users=500, n_items=30, length=12, certainty=0.8, seed=1)
    fitted = Markov(window=1, decay=1.0, shrinkage=1.0).solve(chain.data)
    people = fitted.fold_in(Histories(np.arange(31, dtype=np.int64), np.arange(30, dtype=np.int32)))
    truth = chain.transitions.argmax(1)
    assert (fitted.score(people).argmax(1) == truth).all()
    np.testing.assert_allclose(fitted.score(people)[np.arange(30), truth], chain.transitions.max(1), atol=0.12)


def test_order_matters() -> None:
    fitted = Markov(window=2, decay=0.5).solve(data_of([[0, 1, 2], [0, 1, 2], [2, 1, 3]], 4))
    scores = fitted.score(fitted.fold_in(Histories.of({0: 1.0, 1: 1.0}, {1: 1.0, 0: 1.0})))
    assert not np.allclose(scores[0], scores[1])


@pytest.mark.parametrize(("wrong", "says"), [({"window": 0}, "window"), ({"decay": 0.0}, "decay"), ({"shrinkage": -1.0}, "shrinkage")])
def test_impossible_settings_are_refused(wrong, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Markov(**wrong)
