"""From trained networks with a dot head to `FittedSums`: several seeds become one longer vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from likewise.models.base import Model
from likewise.models.networks.base import Facts
from likewise.models.networks.layers import FeatureTower, Table
from likewise.models.networks.net import Net
from likewise.models.networks.sums import FittedSums
from likewise.models.networks.tower import Tower
from likewise.models.rows import RowPrior
from likewise.shapes import Floats

SAMPLE = 200_000


def sums_of(config: Model, nets: Sequence[Net], facts: Facts) -> FittedSums:
    """The fitted model whose score is the mean of the networks' scores.

    Each network's vectors, (factors, bias), are put side by side; the items' factors and all biases are divided by their number. The
    prior is over what each row learned for itself: its vector less what its features or its history give.
    """
    data, n = facts.data, len(nets)
    users = joined([net.everyone("user", data.n_users) for net in nets], 1.0)
    items = joined([net.everyone("item", data.n_items) for net in nets], 1 / n)
    towers = tower_of(nets, "user_tower", 1.0), tower_of(nets, "item_tower", 1 / n)
    whole = RowPrior.of_rows(users), RowPrior.of_rows(items)
    given_by = _beside_each_other(nets, "implicit", 1.0), _beside_each_other(nets, "mirrored", 1 / n)
    fitted = FittedSums(config, users, items, facts.mean, facts.link, *whole, 1.0, *towers, *given_by)
    given = (
        fitted._given("user", data.by_user, None if facts.user_features is None else facts.user_features.design()),
        fitted._given("item", data.by_item, None if facts.item_features is None else facts.item_features.design()),
    )
    own = users - given[0], items - given[1]
    counts = data.by_user.counts, data.by_item.counts
    priors = RowPrior.of_rows(own[0], counts[0]), RowPrior.of_rows(own[1], counts[1])
    users[counts[0] == 0] = (priors[0].mean + given[0])[counts[0] == 0]
    items[counts[1] == 0] = (priors[1].mean + given[1])[counts[1] == 0]
    fitted = replace(fitted, users=users, items=items, user_prior=priors[0], item_prior=priors[1])
    return replace(fitted, noise=_residual_variance(fitted, facts))


def joined(rows: Sequence[Floats], share: float) -> Floats:
    """Vectors (factors, bias) of several networks as one: factors side by side times `share`, biases averaged."""
    bias = np.mean([r[:, -1] for r in rows], 0)
    return np.column_stack([*(r[:, :-1] * np.float32(share) for r in rows), bias]).astype(np.float32)


def _beside_each_other(nets: Sequence[Net], name: str, share: float) -> Floats | None:
    tables = [layer.weight.detach().cpu().numpy() for net in nets if isinstance(layer := getattr(net, name, None), Table)]
    return np.hstack(tables) * np.float32(share) if tables else None


def tower_of(nets: Sequence[Net], name: str, share: float) -> Tower | None:
    """The networks' towers of that name as one, its last layer's factors times `share`; None where they have none."""
    towers = [tower for net in nets if isinstance(tower := getattr(net, name, None), FeatureTower)]
    if not towers:
        return None
    tables = [tower.table.weight.detach().cpu().numpy() for tower in towers]
    layers = [[(w.detach().cpu().numpy(), b.detach().cpu().numpy()) for w, b in tower.pairs()] for tower in towers]
    if not layers[0]:
        return Tower(joined(tables, share))
    if len(towers) == 1:
        return Tower(tables[0], layers[0])
    return Tower(np.hstack(tables), [_beside([each[n] for each in layers], n == len(layers[0]) - 1, share) for n in range(len(layers[0]))])


def _beside(layers: Sequence[tuple[Floats, Floats]], last: bool, share: float) -> tuple[Floats, Floats]:
    """One block-diagonal layer of several; the last one puts factors side by side and averages the biases."""
    outs, ins = [w.shape[0] for w, _ in layers], [w.shape[1] for w, _ in layers]
    weight, bias = np.zeros((sum(outs), sum(ins)), np.float32), np.concatenate([b for _, b in layers])
    row = column = 0
    for (w, _), out, inn in zip(layers, outs, ins, strict=True):
        weight[row : row + out, column : column + inn] = w
        row, column = row + out, column + inn
    if not last:
        return weight, bias
    own = np.concatenate([np.arange(out) < out - 1 for out in outs])
    weights = np.vstack([weight[own] * np.float32(share), weight[~own].mean(0, keepdims=True)])
    return weights, np.append(bias[own] * np.float32(share), bias[~own].mean()).astype(np.float32)


def _residual_variance(fitted: FittedSums, facts: Facts) -> float:
    data = facts.data
    if data.ratings is None or not len(data):
        return 1.0
    events = np.linspace(0, len(data) - 1, min(len(data), SAMPLE)).astype(np.int64)
    score = fitted.score_pairs(fitted.people(data.users[events]), data.items[events])
    return max(float(np.mean((data.ratings[events] - fitted.link.respond(score)) ** 2)), 1e-4)
