"""A network after training: a matrix of persons, a matrix of items, and the head that joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, Predictive, Side
from likewise.models.levels import grown
from likewise.models.link import Link, LinkKind
from likewise.models.networks.base import Facts, network_of
from likewise.models.networks.net import LevelHead, Net
from likewise.models.rows import RowModel, RowPrior, shares, solve_rows
from likewise.shapes import Floats, Rows

CELLS = 1 << 22
"""Numbers that a block of person-item pairs may hold at once: 16 MB of float32 a column set."""
TILE, THINGS, LEAST = 1 << 20, 512, 128
"""Numbers that a tile of people and items may hold, its items for one person, and for many: what a layer makes of it stays in the cache."""
STEPS = 6
SHRINK = (1.0, 0.5, 0.25, 0.1)
KINDS: tuple[LinkKind, ...] = ("free", "clip", "sigmoid", "logistic")


@dataclass(frozen=True, eq=False)
class FittedNetwork(FittedModel[Floats]):
    """Answers of a trained network, or of several seeds of it whose scores are averaged.

    A person never trained on is found by a few Gauss-Newton steps on their own row alone, with the trained rows' mean and covariance
    as prior; an item likewise. A context that is not given is left out, as the network's equation says.

    Parameters
    ----------
    persons : float32 [user, seed * a]
    things : float32 [item, seed * b]
    heads : list of torch modules
        One a seed: the layers of the equation's last step.
    mean, noise : float
        Added to every score; variance of a training rating around its prediction.
    """

    config: Model
    persons: Floats
    things: Floats
    heads: Sequence[Head]
    mean: float
    noise: float
    link: Link
    user_prior: RowPrior
    item_prior: RowPrior

    @classmethod
    def trained(cls, config: Model, nets: Sequence[Net], facts: Facts) -> Self:
        """From trained networks; rows without events become the mean row, priors and noise are measured on the training data."""
        data = facts.data
        persons = np.hstack([net.everyone("user", data.n_users) for net in nets])
        things = np.hstack([net.everyone("item", data.n_items) for net in nets])
        user_prior, item_prior = RowPrior.of_rows(persons, data.by_user.counts), RowPrior.of_rows(things, data.by_item.counts)
        persons[data.by_user.counts == 0] = user_prior.mean
        things[data.by_item.counts == 0] = item_prior.mean
        heads = [Head.of(config, net, facts) for net in nets]
        fitted = cls(config, persons, things, heads, facts.mean, 1.0, facts.link, user_prior, item_prior)
        return replace(fitted, noise=fitted._residual_variance(facts))

    @property
    def n_users(self) -> int:
        return len(self.persons)

    @property
    def n_items(self) -> int:
        return len(self.things)

    @property
    def item_vectors(self) -> Floats | None:
        return None

    def factors(self, side: Side) -> Floats:
        return self.persons if side == "user" else self.things

    def people(self, users: Rows) -> Floats:
        return _looked_up(self.persons, users, self.user_prior)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        return self._solve("user", histories)

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        things = self.things if items is None else _looked_up(self.things, items, self.item_prior)
        scores = np.empty((len(people), len(things)), np.float32)
        wide = max(LEAST, THINGS // max(1, len(people)))
        block = max(1, TILE // (wide * max(1, people.shape[1] + things.shape[1])))
        right = torch.from_numpy(things)
        with torch.no_grad():
            for start in range(0, len(people), block):
                left = torch.from_numpy(np.ascontiguousarray(people[start : start + block]))
                for first in range(0, len(things), wide):
                    some = right[first : first + wide]
                    shape = (len(left), len(some))
                    joined = self._join(left[:, None].expand(*shape, -1), some.expand(*shape, -1), {})
                    scores[start : start + block, first : first + wide] = joined.numpy()
        return scores

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        if len(items) != len(people):
            raise InputError(f"there must be an item for each of the {len(people)} people; {len(items)} were given")
        things = _looked_up(self.things, items, self.item_prior)
        rows = {name: torch.from_numpy(column.astype(np.int64)) for name, column in (context or {}).items()}
        with torch.no_grad():
            return np.asarray(self._join(torch.from_numpy(people), torch.from_numpy(things), rows).numpy(), np.float32)

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """The score's slope along the person's row, shared out over the history as the row's own equation does.

        The parts of the history are first order; what the network bends away from that is the residual.
        """
        return [self._parts(people[n : n + 1], histories.take(np.array([n], np.int32)), item) for n in range(len(people))]

    def with_people(self, users: Rows, people: Floats) -> Self:
        return replace(self, persons=grown(self.persons, users, people, self.user_prior.mean))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        return replace(self, things=grown(self.things, items, self._solve("item", histories), self.item_prior.mean))

    def predictive(self, people: Floats, items: Rows, context: Context | None = None) -> Predictive | None:
        head = self.heads[0].level_head
        if head is None:
            return None
        things = _looked_up(self.things, items, self.item_prior)
        with torch.no_grad():
            scores = self._members(torch.from_numpy(people), torch.from_numpy(things), {})
            chances = torch.stack(
                [h.level_head.chances(s) for h, s in zip(self.heads, scores, strict=True) if h.level_head is not None]
            ).mean(0)
        p = chances.numpy()
        levels = head.levels.numpy()
        mean = p @ levels
        variance = np.maximum(p @ levels**2 - mean**2, 0)
        return Predictive(mean, np.sqrt(variance), np.zeros_like(mean), levels, p)

    def row_models(self) -> list[RowModel]:
        """One: the network's slopes along the population's person."""
        _, slopes = self._slopes("user", np.tile(self.user_prior.mean, (self.n_items, 1)), self.things)
        return [RowModel(self.user_prior, slopes, self.noise)]

    def state(self) -> Arrays:
        priors = {
            "user_mean": self.user_prior.mean,
            "user_precision": self.user_prior.precision,
            "item_mean": self.item_prior.mean,
            "item_precision": self.item_prior.precision,
        }
        scalars = np.array([self.mean, self.noise, KINDS.index(self.link.kind), self.link.low, self.link.high, len(self.heads)])
        heads = {f"head.{n}.{name}": array for n, head in enumerate(self.heads) for name, array in head.arrays().items()}
        return {"persons": self.persons, "things": self.things, "scalars": scalars, **priors, **heads}

    @classmethod
    def from_state(cls, config: Model, state: Mapping[str, NDArray[Any]]) -> Self:
        mean, noise, kind, low, high, seeds = (float(x) for x in state["scalars"])
        n = int(seeds)

        def arrays_of(seed: int) -> Arrays:
            return {name.split(".", 2)[2]: array for name, array in state.items() if name.startswith(f"head.{seed}.")}

        widths = (state["persons"].shape[1] // n, state["things"].shape[1] // n)
        heads = [Head.from_arrays(config, widths, arrays_of(seed)) for seed in range(n)]
        priors = RowPrior(state["user_mean"], state["user_precision"]), RowPrior(state["item_mean"], state["item_precision"])
        return cls(config, state["persons"], state["things"], heads, mean, noise, Link(KINDS[int(kind)], low, high), *priors)

    def _members(self, persons: Tensor, things: Tensor, context: Mapping[str, Tensor]) -> list[Tensor]:
        """Each seed's scores, with the mean, before the levels."""
        n = len(self.heads)
        pairs = zip(self.heads, persons.chunk(n, -1), things.chunk(n, -1), strict=True)
        return [head.score(person, thing, context) + self.mean for head, person, thing in pairs]

    def _join(self, persons: Tensor, things: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        scores = self._members(persons, things, context)
        expected = [
            score if head.level_head is None else head.level_head.chances(score) @ head.level_head.levels
            for head, score in zip(self.heads, scores, strict=True)
        ]
        return torch.stack(expected).mean(0) if len(expected) > 1 else expected[0]

    def _slopes(self, side: str, rows: Floats, others: Floats) -> tuple[Floats, Floats]:
        """Scores [entry] and their derivatives [entry, column] by the rows of a side."""
        moving = torch.from_numpy(np.ascontiguousarray(rows)).requires_grad_()
        fixed = torch.from_numpy(np.ascontiguousarray(others))
        with torch.enable_grad():
            score = self._join(moving, fixed, {}) if side == "user" else self._join(fixed, moving, {})
            (slope,) = torch.autograd.grad(score.sum(), moving)
        return score.detach().numpy(), slope.numpy()

    def _solve(self, side: str, histories: Histories) -> Floats:
        prior, table, other = (
            (self.user_prior, self.things, self.item_prior) if side == "user" else (self.item_prior, self.persons, self.user_prior)
        )
        rows = np.tile(prior.mean, (len(histories), 1))
        kept = histories.keep(histories.rows >= 0)
        if not len(kept.rows):
            return rows
        owner = np.repeat(np.arange(len(kept)), kept.counts)
        others = _looked_up(table, kept.rows, other)
        entries = Histories(kept.indptr, np.arange(len(owner), dtype=np.int32), kept.ratings, kept.weights)
        for _ in range(STEPS):
            score, slope = self._slopes(side, rows[owner], others)
            offsets = score - np.einsum("ek,ek->e", slope, rows[owner])
            aim = solve_rows(entries, slope, offsets, prior, self.noise, self.link) - rows
            trials = np.stack([rows, *(rows + np.float32(share) * aim for share in SHRINK)])
            best = self._costs(side, trials, owner, others, kept, prior).argmin(0)
            rows = trials[best, np.arange(len(rows))]
            if not best.any():
                break
        return rows

    def _costs(self, side: str, trials: Floats, owner: NDArray[np.int64], others: Floats, histories: Histories, prior: RowPrior) -> Floats:
        """What each row costs in each of the trials [trial, batch, column]; several in one call where they are small."""
        at_once = max(1, min(len(trials), CELLS // max(1, others.size)))
        parts = [trials[start : start + at_once] for start in range(0, len(trials), at_once)]
        scores = []
        for part in parts:
            left = torch.from_numpy(np.ascontiguousarray(part[:, owner].reshape(-1, part.shape[2])))
            right = torch.from_numpy(np.tile(others, (len(part), 1)))
            with torch.no_grad():
                score = self._join(left, right, {}) if side == "user" else self._join(right, left, {})
            scores.append(score.numpy().reshape(len(part), len(owner)))
        ratings = np.ones(len(owner), np.float32) if histories.ratings is None else histories.ratings
        weights = np.ones(len(owner), np.float32) if histories.weights is None else histories.weights
        missed = weights * (ratings - self.link.respond(np.concatenate(scores))) ** 2 / self.noise
        misses = np.stack([np.bincount(owner, miss, trials.shape[1]) for miss in missed])
        away = trials - prior.mean
        return np.asarray(misses + ((away @ prior.precision) * away).sum(2), np.float32)

    def _parts(self, person: Floats, history: Histories, item: int) -> Parts:
        thing = _looked_up(self.things, np.array([item], np.int32), self.item_prior)
        score, slope = self._slopes("user", person, thing)
        typical = self._slopes("user", self.user_prior.mean[None], thing)[0]
        taste = np.zeros(len(history.rows), np.float32)
        if len(history.rows):
            things = _looked_up(self.things, history.rows, self.item_prior)
            scores, slopes = self._slopes("user", np.repeat(person, len(things), 0), things)
            away = person[0] - self.user_prior.mean
            offsets = scores - slopes @ away
            entries = Histories(history.indptr, np.arange(len(things), dtype=np.int32), history.ratings, history.weights)
            centred = RowPrior(np.zeros_like(away), self.user_prior.precision)
            taste = shares(entries, slope[0], slopes, offsets, centred, self.noise, away, self.link)[0].sum(1)
        total, own = float(score[0]), float(typical[0]) - self.mean
        residual = total - self.mean - own - float(taste.sum())
        return Parts(self.mean, 0.0, own, taste, total, float(self.link.respond(score)[0]), {}, residual)

    def _residual_variance(self, facts: Facts, sample: int = 50_000) -> float:
        data = facts.data
        if data.ratings is None or not len(data):
            return 1.0
        events = np.linspace(0, len(data) - 1, min(len(data), sample)).astype(np.int64)
        context = {name: column[events] for name, column in data.context.items()}
        score = self.score_pairs(self.people(data.users[events]), data.items[events], context)
        return max(float(np.mean((data.ratings[events] - self.link.respond(score)) ** 2)), 1e-4)


class Head(nn.Module):
    """The last step of a network's equation, cut off from its tables."""

    def __init__(self, config: Model, widths: tuple[int, int], contexts: Mapping[str, int], level_head: LevelHead | None) -> None:
        super().__init__()
        self.network, self.sizes = network_of(config), dict(contexts)
        for name, layer in self.network.head(widths, contexts).items():
            self.add_module(name, layer)
        self.level_head = level_head
        self.eval()

    def score(self, person: Tensor, thing: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """Scores over any leading axes, without the mean."""
        return self.network.score(self, person, thing, context)

    @classmethod
    def of(cls, config: Model, net: Net, facts: Facts) -> Head:
        """Cut from a trained network."""
        head = cls(config, net.settings.widths(facts), facts.contexts, net.level_head)
        own = net.state_dict()
        head.load_state_dict({name: own[name].cpu() for name in head.state_dict()})
        return head.requires_grad_(False).cpu()

    def arrays(self) -> Arrays:
        """Everything by name."""
        about = {f"context:{name}": np.array([size]) for name, size in self.sizes.items()}
        if self.level_head is not None:
            about["kind"] = np.array([("ordinal", "categorical").index(self.level_head.kind)])
        return {**{name: tensor.numpy() for name, tensor in self.state_dict().items()}, **about}

    @classmethod
    def from_arrays(cls, config: Model, widths: tuple[int, int], arrays: Mapping[str, NDArray[Any]]) -> Head:
        """The head that `arrays` described."""
        contexts = {name[8:]: int(size[0]) for name, size in arrays.items() if name.startswith("context:")}
        levels = arrays.get("level_head.levels")
        kind = ("ordinal", "categorical")[int(arrays["kind"][0])] if "kind" in arrays else ""
        head = cls(config, widths, contexts, None if levels is None else LevelHead(levels, kind))
        head.load_state_dict({name: torch.from_numpy(np.array(arrays[name])) for name in head.state_dict()})
        return head.requires_grad_(False)


def _looked_up(table: Floats, rows: Rows, prior: RowPrior) -> Floats:
    if not len(table):
        return np.tile(prior.mean, (len(rows), 1))
    return np.where((rows >= 0)[:, None], table[rows], prior.mean)
