"""Rows solved among their ratings are the rows that the columns give."""

import numpy as np
import pytest

from likewise.data.interactions import Histories
from likewise.models.dot import Dot
from likewise.models.few import LANES, turned
from likewise.models.implicit import FittedImplicit, Penalty
from likewise.models.likes import LikeRule
from likewise.models.link import Link
from likewise.models.ridge_rows import gram_of, update_rows
from likewise.models.rows import STEPS, RowPrior, _problem, _solve_rows, solve_rows


def histories_of(counts, n_items, rng, least=0):
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items = rng.integers(least, n_items, indptr[-1]).astype(np.int32)
    return Histories(indptr, items, rng.integers(1, 6, len(items)).astype(np.float32), rng.uniform(0, 2, len(items)).astype(np.float32))


@pytest.mark.parametrize("link", [Link("free"), Link("clip", 1, 5), Link("sigmoid", 0, 5.5)])
def test_few_ratings_give_what_the_columns_give(link):
    rng = np.random.default_rng(0)
    width, n_items = 21, 50
    design = np.column_stack([rng.normal(size=(n_items, width - 1)) * 0.4, np.ones(n_items)]).astype(np.float32)
    prior = RowPrior.of_rows((rng.normal(size=(100, width)) * rng.uniform(0.1, 1, width)).astype(np.float32))
    offsets = rng.normal(0 if link.kind == "sigmoid" else 3, 0.3, n_items).astype(np.float32)
    histories = histories_of(np.arange(width), n_items, rng, least=-1)
    found = solve_rows(histories, design, offsets, prior, 0.6, link)
    plain = np.empty_like(found)
    squeezed = link.kind == "sigmoid"
    _solve_rows(np.arange(width), *_problem(histories, design, offsets, prior, 0.6, link), STEPS if squeezed else 1, plain)
    np.testing.assert_allclose(found, plain, atol=2e-4)
    np.testing.assert_allclose(found[0], prior.mean, atol=1e-5)


def test_few_likes_give_what_the_factors_give():
    rng = np.random.default_rng(1)
    items = rng.normal(size=(40, 16)).astype(np.float32)
    penalty, rule = Penalty(0.2, 0.05, 0.7), LikeRule(">=3", 1.0, 4.0)
    model = FittedImplicit.trained(Dot(16, bias=False, output="free"), items[:20], items, penalty, rule)
    histories = histories_of(np.array([0, 1, 5, 15, 16, 40, 2]), 40, rng)
    likes = rule.likes(histories)
    plain = np.zeros((7, 16), np.float32)
    update_rows(plain, likes, items, 0.2, penalty.ridge(likes, 40), gram=gram_of(items))
    plain[likes.counts == 0] = model.usual
    np.testing.assert_allclose(model.fold_in(histories), plain, atol=1e-4)


def test_only_rows_that_are_pointed_at_are_turned():
    design, basis = np.arange(12, dtype=np.float32).reshape(4, 3), np.eye(3, dtype=np.float32)[::-1].copy()
    out = turned(design, np.array([2, -1, 2, 0], np.int32), basis)
    assert out.shape == (4, LANES)
    np.testing.assert_array_equal(out[[0, 2], :3], design[[0, 2], ::-1])
    assert not out[[0, 2], 3:].any()
