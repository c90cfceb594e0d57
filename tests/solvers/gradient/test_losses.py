"""Each loss against a naive loop and numeric gradients; shapes that do not match are refused."""

from __future__ import annotations

import math

import pytest
import torch

from likewise.errors import InputError
from likewise.solvers.gradient import losses

B, K, LEVELS = 7, 4, 5


def scores(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def weights() -> torch.Tensor:
    return scores(B, seed=9).abs() + 0.1


def weighted(values: list[float], weight: torch.Tensor | None) -> float:
    if weight is None:
        return sum(values) / len(values)
    return sum(v * float(w) for v, w in zip(values, weight, strict=True)) / float(weight.sum())


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("weight", [None, weights()])
def test_rating_losses_equal_the_loop(weight: torch.Tensor | None) -> None:
    p, t = scores(B), scores(B, seed=1) * 2
    pairs = [(float(a), float(b)) for a, b in zip(p, t, strict=True)]
    assert float(losses.mse(p, t, weight)) == pytest.approx(weighted([(a - b) ** 2 for a, b in pairs], weight))
    assert float(losses.mae(p, t, weight)) == pytest.approx(weighted([abs(a - b) for a, b in pairs], weight))
    bent = [0.5 * d * d if d <= 0.7 else 0.7 * (d - 0.35) for d in (abs(a - b) for a, b in pairs)]
    assert float(losses.huber(p, t, weight, delta=0.7)) == pytest.approx(weighted(bent, weight))
    likes = (t > 0).double()
    naive = [-math.log(sigmoid(float(a)) if y else 1 - sigmoid(float(a))) for a, y in zip(p, likes, strict=True)]
    assert float(losses.bce(p, likes, weight)) == pytest.approx(weighted(naive, weight))


@pytest.mark.parametrize("weight", [None, weights()])
def test_level_losses_equal_the_loop(weight: torch.Tensor | None) -> None:
    p, level = scores(B), torch.tensor([0, 1, 2, 3, 4, 0, 4])
    cuts = torch.tensor([-1.5, -0.3, 0.4, 2.0], dtype=torch.float64)
    naive = []
    for s, at in zip(p, level, strict=True):
        above = [1.0] + [sigmoid(float(s - c)) for c in cuts] + [0.0]
        naive.append(-math.log(above[int(at)] - above[int(at) + 1]))
    assert float(losses.ordinal(p, level, cuts, weight)) == pytest.approx(weighted(naive, weight), rel=1e-6)
    logits = scores(B, LEVELS, seed=3)
    naive = [-math.log(math.exp(float(row[at])) / sum(math.exp(float(x)) for x in row)) for row, at in zip(logits, level, strict=True)]
    assert float(losses.categorical(logits, level, weight)) == pytest.approx(weighted(naive, weight))
    assert float(losses.softmax(logits, level, weight, temperature=1.0)) == pytest.approx(weighted(naive, weight))


@pytest.mark.parametrize("weight", [None, weights()])
@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("held", [1, 1 << 20])
def test_the_catalogue_softmax_equals_the_plain_one(weight: torch.Tensor | None, temperature: float, held: int, monkeypatch) -> None:
    monkeypatch.setattr(losses, "MOST_SCORES", (held, held))  # 16 people at a time, and all at once
    weight = None if weight is None else weight.float().repeat(6)
    item, found = torch.arange(6 * B) % LEVELS, []
    for loss in (losses.catalogue_softmax, lambda p, i, *more: losses.softmax(p @ i.T, *more)):
        person, items = scores(6 * B, 3).float().requires_grad_(), scores(LEVELS, 3, seed=1).float().requires_grad_()
        value = loss(person, items, item, weight, temperature)
        (2 * value).backward()
        found.append((value.detach(), person.grad, items.grad))
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("held", [1, 1 << 20])
def test_the_catalogue_softmax_leaves_out_what_earlier_rows_chose(held: int, monkeypatch) -> None:
    monkeypatch.setattr(losses, "MOST_SCORES", (held, held))
    draw = torch.Generator().manual_seed(0)
    item = torch.cat([torch.randperm(9, generator=draw)[:n] for n in (7, 1, 9, 5, 8)])
    firsts = torch.repeat_interleave(torch.tensor([0, 7, 8, 17, 22]), torch.tensor([7, 1, 9, 5, 8]))
    person, items = scores(len(item), 3).float().requires_grad_(), scores(9, 3, seed=1).float().requires_grad_()
    value = losses.catalogue_softmax(person, items, item, firsts=firsts)
    value.backward()
    ours, person.grad, items.grad = (value.detach(), person.grad, items.grad), None, None
    naive = torch.zeros(())
    for n, first in enumerate(firsts.tolist()):
        left = sorted(set(range(9)) - set(item[first:n].tolist()))
        naive = naive - (items[left] @ person[n]).log_softmax(0)[left.index(int(item[n]))] / len(item)
    naive.backward()
    for one, plain in zip(ours, (naive.detach(), person.grad, items.grad), strict=True):
        torch.testing.assert_close(one, plain)


def test_the_catalogue_softmax_stays_finite_and_refuses_other_shapes() -> None:
    person = torch.full((2, 3), 40.0, requires_grad=True)
    value = losses.catalogue_softmax(person, torch.tensor([[40.0] * 3, [-40.0] * 3]), torch.tensor([0, 1]))
    value.backward()
    assert value.isfinite() and person.grad is not None and person.grad.isfinite().all()
    for wrong in (
        (torch.zeros(2, 3), torch.zeros(5, 4), torch.zeros(2).long()),
        (torch.zeros(2, 3), torch.zeros(5, 3), torch.zeros(3).long()),
    ):
        with pytest.raises(InputError, match=r"the catalogue \[item, width\]"):
            losses.catalogue_softmax(*wrong)


@pytest.mark.parametrize("weight", [None, weights()])
@pytest.mark.parametrize("masked", [False, True])
def test_ranking_losses_equal_the_loop(weight: torch.Tensor | None, masked: bool) -> None:
    p, n = scores(B), scores(B, K, seed=1)
    there = torch.ones(B, K, dtype=torch.bool)
    if masked:
        there[0, 1] = there[2] = False
    rows = [[float(x) for x, t in zip(row, ok, strict=True) if t] for row, ok in zip(n, there, strict=True)]
    mask = there if masked else None

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    ps = [float(x) for x in p]
    naive = [mean([-math.log(sigmoid(s - x)) for x in row]) for s, row in zip(ps, rows, strict=True)]
    assert float(losses.bpr(p, n, weight, mask)) == pytest.approx(weighted(naive, weight))
    naive = [max(0.0, 0.8 + max(row, default=-math.inf) - s) for s, row in zip(ps, rows, strict=True)]
    assert float(losses.hinge(p, n, weight, mask, margin=0.8)) == pytest.approx(weighted(naive, weight))
    naive = [1 - s + 0.6 * mean([max(0.0, x - 0.2) for x in row]) for s, row in zip(ps, rows, strict=True)]
    assert float(losses.contrastive(p, n, weight, mask, margin=0.2, strength=0.6)) == pytest.approx(weighted(naive, weight))

    naive = []
    for b in range(B):
        value = 0.0
        for place in range(K):
            if there[b, place] and 1 + float(n[b, place]) - ps[b] > 0:
                value = math.log(1 + (100 - 1) // (place + 1)) * (1 + float(n[b, place]) - ps[b])
                break
        naive.append(value)
    assert float(losses.warp(p, n, 100, weight, mask)) == pytest.approx(weighted(naive, weight))

    log_p, log_n = -scores(B, seed=5).abs(), -scores(B, K, seed=6).abs()
    naive = []
    for b in range(B):
        own = ps[b] / 0.5 - float(log_p[b])
        others = [float(n[b, k]) / 0.5 - float(log_n[b, k]) for k in range(K) if there[b, k]]
        naive.append(math.log(sum(math.exp(x) for x in [own, *others])) - own)
    assert float(losses.sampled_softmax(p, n, log_p, log_n, weight, mask, 0.5)) == pytest.approx(weighted(naive, weight))


def test_gradients_are_those_of_finite_differences() -> None:
    p, n = scores(B).requires_grad_(), scores(B, K, seed=1).requires_grad_()
    target, level = scores(B, seed=2), torch.tensor([0, 1, 2, 3, 4, 0, 4])
    cuts = torch.tensor([-1.5, -0.3, 0.4, 2.0], dtype=torch.float64, requires_grad=True)
    logits = scores(B, LEVELS, seed=3).requires_grad_()
    logs = -scores(B, seed=5).abs(), -scores(B, K, seed=6).abs()
    check = torch.autograd.gradcheck
    assert check(lambda x: losses.mse(x, target), (p,))
    assert check(lambda x: losses.mae(x, target), (p,))
    assert check(lambda x: losses.huber(x, target), (p,))
    assert check(lambda x: losses.bce(x, target.sigmoid()), (p,))
    assert check(lambda x, c: losses.ordinal(x, level, c), (p, cuts))
    assert check(lambda x: losses.categorical(x, level), (logits,))
    assert check(lambda x, y: losses.bpr(x, y), (p, n))
    assert check(lambda x, y: losses.hinge(x, y), (p, n))
    assert check(lambda x, y: losses.warp(x, y, 50), (p, n))
    assert check(lambda x, y: losses.contrastive(x, y, margin=0.1), (p, n))
    assert check(lambda x, y: losses.sampled_softmax(x, y, *logs), (p, n))


def test_extreme_ordinal_scores_stay_finite() -> None:
    score = torch.tensor([-80.0, 80.0, 80.0, -80.0], requires_grad=True)
    cuts = torch.tensor([-1.0, 0.0, 1.0])
    value = losses.ordinal(score, torch.tensor([3, 0, 1, 2]), cuts)
    value.backward()
    assert value.isfinite() and score.grad is not None and score.grad.isfinite().all()


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "bce"])
def test_a_square_is_never_made_of_a_column_and_a_row(name: str) -> None:
    with pytest.raises(InputError, match=r"one shape; got \[7, 1\] and \[7\]"):
        getattr(losses, name)(torch.zeros(7, 1), torch.zeros(7))
    with pytest.raises(InputError, match="weights must have"):
        getattr(losses, name)(torch.zeros(7), torch.zeros(7), torch.ones(1))


@pytest.mark.parametrize("name", ["bpr", "hinge", "contrastive"])
def test_negatives_of_another_shape_are_refused(name: str) -> None:
    for positive, negative in (
        (torch.zeros(7), torch.zeros(7)),
        (torch.zeros(7), torch.zeros(1, 3)),
        (torch.zeros(7, 1), torch.zeros(7, 3)),
    ):
        with pytest.raises(InputError, match="negatives must be"):
            getattr(losses, name)(positive, negative)
    with pytest.raises(InputError, match="mask must have"):
        getattr(losses, name)(torch.zeros(7), torch.zeros(7, 2), None, torch.ones(7, 1, dtype=torch.bool))


def test_other_mismatches_are_refused() -> None:
    with pytest.raises(InputError):
        losses.ordinal(torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64), torch.zeros(4))
    with pytest.raises(InputError):
        losses.categorical(torch.zeros(3, 5), torch.zeros(3, 1, dtype=torch.int64))
    with pytest.raises(InputError):
        losses.softmax(torch.zeros(3, 5), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(InputError):
        losses.sampled_softmax(torch.zeros(3), torch.zeros(3, 2), torch.zeros(1), torch.zeros(3, 2))
    with pytest.raises(InputError):
        losses.warp(torch.zeros(3), torch.zeros(3), 10)
