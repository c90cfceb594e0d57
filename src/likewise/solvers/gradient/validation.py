"""How good the network is on rows it does not learn from, measured on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from likewise.data.interactions import Interactions
from likewise.models.networks.net import Net
from likewise.solvers.gradient.batches import Batch, rows_of
from likewise.solvers.gradient.negatives import Unseen

BLOCK = 65_536
"""Rows scored at once."""
EXAMPLES = 9
"""Rows shown beside their predictions each epoch."""
Example = tuple[int, int, float, float]
PEOPLE = 512
"""Users ranked at once; fewer where the catalogue is large."""


class Validation:
    """Validation rows on the device.

    Parameters
    ----------
    rows : Interactions over the training vocabularies
    train : Interactions
        What users have had is not ranked again.
    likes : bool
        The loss learns likes, so its targets are ones.
    """

    def __init__(self, rows: Interactions, train: Interactions, device: torch.device, likes: bool) -> None:
        self.rows = rows_of(rows, device)
        if likes:
            self.rows = Batch(self.rows.users, self.rows.items, torch.ones_like(self.rows.target), self.rows.weight, self.rows.context)
        self.train, self.held = Unseen(train, device), Unseen(rows, device)
        self.n_items = train.n_items

    @torch.no_grad()
    def predict(self, nets: Sequence[Net]) -> Tensor:
        """Responses [row] of the mean score of the networks."""
        parts = [self._responses(nets, self.rows.at(slice(start, start + BLOCK))) for start in range(0, len(self.rows), BLOCK)]
        return torch.cat(parts)

    def measure(self, nets: Sequence[Net], metrics: Sequence[str]) -> tuple[dict[str, float], list[Example]]:
        """Figures by name ("rmse", "mae", "ndcg@K"), and some rows: (user, item, what was given, what is predicted)."""
        found = {}
        predicted = self.predict(nets)
        missed = predicted - self.rows.target
        for metric in metrics:
            if metric == "rmse":
                found[metric] = float((missed**2).mean().sqrt())
            elif metric == "mae":
                found[metric] = float(missed.abs().mean())
            elif metric.startswith("ndcg@"):
                found[metric] = self._ndcg(nets, int(metric[5:]))
        return found, self._examples(predicted)

    def _examples(self, predicted: Tensor) -> list[Example]:
        some = torch.linspace(0, len(predicted) - 1, min(EXAMPLES, len(predicted))).long().to(predicted.device)
        columns = (self.rows.users[some], self.rows.items[some], self.rows.target[some], predicted[some])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _responses(self, nets: Sequence[Net], rows: Batch) -> Tensor:
        answers = torch.stack([net.response(net(rows.users, rows.items, rows.context)) for net in nets]).mean(0)
        link = nets[0].link
        return answers.clamp(link.low, link.high) if link.kind == "clip" else answers

    @torch.no_grad()
    def _ndcg(self, nets: Sequence[Net], k: int) -> float:
        """Mean NDCG@k of the users with validation rows: binary relevance, the whole catalogue less what they had in train."""
        k = min(k, self.n_items)
        gain = 1 / torch.log2(torch.arange(2, k + 2, device=self.rows.users.device, dtype=torch.float64))
        users, counts = torch.unique(self.rows.users, return_counts=True)
        catalogue = torch.arange(self.n_items, device=users.device)
        items = [net.item(catalogue) for net in nets]
        total = 0.0
        block = max(1, min(PEOPLE, (1 << 22) // max(1, self.n_items)))
        for start in range(0, len(users), block):
            some = users[start : start + block]
            scores = torch.stack([net.grid(net.person(some), item) for net, item in zip(nets, items, strict=True)]).mean(0)
            pairs = some[:, None].expand(-1, self.n_items).reshape(-1), catalogue.repeat(len(some))
            scores[self.train.seen(*pairs).reshape(scores.shape)] = -torch.inf
            best = scores.topk(k).indices
            hits = self.held.seen(some[:, None].expand_as(best).reshape(-1), best.reshape(-1)).reshape(best.shape)
            ideal = gain.cumsum(0)[counts[start : start + block].clamp_max(k) - 1]
            total += float(((hits * gain).sum(1) / ideal).sum())
        return total / max(1, len(users))

    @torch.no_grad()
    def same_lists(self, nets: Sequence[Net], k: int = 10, people: int = 200) -> bool:
        """Whether all of some users would get the same k items if nothing they had were left out."""
        users = torch.unique(self.rows.users)[:people]
        k = min(k, self.n_items - 1)
        if len(users) < 2 or k < 1:
            return False
        catalogue = torch.arange(self.n_items, device=users.device)
        best = [
            torch.stack([net.grid(net.person(user), net.item(catalogue))[0] for net in nets]).mean(0).topk(k).indices.sort().values
            for user in users.split(1)
        ]
        return bool((torch.stack(best) == best[0]).all())
