"""Negatives are never a user's own, have the distribution they promise, and cost O(batch)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.solvers.gradient.negatives import Sampler, Unseen
from likewise.solvers.gradient.settings import Negatives

CPU = torch.device("cpu")


def table(pairs: list[tuple[int, int]], users: int, items: int) -> Interactions:
    columns = np.array(pairs, np.int32).reshape(-1, 2)
    return Interactions(columns[:, 0], columns[:, 1], users, items)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=48),
    st.integers(0, 3),
    st.sampled_from(["uniform", "popularity", "in-batch", "hard"]),
)
def test_no_negative_is_the_users_own(pairs: set[tuple[int, int]], seed: int, how: str) -> None:
    data = table(sorted(pairs), 6, 8)
    sampler = Sampler(Negatives(ratio=5, how=how, pool=3), data, CPU, lambda users, items: items.float())
    users = torch.arange(6).repeat_interleave(4)
    items = torch.arange(24) % 8
    drawn, there = sampler.draw(users, items, generator(seed))
    assert drawn.shape == there.shape == (24, 5)
    for user, row, ok in zip(users.tolist(), drawn.tolist(), there.tolist(), strict=True):
        own = {i for u, i in pairs if u == user}
        assert all(ok) == (len(own) < 8)
        assert not any(good and item in own for item, good in zip(row, ok, strict=True))


def test_who_liked_nearly_everything_gets_the_one_item_left() -> None:
    data = table([(0, i) for i in range(1000) if i != 617], 1, 1000)
    for how in ("uniform", "popularity", "in-batch", "hard"):
        drawn, there = Sampler(Negatives(ratio=3, how=how), data, CPU, lambda u, i: i.float()).draw(
            torch.zeros(5, dtype=torch.int64), torch.arange(5), generator()
        )
        assert there.all() and (drawn == 617).all()


def test_uniform_is_uniform_over_the_unseen() -> None:
    data = table([(0, 2), (0, 3), (0, 3), (0, 9)], 2, 10)
    drawn, _ = Unseen(data, CPU).draw(torch.zeros(1, dtype=torch.int64), 70_000, generator())
    counts = torch.bincount(drawn[0], minlength=10)
    assert counts[[2, 3, 9]].sum() == 0
    assert (counts[[0, 1, 4, 5, 6, 7, 8]] - 10_000).abs().max() < 500


def test_popularity_follows_counts_to_the_power_alpha() -> None:
    data = table([(u, 0) for u in range(16)] + [(u, 1) for u in range(4)] + [(20, 2)], 30, 3)
    drawn, _ = Sampler(Negatives(ratio=1, how="popularity", alpha=0.5), data, CPU).draw(
        torch.full((70_000,), 29), torch.zeros(70_000).long(), generator()
    )
    assert torch.bincount(drawn[:, 0], minlength=3).div(10_000).round().tolist() == [4, 2, 1]


def test_hard_ones_are_the_highest_scored() -> None:
    data = table([(0, 99)], 1, 100)
    hard = Sampler(Negatives(ratio=1, how="hard", pool=50), data, CPU, lambda users, items: items.float())
    drawn, _ = hard.draw(torch.zeros(200, dtype=torch.int64), torch.zeros(200).long(), generator())
    assert drawn.float().mean() > 95 and (drawn < 99).all()


def test_the_same_seed_draws_the_same() -> None:
    data = table([(0, 1), (1, 2)], 2, 50)
    users = torch.tensor([0, 1, 0])
    one, two = (Unseen(data, CPU).draw(users, 4, generator(3))[0] for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 0}, "ratio must be greater than 0"),
        ({"ratio": 1.5}, "whole number"),
        ({"ratio": 2, "replace": True}, "below one"),
        ({"how": "nearest"}, "must be one of"),
        ({"pool": 0}, "pool must be at least 1"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Negatives(**settings)  # type: ignore[arg-type]
