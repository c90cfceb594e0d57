"""One side's rows against plain linear algebra: the solve, the few steps towards it, and what each entry counts."""

import numpy as np
import pytest

from likewise.data.interactions import Histories
from likewise.models.link import Link
from likewise.models.rows import RowPrior, even_cuts, improve_rows, new_rows, shares, solve_rows

NOISE = 0.5


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    width, n_items, n_people = 9, 60, 25
    design = (rng.normal(size=(n_items, width)) * np.linspace(0.1, 1, width)).astype(np.float32)
    design[:, -1] = 1
    true = rng.normal(size=(n_people, width)) * 0.5
    counts = rng.integers(0, 40, n_people)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items = rng.integers(-1, n_items, indptr[-1]).astype(np.int32)
    owner = np.repeat(np.arange(n_people), counts)
    offsets = rng.normal(3, 0.3, n_items).astype(np.float32)
    ratings = (offsets[items] + (design[items] * true[owner]).sum(1) + rng.normal(0, 0.7, len(items))).astype(np.float32)
    weights = rng.uniform(0.2, 1.5, len(items)).astype(np.float32)
    return Histories(indptr, items, ratings, weights), design, offsets, RowPrior.of_rows(true.astype(np.float32))


def plain(history, design, offsets, prior):
    known = history.rows >= 0
    d, w = design[history.rows[known]].astype(np.float64), history.weights[known].astype(np.float64)
    a = prior.precision + (d * w[:, None] / NOISE).T @ d
    b = prior.precision @ prior.mean + (d * w[:, None] / NOISE).T @ (history.ratings[known] - offsets[history.rows[known]])
    return np.linalg.solve(a, b)


def test_the_solve_is_the_mode(problem):
    histories, design, offsets, prior = problem
    found = solve_rows(histories, design, offsets, prior, NOISE, Link("free"))
    for n in range(len(histories)):
        np.testing.assert_allclose(found[n], plain(histories.take(np.array([n], np.int32)), design, offsets, prior), atol=1e-4)


def test_a_few_steps_approach_the_solve_and_many_reach_it(problem):
    histories, design, levels, prior = problem
    for link, offsets in ((Link("free"), levels), (Link("sigmoid", -5.0, 12.0), levels - 3)):
        solved = solve_rows(histories, design, offsets, prior, NOISE, link)
        near = solved + np.random.default_rng(1).normal(0, 0.05, solved.shape).astype(np.float32)
        moved = [improve_rows(near, histories, design, offsets, prior, NOISE, link, n) for n in (0, 2, 30)]
        misses = [np.sqrt(((rows - solved) ** 2).mean()) for rows in moved]
        assert misses[1] < misses[0]
        assert misses[2] < (1e-3 if link.kind == "free" else 0.02)


def test_shares_add_up_and_removing_an_entry_changes_about_its_share(problem):
    histories, design, offsets, prior = problem
    item = np.append(design[3, :-1], np.float32(1))
    predicted, actual = [], []
    for n in range(len(histories)):
        one = histories.take(np.array([n], np.int32))
        row = solve_rows(one, design, offsets, prior, NOISE, Link("free"))[0]
        entries, usual = shares(one, item, design, offsets, prior, NOISE, row, Link("free"))
        np.testing.assert_allclose(entries.sum(0) + usual, item * row, atol=1e-3)
        if len(one.rows) < 2:
            continue
        strongest = int(np.abs(entries.sum(1)).argmax())
        without = solve_rows(one.keep(np.arange(len(one.rows)) != strongest), design, offsets, prior, NOISE, Link("free"))[0]
        predicted.append(-entries.sum(1)[strongest])
        actual.append(item @ (without - row))
    assert np.corrcoef(predicted, actual)[0, 1] > 0.85


def test_new_rows_are_the_solve_however_long_the_history(problem):
    histories, design, levels, prior = problem
    for link, offsets in ((Link("clip", 1, 5), levels), (Link("sigmoid", -5.0, 12.0), levels - 3)):
        solved = solve_rows(histories, design, offsets, prior, NOISE, link)
        np.testing.assert_allclose(new_rows(histories, design, offsets, prior, NOISE, link), solved, atol=2e-2)


def test_cuts_cover_every_row_once():
    indptr = np.array([0, 0, 10, 10, 30, 31, 31])
    for pieces in (1, 2, 5, 20):
        cuts = even_cuts(indptr, pieces)
        assert cuts[0] == 0
        assert cuts[-1] == 6
        assert (np.diff(cuts) > 0).all()
    assert even_cuts(np.array([0, 0, 0]), 3).tolist() == [0, 2]
