"""The chain samples what it says: exact posteriors, and Geweke's joint-distribution test."""

from __future__ import annotations

import numpy as np
import pytest

from likewise.data.csr import csr_from_pairs
from likewise.models.conditional import draw_rows
from likewise.models.normal import normal_cdf
from likewise.models.streams import derived_key
from likewise.solvers.gibbs.chain import Chain
from likewise.solvers.gibbs.hyper import NormalWishart
from likewise.solvers.gibbs.layout import EMPTY_FLOATS, make_layout
from likewise.solvers.gibbs.levels import Levels
from likewise.solvers.gibbs.noise import Noise, all_scores
from likewise.solvers.gibbs.side import Block


def batch_error(x: np.ndarray, batches: int = 40) -> np.ndarray:
    """Standard error of the mean of a correlated trace."""
    means = np.array([part.mean(0) for part in np.array_split(x, batches)])
    return means.std(0, ddof=1) / np.sqrt(batches)


def test_gaussian_rows_match_the_exact_posterior():
    """One user, three items that stay fixed: mean and covariance are known in closed form."""
    table = np.array([[0, 0], [1, 0.2], [-1, 0.1], [0.5, -0.3]], np.float32)
    indptr, partners = np.array([0, 3]), np.array([[1], [2], [3]], np.int32)
    targets, precision = np.array([0.5, -0.2, 1.0], np.float32), np.diag([2.0, 4.0])
    prior = np.array([[0.1, -0.1]], np.float32)
    draws = np.empty((4000, 2), np.float32)
    for n in range(len(draws)):
        args = (indptr, partners, targets, EMPTY_FLOATS, 1.5, table, prior, precision)
        draw_rows(0, 1, *args, derived_key(1, n), 1.0, False, draws[n : n + 1])
    design = np.column_stack([table[1:, 0], np.ones(3)])
    exact = precision + 1.5 * design.T @ design
    mean = np.linalg.solve(exact, precision @ prior[0] + 1.5 * design.T @ (targets - table[1:, 1]))
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.04)
    np.testing.assert_allclose(np.cov(draws.T), np.linalg.inv(exact), atol=0.03)


@pytest.mark.parametrize("cuts", [np.array([0.0]), np.array([-1.0, 0.3, 1.1])], ids=["binary", "ordinal"])
def test_levels_match_the_exact_posterior(cuts):
    """One user's bias given ratings of levels, latents summed out on a grid; cut points stay fixed."""
    level = np.array([0, len(cuts), len(cuts), 1], np.int32)
    weights = np.array([1, 1, 0.5, 2], np.float32)
    state = Levels(level, len(cuts) + 1)
    state.cuts, state.free = cuts, np.empty(0, np.int64)
    indptr, partners = np.array([0, 4]), np.full((4, 1), 1, np.int32)
    table, precision = np.zeros((2, 2), np.float32), np.diag([1.0, 1.0])
    rng, draws, targets = np.random.default_rng(0), np.empty(6000), state.start_targets()
    for n in range(len(draws)):
        args = (indptr, partners, targets, weights, 1.0, table, np.zeros((1, 2), np.float32), precision)
        draw_rows(0, 1, *args, derived_key(2, n), 1.0, False, table[:1])
        targets = state.draw(np.full(4, table[0, 1], np.float32), weights, rng, derived_key(3, n), False, 1)
        draws[n] = table[0, 1]
    grid = np.linspace(-5, 5, 2001)
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    density = np.exp(-0.5 * grid**2)
    for j, w in zip(level, np.sqrt(weights), strict=True):
        density *= [normal_cdf((edges[j + 1] - b) * w) - normal_cdf((edges[j] - b) * w) for b in grid]
    density /= density.sum()
    mean = density @ grid
    assert draws.mean() == pytest.approx(mean, abs=5 * batch_error(draws))
    assert draws.std() == pytest.approx(np.sqrt(density @ grid**2 - mean**2), rel=0.06)


def test_cut_points_match_their_exact_posterior():
    """One free cut given scores, latents summed out on a grid."""
    rng = np.random.default_rng(4)
    scores = rng.standard_normal(60).astype(np.float32)
    latent = scores + rng.standard_normal(60)
    level = np.digitize(latent, [-0.5, 0.7]).astype(np.int32)
    state = Levels(level, 3)
    held, free = state.cuts[1], int(state.free[0])
    assert free == 0
    found = np.empty(1500)
    for n in range(len(found)):
        state.draw(scores, EMPTY_FLOATS, rng, derived_key(5, n), False, 1)
        found[n] = state.cuts[0]
    assert state.cuts[1] == held
    assert state.accepted > 1000
    grid = np.linspace(held - 4, held - 1e-6, 1500)
    below = np.array([[normal_cdf(c - s) for s in scores] for c in grid])
    top = np.array([normal_cdf(held - s) for s in scores])
    chance = np.where(level == 0, below, np.where(level == 1, top - below, 1.0))
    log_density = np.log(np.maximum(chance, 1e-300)).sum(1) - 0.005 * (grid - state.start[0]) ** 2
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    assert found.mean() == pytest.approx(density @ grid, abs=5 * batch_error(found))


def tiny_chain(levels: bool, way: str) -> Chain:
    rng = np.random.default_rng(1)
    u, i = (x.ravel().astype(np.int32) for x in np.meshgrid(np.arange(4), np.arange(3)))
    layout = make_layout([u, i], [4, 3], ["user", "item"])
    features = 7 if way == "rows" else 2
    x = csr_from_pairs(np.array([0, 1, 1, 2, 3], np.int32), np.array([0, 0, 1, 1, 0], np.int32), None, 4, features)
    block = Block("side", x, 2, shape=4.0, rate=4.0, direct_limit=0 if way == "gradients" else 100)
    noise = Noise(layout, EMPTY_FLOATS, ("user",), 1.0 if levels else None)
    state = Levels(rng.integers(0, 2, 12).astype(np.int32), 2) if levels else None
    return Chain(layout, np.zeros(12, np.float32), noise, {"user": [block]}, 2, NormalWishart(spread=1.0), (0, 0), 1, state, 0)


def figures(chain: Chain, mean: np.ndarray, precision: np.ndarray, strength: np.ndarray, scores: np.ndarray) -> list[float]:
    """Bounded or light-tailed functions of everything that is drawn."""
    noise = chain.noise
    return [
        np.tanh(mean[0]),
        np.tanh(mean[1]) ** 2,
        np.log(np.linalg.det(precision)),
        np.tanh(precision[0, 1]),
        np.log(strength[0]),
        np.log(strength[-1]),
        np.tanh(scores).mean(),
        np.tanh(scores**2).mean(),
        np.log(noise.alpha),
        np.log(noise.scales[:4]).mean(),
        np.log(noise.nu["user"]),
    ]


def from_the_prior(chain: Chain, rng: np.random.Generator) -> list[float]:
    """Draw all parameters from their prior, leaving them in the chain."""
    block, noise = chain.blocks["user"][0], chain.noise
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    block.strength = np.repeat(rng.gamma(4.0, 1 / 4.0, 2), 1)
    b = rng.standard_normal((block.x.width, 2)) / np.sqrt(block.strength)
    block.effect = (block.x.toarray() @ b).astype(np.float32)
    for field in chain.layout.fields:
        mean, precision = found[field.name] = chain.prior.draw_prior(2, rng)
        root = np.linalg.inv(np.linalg.cholesky(precision))
        effect = block.effect if field.name == "user" else 0
        chain.table[field.rows] = mean + effect + rng.standard_normal((field.size, 2)) @ root
    if noise.fixed is None:
        noise.alpha = rng.gamma(1.0)
    noise.nu["user"] = max(rng.exponential(30.0), 1e-3)
    noise.scales[:4] = np.maximum(rng.gamma(noise.nu["user"] / 2, size=4) / (noise.nu["user"] / 2), 1e-6)
    return figures(chain, *found["user"], block.strength, all_scores(chain.layout.rows, chain.table, 1))


@pytest.mark.parametrize(
    ("levels", "way"),
    [(False, "rows"), pytest.param(False, "gradients", marks=pytest.mark.slow), (True, "features")],
)
def test_joint_distribution(levels, way):
    """After Geweke (2004): parameters drawn from the prior stay so distributed over sweeps with data redrawn from them.

    Each replicate starts from a draw of its own. One long chain would need far longer to visit the heavy tails of the noise scales
    than a test may take, and its standard errors would not show it.
    """
    rng = np.random.default_rng(7)
    chain = tiny_chain(levels, way)
    changes = []
    for _ in range(1500):
        before = np.array(from_the_prior(chain, rng))
        for _ in range(2):
            scores = all_scores(chain.layout.rows, chain.table, 1)
            chain.noise.weights = chain.noise.scales[chain.layout.rows[:, 0]].copy()
            spread = np.sqrt(chain.noise.alpha * chain.noise.weights)
            chain.targets = (scores + rng.standard_normal(12) / spread).astype(np.float32)
            if chain.levels is not None:
                chain.levels.level = (chain.targets > chain.levels.cuts[0]).astype(np.int32)
            chain.sweep()
        user = chain.priors["user"]
        changes.append(figures(chain, user.mean, user.precision, chain.blocks["user"][0].strength, chain.scores) - before)
    moved = np.array(changes)
    z = moved.mean(0) / (moved.std(0) / np.sqrt(len(moved)) + 1e-12)
    assert np.abs(z).max() < 4, z.round(1)
