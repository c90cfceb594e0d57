"""Training over ranks beside training on one process, checkpoints between different numbers of ranks, and a rank that is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Ran = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def saved(ran: Ran) -> dict[str, Any]:
    """Return what a fit on two ranks found, which left a checkpoint at every third step."""
    return ran("save", 2)


@pytest.mark.parametrize(
    ("ranks", "cases"), [(2, ("dot", "dot-sgd", "one-cycle", "mlp", "two-tower", "dlrm", "ordinal")), (3, ("dot", "mlp"))]
)
def test_losses_and_models_are_those_of_one_process(ran: Ran, ranks: int, cases: tuple[str, ...]) -> None:
    for name, found in ran("parity", ranks, *cases).items():
        assert found["steps"] == 22, name  # 4,001 events in batches of 400: the last has one, so a rank has none
        assert found["losses"] < 1e-5, name
        assert found["arrays"] < 1e-3, name
        assert found["same names"], name


def test_merged_lists_are_those_of_one_process(ran: Ran) -> None:
    found = ran("lists", 2)
    assert found["same"]
    assert found["counts"]
    assert found["apart"] < 1e-5
    assert found["learned"]
    assert 0 <= found["ndcg"] <= 1


def test_events_may_stay_on_disk(ran: Ran) -> None:
    found = ran("shards", 2)
    assert found["files"] > 5
    assert found["losses"] < 1e-5
    assert found["arrays"] < 1e-3
    assert 0 < found["rest"] < found["steps"] / 2  # it went on in the middle of the second epoch
    assert found["again"] < 1e-6
    assert 0.3 < found["watched"] < 2


def test_a_checkpoint_of_two_ranks_is_read_by_four_and_by_one(ran: Ran, saved: dict[str, Any]) -> None:
    assert saved["steps"] == 22
    for ranks in (4, 1):
        again = ran("resume", ranks)
        assert again["steps"] == 0
        assert "going on from step 22" in again["stderr"]
        np.testing.assert_allclose(again["scores"], saved["scores"], atol=1e-6)
    _damage(saved["folder"] / "checkpoints")
    before = ran("resume", 2)
    assert "is not whole" in before["stderr"]
    assert 0 < before["steps"] <= 3  # back by one interval at most
    np.testing.assert_allclose(before["scores"], saved["scores"], atol=1e-5)


def _damage(folder: Path) -> None:
    newest = sorted(folder.glob("step-*"))[-1]
    part = next(newest.glob("*.distcp"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1  # as long as before
    part.write_bytes(content)


def test_a_killed_rank_costs_one_interval_at_most(ran: Ran, saved: dict[str, Any]) -> None:
    found = ran("killed", 2, restarts=1)
    assert found["life"] == 1
    assert found["steps"] <= 22 - 13 + 3 + 3  # the thirteen done, less the interval, less the one being written
    np.testing.assert_allclose(found["scores"], saved["scores"], atol=1e-6)
