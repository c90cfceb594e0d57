"""Optimisers against naive updates; schedules against their pictures; batches against the rows they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.networks.layers import Table
from likewise.solvers.gradient import SGD, Adagrad, Adam, AdamW, Constant, CosineRestarts, LazyAdam, OneCycle, Step
from likewise.solvers.gradient.batches import Batches, rows_of
from likewise.solvers.gradient.optimizers import stepper
from likewise.solvers.gradient.schedules import momentum, rate
from likewise.solvers.gradient.settings import Balance

CPU = torch.device("cpu")


class Little(nn.Module):
    """A table and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.layer = Table(6, 3), nn.Linear(3, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layer(self.table(rows))[:, 0]


def descend(settings: object, rows: list[list[int]], rate: float = 0.1) -> Little:
    with torch.random.fork_rng():
        net = Little()
        steps = stepper(settings, net)  # type: ignore[arg-type]
        for some in rows:
            net.zero_grad()
            net(torch.tensor(some)).square().sum().backward()
            steps.step(rate, None)
    return net


@pytest.mark.parametrize(
    ("settings", "torchs"),
    [
        (SGD(momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (Adam(), lambda p: torch.optim.Adam(p, 0.1)),
        (AdamW(weight_decay=0.0, betas=(0.9, 0.99)), lambda p: torch.optim.AdamW(p, 0.1, betas=(0.9, 0.99), weight_decay=0.0)),
    ],
)
def test_dense_optimisers_are_torchs(settings: object, torchs: object) -> None:
    ours = descend(settings, [[0, 1, 1], [2, 5]])
    with torch.random.fork_rng():
        theirs = Little()
        optimizer = torchs(theirs.parameters())  # type: ignore[operator]
        for some in ([0, 1, 1], [2, 5]):
            optimizer.zero_grad()
            theirs(torch.tensor(some)).square().sum().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_decay_is_decoupled_and_spares_biases_of_layers() -> None:
    for settings in (SGD(weight_decay=0.5), AdamW(weight_decay=0.5)):
        with torch.random.fork_rng():
            net = Little()
            before = {name: p.detach().clone() for name, p in net.named_parameters()}
            steps = stepper(settings, net)
            for p in net.parameters():
                p.grad = torch.zeros_like(p)
            steps.step(0.1, None)
        for name, p in net.named_parameters():
            torch.testing.assert_close(p.detach(), before[name] * (1.0 if name == "layer.bias" else 0.95))


@pytest.mark.parametrize("settings", [Adagrad(), LazyAdam(weight_decay=0.1)])
def test_lazy_optimisers_move_only_the_rows_of_the_batch(settings: object) -> None:
    with torch.random.fork_rng():
        before = Little().table.weight.detach().clone()
    after = descend(settings, [[1, 1, 4], [4]]).table.weight.detach()
    moved = (before != after).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]


def test_lazy_adam_on_every_row_is_adamw() -> None:
    every = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0, 0]]
    lazy, dense = descend(LazyAdam(weight_decay=0.1), every), descend(AdamW(weight_decay=0.1), every)
    for a, b in zip(lazy.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def test_row_wise_adagrad_equals_the_loop() -> None:
    with torch.random.fork_rng():
        net = Little()
        weight, layer = net.table.weight.detach().clone(), net.layer.weight.detach().clone()[0]
        offset = float(net.layer.bias.detach())
    after = descend(Adagrad(), [[1, 1]]).table.weight.detach()
    slope = 2 * 2 * (weight[1] @ layer + offset) * layer
    naive = weight[1] - 0.1 * slope / (slope.square().mean().sqrt() + 1e-8)
    torch.testing.assert_close(after[1], naive)


def test_optimiser_state_comes_back() -> None:
    for settings in (SGD(momentum=0.9), AdamW(), Adagrad(), LazyAdam()):
        with torch.random.fork_rng():
            one = Little()
            steps = stepper(settings, one)
            rows = [torch.tensor([0, 2]), torch.tensor([2, 3]), torch.tensor([0, 0])]

            def go(net: Little, by: object, some: torch.Tensor) -> None:
                net.zero_grad()
                net(some).square().sum().backward()
                by.step(0.1, 0.8)  # type: ignore[attr-defined]

            go(one, steps, rows[0])
            go(one, steps, rows[1])
            two = Little()
            two.load_state_dict(one.state_dict())
            again = stepper(settings, two)
            again.restore({name: t.clone() for name, t in steps.state().items()})
            go(one, steps, rows[2])
            go(two, again, rows[2])
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.equal(a, b)


def test_one_cycle_is_two_arcs() -> None:
    cycle = OneCycle(rise=0.25, start=25, end=1e5)
    assert rate(cycle, 0, 8) == pytest.approx(1 / 25)
    assert rate(cycle, 1, 8) == pytest.approx((1 / 25 + 1) / 2)
    assert rate(cycle, 2, 8) == pytest.approx(1)
    assert rate(cycle, 5, 8) == pytest.approx(0.5, abs=1e-4)
    assert rate(cycle, 8, 8) == pytest.approx(1e-5)
    assert [momentum(cycle, e, 8) for e in (0, 2, 8)] == pytest.approx([0.95, 0.85, 0.95])
    assert momentum(OneCycle(momentum=None), 1, 8) is None and momentum(Constant(), 1, 8) is None


def test_other_schedules() -> None:
    assert [rate(Step(every=2, factor=0.1), e, 9) for e in (0, 1.9, 2, 4.5)] == pytest.approx([1, 1, 0.1, 0.01])
    cosine = CosineRestarts(period=2, growth=2, floor=0.1)
    assert [rate(cosine, e, 9) for e in (0, 1, 2, 4, 6)] == pytest.approx([1, 0.55, 1, 0.55, 1])
    assert rate(CosineRestarts(period=2), 1.999, 9) == pytest.approx(0, abs=1e-5)
    assert [rate(Constant(warmup=2), e, 9) for e in (0, 1, 2, 5)] == pytest.approx([0, 0.5, 1, 1])


def rows(n: int = 103) -> Interactions:
    generator = np.random.default_rng(0)
    users, items = generator.integers(0, 9, n).astype(np.int32), (generator.random(n) ** 3 * 7).astype(np.int32)
    return Interactions(users, items, 9, 7, np.arange(n, dtype=np.float32), weights=np.ones(n, np.float32), context={"day": users})


@pytest.mark.parametrize("grouped", [None, "user", "item"])
def test_an_epoch_gives_each_row_once(grouped: str | None) -> None:
    data = rows()
    batches = Batches(rows_of(data, CPU), 20, None, grouped)
    generator = torch.Generator().manual_seed(0)
    first, second = list(batches.epoch(generator)), list(batches.epoch(generator))
    taken = torch.cat([b.target for b in first]).long()
    assert sorted(taken.tolist()) == list(range(103))
    for batch in first:
        at = batch.target.long().numpy()
        assert (batch.users.numpy() == data.users[at]).all() and (batch.items.numpy() == data.items[at]).all()
        assert (batch.context["day"].numpy() == data.users[at]).all()
    assert taken.tolist() != torch.cat([b.target for b in second]).long().tolist()
    if grouped:
        sides = [set((b.users if grouped == "user" else b.items).tolist()) for b in first]
        assert sum(len(side) for side in sides) == len(set().union(*sides))


def test_balance_draws_rare_items_as_often_as_common_ones() -> None:
    data = rows(20_000)
    batch = next(Batches(rows_of(data, CPU), 20_000, Balance(users=0, items=1), None).epoch(torch.Generator().manual_seed(0)))
    shares = torch.bincount(batch.items, minlength=7) / len(batch)
    assert (shares - 1 / 7).abs().max() < 0.01


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(lr=0),
        lambda: SGD(momentum=1),
        lambda: AdamW(weight_decay=-1),
        lambda: Adam(betas=(0.9, 1.0)),
        lambda: OneCycle(rise=1.0),
        lambda: Step(every=0),
        lambda: CosineRestarts(growth=0.5),
        lambda: Constant(warmup=-1),
        lambda: AdamW(lr=math.nan),
        lambda: Balance(items=-1),
    ],
)
def test_bad_settings_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
