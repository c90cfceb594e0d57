"""Rows drawn by perturbing ratings and prior are draws from the conditional, whichever way they are solved."""

import numpy as np
import pytest

from likewise.data.interactions import Histories
from likewise.models.perturbed import Known, drawn_rows, prior_noise, rating_noise, spreads

WIDTH, PARTNERS = 5, 12


def problem(counts, draws, alike, same_draws=False):
    rng = np.random.default_rng(0)
    met = np.concatenate([rng.permutation(PARTNERS)[:n] for n in counts]).astype(np.int32)
    told = Histories(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), met)
    own = 1 if same_draws else draws
    root = rng.normal(size=(own, WIDTH, WIDTH)) * 0.3 + np.eye(WIDTH)
    precision = np.repeat(root @ root.transpose(0, 2, 1), draws // own, 0)
    table = np.repeat(rng.normal(size=(PARTNERS, own, WIDTH)), draws // own, 1).astype(np.float32)
    means = np.repeat(rng.normal(size=(1 if alike else len(counts), own, WIDTH)), draws // own, 1).astype(np.float32)
    weights = rng.uniform(0.5, 2, (1, len(told.rows))).astype(np.float32).repeat(draws, 0)
    targets = rng.normal(size=(1, len(told.rows))).astype(np.float32)
    noisy = (targets + rating_noise(draws, told.rows) / np.sqrt(weights)).astype(np.float32)
    known = Known(told, table, noisy, weights, means, precision, spreads(precision), prior_noise(draws, WIDTH))
    return known, targets[0]


def conditional(known, targets, row, draw):
    """Precision and mean of one row given the ratings without noise."""
    entries = slice(known.told.indptr[row], known.told.indptr[row + 1])
    d = known.table[known.told.rows[entries], draw].astype(float)
    rest = targets[entries] - d[:, -1]
    d[:, -1] = 1
    strength = known.precisions[draw, entries, None]
    precision = known.precision[draw] + (d * strength).T @ d
    pull = known.precision[draw] @ known.means_of(np.array([row]), draw)[0] + (d * strength).T @ rest
    return precision, np.linalg.solve(precision, pull)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("counts", [[0, 3], [7, 4, 9]])
def test_many_draws_have_the_mean_and_the_covariance_of_the_conditional(alike, counts):
    known, targets = problem(counts, 4000, alike, same_draws=True)
    rows = drawn_rows(known)
    for row in range(len(counts)):
        precision, mean = conditional(known, targets, row, 0)
        np.testing.assert_allclose(rows[row].mean(0), mean, atol=1e-4)  # mirrored pairs cancel
        whitened = rows[row] @ np.linalg.cholesky(precision)
        np.testing.assert_allclose(np.cov(whitened.T), np.eye(WIDTH), atol=0.12)  # 2,000 independent pairs


def test_both_ways_solve_the_same_least_squares():
    known, _ = problem([2, 4, 5, 12, 0], 6, False)
    rows = drawn_rows(known)
    for row, count in enumerate(known.told.counts):
        entries = slice(known.told.indptr[row], known.told.indptr[row + 1])
        for draw in range(6):
            d = known.table[known.told.rows[entries], draw].astype(float)
            rest = known.targets[draw, entries] - d[:, -1]
            d[:, -1] = 1
            moved = known.means[row, draw] + known.spread[draw] @ known.noise[draw]
            strength = known.precisions[draw, entries, None]
            precision = known.precision[draw] + (d * strength).T @ d
            plain = np.linalg.solve(precision, known.precision[draw] @ moved + (d * strength).T @ rest)
            np.testing.assert_allclose(rows[row, draw], plain, atol=2e-4, err_msg=f"{count} ratings")


def test_noise_is_mirrored_and_belongs_to_the_partner():
    noise = rating_noise(5, np.array([3, 8, 3], np.int32))
    np.testing.assert_array_equal(noise[1], -noise[0])
    np.testing.assert_array_equal(noise[:, 0], noise[:, 2])
    np.testing.assert_array_equal(noise[:, [1]], rating_noise(5, np.array([8], np.int32)))
    assert len(np.unique(noise[[0, 2, 4]])) == 6
    many = rating_noise(2, np.arange(20_000, dtype=np.int32))[0]
    assert abs(many.mean()) < 0.03 and many.std() == pytest.approx(1, abs=0.02)
