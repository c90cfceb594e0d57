"""What a batch costs: the network's answers, the negatives beside them, the loss; and the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network
from likewise.models.networks.layers import Table
from likewise.models.networks.net import Net, respond
from likewise.models.softmax import Weighing
from likewise.shapes import Floats
from likewise.solvers.gradient import losses
from likewise.solvers.gradient.batches import Batch
from likewise.solvers.gradient.negatives import Sampler
from likewise.solvers.gradient.settings import Gradient, Loss, Negatives, Penalty

MOST_LEVELS = 50
"""Distinct ratings beyond which level losses are refused: they are numbers then, not levels."""


def facts_for(network: Network, data: Dataset, solver: Gradient) -> Facts:
    """What the network is told: the link, the mean and the levels follow from the data and the loss.

    Raises InputError for a loss that does not fit the data.
    """
    loss, ratings = solver.loss, data.interactions.ratings
    if not len(data):
        raise InputError("there is nothing to learn from: the training data has no rows")
    if loss.name == "contrastive" and getattr(getattr(network, "dot", None), "bias", False):
        raise InputError("loss 'contrastive' compares directions, which biases have no part in: take Dot(bias=False)")
    if loss.name == "softmax":
        return replace(Facts.of(data, Link("free"), centred=False), weighing=_weighing(data, solver))
    if loss.ranks:
        return replace(Facts.of(data, Link("free"), centred=False), cosine=loss.name == "contrastive")
    if loss.name == "bce":
        return Facts.of(data, Link("logistic"), centred=False)
    if ratings is None:
        raise InputError(f"loss {loss.name!r} needs ratings and the data has none; for likes take 'bpr', 'warp', 'bce' or 'softmax'")
    if loss.levels:
        levels = _levels(ratings, loss)
        facts = Facts.of(data, Link("clip", float(levels[0]), float(levels[-1])), centred=False)
        return Facts(**{**vars(facts), "levels": levels, "level_kind": loss.name})
    return Facts.of(data, network.link(data.interactions, data.stated_range))


def _weighing(data: Dataset, solver: Gradient) -> Weighing:
    balance, penalty = solver.balance, solver.penalty
    if balance is not None and balance.items:
        raise InputError(f"loss 'softmax' balances people alone: set balance.items to 0; it is {balance.items:g}")
    users = 0.0 if balance is None else balance.users
    return Weighing.of(data.interactions, users, penalty.l2, penalty.power, solver.loss.temperature, penalty.people)


def _levels(ratings: Floats, loss: Loss) -> Floats:
    levels = np.unique(ratings)
    if not 2 <= len(levels) <= MOST_LEVELS:
        raise InputError(f"loss {loss.name!r} needs 2 to {MOST_LEVELS} rating levels; the data has {len(levels)}: use 'mse' or 'huber'")
    return levels


class Objective:
    """The loss of a batch under one or several networks (seeds), summed over them.

    Parameters
    ----------
    nets : networks of the same settings, trained on the same batches.
    """

    def __init__(self, solver: Gradient, nets: Sequence[Net], facts: Facts, device: torch.device) -> None:
        self.solver, self.nets, self.loss, self.facts = solver, nets, solver.loss, facts
        wanted = solver.negatives
        if wanted is None and (self.loss.ranks or (self.loss.name == "bce" and _all_alike(facts))):
            wanted = Negatives()
        if wanted is not None and (self.loss.levels or self.loss.name == "softmax"):
            raise InputError(f"loss {self.loss.name!r} takes no sampled negatives; leave `negatives` out or use 'mse', 'bce' or 'bpr'")
        self.negatives = wanted
        self.sampler = None if wanted is None else Sampler(wanted, facts.data, device, self._mean_score)
        holds = solver.penalty.l1 or solver.penalty.l2
        self.strengths = [_strengths(net, solver.penalty) for net in nets] if holds else []
        self.likes = self.loss.ranks or self.loss.name == "softmax" or (self.loss.name == "bce" and _all_alike(facts))
        self.once = self.loss.name == "softmax" and nets[0].settings.grouped == "user" and _each_once(facts.data)
        self.levels = None if facts.levels is None else torch.from_numpy(facts.levels).to(device)

    def __call__(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """(loss to descend, responses [rows] of the batch's first network or None where the loss has none)."""
        if self.loss.name == "softmax":
            return torch.stack([self._softmax(net, batch) for net in self.nets]).sum(), None
        if self.loss.ranks:
            return self._ranking(batch, generator), None
        rows = batch if self.sampler is None else self._with_negatives(batch, self.sampler, generator)
        total, response = torch.zeros((), device=batch.target.device), None
        for net in self.nets:
            score = net(rows.users, rows.items, rows.context)
            one, answer = self._pointwise(net, score, rows)
            total = total + one
            response = answer if response is None else response
        return total, None if self.sampler is not None else response

    def _pointwise(self, net: Net, score: Tensor, rows: Batch) -> tuple[Tensor, Tensor]:
        name = self.loss.name
        if name == "bce":
            return losses.bce(score, rows.target, rows.weight), torch.sigmoid(score.detach())
        if self.levels is not None and net.level_head is not None:
            level = torch.searchsorted(self.levels, rows.target)
            if name == "ordinal":
                value = losses.ordinal(score, level, net.level_head.cuts, rows.weight)
            else:
                value = losses.categorical(net.level_head.logits(score), level, rows.weight)
            return value, net.level_head.chances(score).detach() @ self.levels
        answer = respond(net.link, score)
        if name == "mae":
            return losses.mae(answer, rows.target, rows.weight), answer.detach()
        if name == "huber":
            return losses.huber(answer, rows.target, rows.weight, self.loss.delta), answer.detach()
        return losses.mse(answer, rows.target, rows.weight), answer.detach()

    def _with_negatives(self, batch: Batch, sampler: Sampler, generator: torch.Generator) -> Batch:
        """The rows with their negatives behind them, or in their place; negatives weigh as much as the row they come from."""
        settings = sampler.settings
        if settings.ratio >= 1:
            chosen = batch
        else:
            picked = torch.rand(len(batch), generator=generator, device=batch.users.device) < settings.ratio
            chosen = batch.at(picked.nonzero()[:, 0])
            if settings.replace:
                batch = batch.at((~picked).nonzero()[:, 0])
        items, there = sampler.draw(chosen.users, chosen.items, generator)
        keep = there.reshape(-1).nonzero()[:, 0]
        beside = torch.arange(len(chosen), device=keep.device).repeat_interleave(items.shape[1])[keep]
        taken = chosen.at(beside)
        target = torch.cat([batch.target, torch.full_like(taken.target, settings.target)])
        weight = None if batch.weight is None or taken.weight is None else torch.cat([batch.weight, taken.weight])
        context = {name: torch.cat([column, taken.context[name]]) for name, column in batch.context.items()}
        return Batch(torch.cat([batch.users, taken.users]), torch.cat([batch.items, items.reshape(-1)[keep]]), target, weight, context)

    def _ranking(self, batch: Batch, generator: torch.Generator) -> Tensor:
        sampler = self.sampler
        if sampler is None:
            raise InputError(f"loss {self.loss.name!r} needs negatives")
        drawn, there = sampler.draw(batch.users, batch.items, generator)
        total = torch.zeros((), device=batch.users.device)
        for net in self.nets:
            person = net.person(batch.users)
            items = net.item(torch.cat([batch.items, drawn.reshape(-1)]))  # one look-up: sharded rows move once in each
            positive = net.join(person, items[: len(batch)], batch.context)
            others = items[len(batch) :].reshape(*drawn.shape, -1)
            context = {name: column[:, None].expand_as(drawn) for name, column in batch.context.items()}
            negative = net.join(person[:, None].expand(*drawn.shape, -1), others, context)
            total = total + self._beside(positive, negative, batch, drawn, there, sampler)
        return total

    def _beside(self, positive: Tensor, negative: Tensor, batch: Batch, drawn: Tensor, there: Tensor, sampler: Sampler) -> Tensor:
        loss, weight = self.loss, batch.weight
        if loss.name == "bpr":
            return losses.bpr(positive, negative, weight, there)
        if loss.name == "hinge":
            return losses.hinge(positive, negative, weight, there, loss.margin)
        if loss.name == "warp":
            return losses.warp(positive, negative, self.facts.data.n_items, weight, there, loss.margin)
        if loss.name == "contrastive":
            return losses.contrastive(positive, negative, weight, there, loss.margin, loss.weight)
        log = sampler.log_chance
        return losses.sampled_softmax(positive, negative, log[batch.items], log[drawn], weight, there, loss.temperature)

    def _softmax(self, net: Net, batch: Batch) -> Tensor:
        catalogue = torch.arange(self.facts.data.n_items, device=batch.users.device)
        if net.settings.grouped is None:  # all events of a person share one row of scores
            users, place = torch.unique(batch.users, return_inverse=True)
            scores = net.grid(net.person(users), net.item(catalogue))
            return losses.shared_softmax(scores, place, batch.items, batch.weight, self.loss.temperature)
        person, items = net.person(batch.users), net.item(catalogue)
        if not net.cosine and (pair := net.settings.vectors(person, items)) is not None:
            # the mean is no part of a softmax
            return losses.catalogue_softmax(*pair, batch.items, batch.weight, self.loss.temperature, self._firsts(batch))
        return losses.softmax(net.grid(person, items), batch.items, batch.weight, self.loss.temperature)

    def _firsts(self, batch: Batch) -> Tensor | None:
        """Where each row's person begins, of batches that hold histories in order; None where people may meet an item again."""
        if not self.once:
            return None
        _, counts = torch.unique_consecutive(batch.users, return_counts=True)
        return torch.repeat_interleave(counts.cumsum(0) - counts, counts)

    @torch.no_grad()
    def penalise(self) -> None:
        """Add to the gradients those of L1 and L2 by occurrence: l2 / 2 * |row|^2 + l1 * |row|_1 each time an event looks a row up.

        Written on the gradients, because it needs no second look-up. A dense table's rows are held by how often an event looks them up
        in expectation, a sparse one's by the look-ups of this batch.
        """
        if not self.strengths:
            return
        penalty = self.solver.penalty
        for net, strengths in zip(self.nets, self.strengths, strict=True):
            for table, strength in zip(net.held(), strengths, strict=True):
                weight, slope = table.weight, table.weight.grad
                if slope is None:
                    continue
                if slope.is_sparse:
                    table.weight.grad = _pulled_rows(table, slope, strength, penalty)
                    continue
                if penalty.l2:
                    slope.addcmul_(weight, strength, value=penalty.l2)
                if penalty.l1:
                    slope.addcmul_(weight.sign(), strength, value=penalty.l1)

    def _mean_score(self, users: Tensor, items: Tensor) -> Tensor:
        return torch.stack([net(users, items, {}) for net in self.nets]).mean(0)


def _strengths(net: Net, penalty: Penalty) -> list[Tensor]:
    """How much each table is held, [row, column], for penalties of one."""
    found = []
    for table in net.held():
        seen = table.seen if table.seen is not None else torch.zeros(len(table.weight))
        if penalty.power:
            seen = seen * (seen / seen[seen > 0].mean()).clamp_min(1e-12) ** -penalty.power
        columns = torch.ones(table.weight.shape[1], device=seen.device)
        if table.bias:
            columns[-1] = penalty.bias
        found.append(seen[:, None] * columns)
    return found


def _pulled_rows(table: Table, slope: Tensor, strength: Tensor, penalty: Penalty) -> Tensor:
    """A row gradient with the penalty's added: each look-up of the batch pulls its row as a whole event would."""
    rows = slope._indices()[0]
    seen = torch.ones_like(strength[:, 0]) if table.seen is None else table.seen
    share = strength.index_select(0, rows) / seen.index_select(0, rows).clamp_min(1e-12)[:, None] / len(rows)
    looked_up = table.weight.index_select(0, rows)
    pull = (penalty.l2 * looked_up + penalty.l1 * looked_up.sign()) * share
    return slope + torch.sparse_coo_tensor(rows[None], pull, slope.shape, check_invariants=False)


def _each_once(data: Interactions) -> bool:
    """Whether no user met an item twice."""
    pairs = data.users.astype(np.int64) * data.n_items + data.items
    return len(np.unique(pairs)) == len(pairs)


def _all_alike(facts: Facts) -> bool:
    ratings = facts.data.ratings
    return ratings is None or not _within_one(facts) or bool((ratings == ratings[0]).all())


def _within_one(facts: Facts) -> bool:
    ratings = facts.data.ratings
    return ratings is None or (float(ratings.min()) >= 0 and float(ratings.max()) <= 1)
