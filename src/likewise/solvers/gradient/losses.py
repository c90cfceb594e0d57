"""Losses: pure functions of tensors, each a mean over the batch. Shapes that do not match are refused, never broadcast.

`weight` [batch] multiplies each row's loss; the mean is over the weights' sum. Scores of positives are [batch], of sampled negatives
[batch, negative]; a negative that could not be drawn is masked out by `there` [batch, negative].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from likewise.errors import InputError

MOST_SCORES = (1 << 20, 1 << 26)
"""Scores that `catalogue_softmax` holds at once: what a CPU's cache takes, what keeps a GPU busy."""


def mse(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error."""
    _same(prediction, target, weight)
    return _mean((prediction - target) ** 2, weight)


def mae(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute error."""
    _same(prediction, target, weight)
    return _mean((prediction - target).abs(), weight)


def huber(prediction: Tensor, target: Tensor, weight: Tensor | None = None, delta: float = 1.0) -> Tensor:
    """Half the square up to `delta`, a line beyond (Huber 1964)."""
    _same(prediction, target, weight)
    return _mean(F.huber_loss(prediction, target, reduction="none", delta=delta), weight)


def bce(score: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of scores before the sigmoid with targets in [0, 1]."""
    _same(score, target, weight)
    return _mean(F.binary_cross_entropy_with_logits(score, target, reduction="none"), weight)


def ordinal(score: Tensor, level: Tensor, cuts: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of ordered levels: P(level > l) = sigmoid(score - cut_l) (McCullagh 1980).

    score [batch]; level int64 [batch] in 0..L-1; cuts [L - 1], rising.
    """
    _same(score, level, weight)
    above = F.pad(score[..., None] - cuts, (1, 1))  # [batch, L + 1]; both ends are overwritten below
    low = above.gather(-1, level[..., None])[..., 0]
    high = above.gather(-1, level[..., None] + 1)[..., 0]
    first, last = level == 0, level == len(cuts)
    # log(sigmoid(low) - sigmoid(high)) = log sigmoid(low) + log sigmoid(-high) + log(1 - exp(high - low)), without cancellation
    inner = F.logsigmoid(low) + F.logsigmoid(-high) + torch.log1p(-torch.exp((high - low).clamp(max=-1e-6)))
    chance = torch.where(first, F.logsigmoid(-high), torch.where(last, F.logsigmoid(low), inner))
    return _mean(-chance, weight)


def categorical(logits: Tensor, level: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits [batch, L] with levels int64 [batch]."""
    _same(logits[..., 0], level, weight)
    return _mean(-logits.log_softmax(-1).gather(-1, level[..., None])[..., 0], weight)


def bpr(positive: Tensor, negative: Tensor, weight: Tensor | None = None, there: Tensor | None = None) -> Tensor:
    """Minus log of the chance that the positive beats each negative (Rendle et al. 2009)."""
    _beside(positive, negative, weight, there)
    return _mean(_over_negatives(F.softplus(negative - positive[..., None]), there), weight)


def hinge(positive: Tensor, negative: Tensor, weight: Tensor | None = None, there: Tensor | None = None, margin: float = 1.0) -> Tensor:
    """How far the hardest negative comes within `margin` of the positive."""
    _beside(positive, negative, weight, there)
    hardest = (negative if there is None else negative.masked_fill(~there, -torch.inf)).amax(-1)
    return _mean((margin + hardest - positive).clamp_min(0), weight)


def warp(
    positive: Tensor, negative: Tensor, items: int, weight: Tensor | None = None, there: Tensor | None = None, margin: float = 1.0
) -> Tensor:
    """Weighted approximate-rank pairwise loss (Weston, Bengio and Usunier 2011).

    The negatives are read in order; the first that comes within the margin counts, times log(1 + floor((items - 1) / its place)):
    found early, many items must stand above the positive.
    """
    _beside(positive, negative, weight, there)
    gap = margin + negative - positive[..., None]
    wrong = gap > 0 if there is None else (gap > 0) & there
    place = wrong.int().argmax(-1, keepdim=True)
    rank = torch.log1p(torch.floor((items - 1) / (place + 1.0)))[..., 0]
    found = gap.gather(-1, place)[..., 0]
    return _mean(torch.where(wrong.any(-1), rank * found, torch.zeros_like(found)), weight)


def contrastive(
    positive: Tensor,
    negative: Tensor,
    weight: Tensor | None = None,
    there: Tensor | None = None,
    margin: float = 0.5,
    strength: float = 1.0,
) -> Tensor:
    """1 - cos(positive) + strength * mean(max(0, cos(negative) - margin)) (Mao et al. 2021, SimpleX). Scores are cosines."""
    _beside(positive, negative, weight, there)
    return _mean(1 - positive + strength * _over_negatives((negative - margin).clamp_min(0), there), weight)


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    log_positive: Tensor,
    log_negative: Tensor,
    weight: Tensor | None = None,
    there: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Cross-entropy of the positive among the sampled, each score less the log of how often it is drawn (Bengio and Senecal 2008).

    log_positive [batch] and log_negative [batch, negative] are log chances of the items under the sampler: without them popular
    items, drawn more often, would be pushed down for it.
    """
    _beside(positive, negative, weight, there)
    _same(positive, log_positive, None)
    _same(negative, log_negative, None)
    others = negative / temperature - log_negative
    if there is not None:
        others = others.masked_fill(~there, -torch.inf)
    own = positive / temperature - log_positive
    return _mean(torch.cat([own[..., None], others], -1).logsumexp(-1) - own, weight)


def softmax(scores: Tensor, item: Tensor, weight: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """Cross-entropy of the item int64 [batch] among the scores of the whole catalogue [batch, item]."""
    if scores.shape[:-1] != item.shape:
        raise InputError(f"scores must be [batch, item] beside items [batch]; got {list(scores.shape)} and {list(item.shape)}")
    return categorical(scores / temperature, item, weight)


def catalogue_softmax(
    person: Tensor,
    items: Tensor,
    item: Tensor,
    weight: Tensor | None = None,
    temperature: float = 1.0,
    firsts: Tensor | None = None,
) -> Tensor:
    """`softmax` of the scores `person @ items.T`, which are never held whole.

    person [batch, width]; items [item, width]; item int64 [batch]. With `firsts` int64 [batch] row n is chosen among what the rows
    firsts[n] to n - 1 did not choose: nobody is asked for what they have had. A few people at a time are scored, and their share of
    both gradients is taken while the scores are still in the cache: two fifths of the time of the plain loss, and the memory of a few
    people.
    """
    if person.ndim != 2 or items.ndim != 2 or person.shape[1] != items.shape[1] or person.shape[:1] != item.shape:
        shapes = [list(t.shape) for t in (person, items, item)]
        raise InputError(f"people must be [batch, width], the catalogue [item, width] and the items [batch]; got {shapes}")
    _same(item, item, weight)
    counted = torch.ones(len(item), device=item.device) if weight is None else weight
    shares = counted / counted.sum().clamp_min(1e-12)
    loss: Tensor = _CatalogueSoftmax.apply(person, items, item, shares, temperature, firsts)  # type: ignore[no-untyped-call]
    return loss


class _CatalogueSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, person: Tensor, items: Tensor, item: Tensor, shares: Tensor, temperature: float, firsts: Tensor | None) -> Tensor:
        size = max(MOST_SCORES[person.device.type == "cuda"] // max(len(items), 1), 16)
        across = items.T.contiguous()
        of_people, of_items = torch.empty_like(person), torch.zeros_like(items)
        total = torch.zeros((), device=person.device)
        for start in range(0, len(person), size):
            part = slice(start, start + size)
            own, share = item[part, None], shares[part, None]
            scores = (person[part] @ across).float()
            if temperature != 1:
                scores /= temperature
            if firsts is not None:
                scores[_before(item, firsts, start, len(own))] = -torch.inf
            target, top = scores.gather(1, own), scores.amax(1, keepdim=True)
            mass = scores.sub_(top).exp_().sum(1, keepdim=True)
            total += (share * (mass.log() + top - target)).sum()
            slope = scores.mul_(share / (mass * temperature)).scatter_add_(1, own, -share / temperature)
            of_people[part] = slope @ items
            of_items += slope.T @ person[part]
        ctx.save_for_backward(of_people, of_items)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_people, of_items = ctx.saved_tensors
        return of_people * gradients[0], of_items * gradients[0], None, None, None, None


def _before(item: Tensor, firsts: Tensor, start: int, rows: int) -> tuple[Tensor, Tensor]:
    """Which scores of the rows from `start` on are of items that an earlier row chose: (row of the part, item) of each."""
    row = torch.arange(rows, device=item.device)
    first = firsts[start : start + rows]
    counts = row + start - first
    within = torch.arange(int(counts.sum()), device=item.device) - torch.repeat_interleave(counts.cumsum(0) - counts - first, counts)
    return torch.repeat_interleave(row, counts), item[within]


def shared_softmax(scores: Tensor, person: Tensor, item: Tensor, weight: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """The same where several events share a person's scores [person, item]: event n is of row person[n] and chose item[n]."""
    if person.shape != item.shape or scores.dim() != 2:
        raise InputError(
            f"events need a person and an item each; got {list(person.shape)}, {list(item.shape)}, scores {list(scores.shape)}"
        )
    _same(person, item, weight)
    scores = scores / temperature
    return _mean(scores.logsumexp(-1)[person] - scores[person, item], weight)


def _over_negatives(loss: Tensor, there: Tensor | None) -> Tensor:
    if there is None:
        return loss.mean(-1)
    return (loss * there).sum(-1) / there.sum(-1).clamp_min(1)


def _mean(loss: Tensor, weight: Tensor | None) -> Tensor:
    return loss.mean() if weight is None else (loss * weight).sum() / weight.sum().clamp_min(1e-12)


def _same(prediction: Tensor, target: Tensor, weight: Tensor | None) -> None:
    if prediction.shape != target.shape:
        raise InputError(
            f"predictions and targets must have one shape; got {list(prediction.shape)} and {list(target.shape)}: squeeze or select first"
        )
    if weight is not None and weight.shape != target.shape:
        raise InputError(f"weights must have the targets' shape {list(target.shape)}; got {list(weight.shape)}")


def _beside(positive: Tensor, negative: Tensor, weight: Tensor | None, there: Tensor | None) -> None:
    if negative.shape[:-1] != positive.shape or not negative.shape[-1:] or negative.shape[-1] < 1:
        raise InputError(
            f"negatives must be [batch, negative] beside positives [batch]; got {list(negative.shape)} and {list(positive.shape)}"
        )
    if weight is not None and weight.shape != positive.shape:
        raise InputError(f"weights must have the positives' shape {list(positive.shape)}; got {list(weight.shape)}")
    if there is not None and there.shape != negative.shape:
        raise InputError(f"the mask must have the negatives' shape {list(negative.shape)}; got {list(there.shape)}")
