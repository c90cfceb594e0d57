"""What is refused before anything is trained; none of it needs TorchRec."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
import torch

from likewise.data.dataset import Dataset
from likewise.errors import InputError, LikewiseError
from likewise.models.base import Model
from likewise.models.dot import Dot
from likewise.models.networks.base import network_of
from likewise.models.networks.mlp import MLP
from likewise.models.networks.svdpp import SVDpp
from likewise.solvers.base import Ranks, Run
from likewise.solvers.gradient import SGD, Adagrad, AdamW, Averaging, EarlyStopping, Gradient, LazyAdam, Loss, Penalty
from likewise.solvers.sharded import limits, versions
from likewise.solvers.sharded.ranks import Rank

DATA = Dataset.of(pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [1, 2, 2, 3], "rating": [1.0, 2.0, 3.0, 4.0]}))
TESTED = {"torch": "2.13.0+cpu", "torchrec": "1.8.0", "fbgemm-gpu-cpu": "1.8.0"}


def check(model: Model | None = None, size: int = 2, run: Run | None = None, **solver: Any) -> None:
    model, rank = model or Dot(), Rank(0, size, torch.device("cpu"))
    limits.check(model, network_of(model), DATA, run or Run(), Gradient(**{"optimizer": Adagrad(), **solver}), rank)


def test_what_fits_is_let_through() -> None:
    check()
    check(optimizer=SGD(), penalty=Penalty(l2=0.1))


@pytest.mark.parametrize(
    ("solver", "said"),
    [
        ({"optimizer": AdamW()}, "takes optimizer 'adagrad', 'sgd'"),
        ({"optimizer": LazyAdam()}, "fused on GPUs alone"),
        ({"optimizer": SGD(momentum=0.9)}, "without momentum"),
        ({"loss": Loss("softmax")}, "'sampled-softmax' is near"),
        ({"stopping": EarlyStopping()}, "no stopping"),
        ({"averaging": Averaging(seeds=2)}, "no averaging"),
        ({"penalty": Penalty(clip=1.0)}, "no penalty.clip"),
    ],
)
def test_settings_that_need_all_rows_in_one_place_are_refused(solver: Mapping[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(**solver)


@pytest.mark.parametrize(
    ("model", "run", "said"),
    [(SVDpp(), Run(), "reads whole histories"), (MLP(freeze=("users",)), Run(), "no freeze"), (Dot(), Run(compile=True), "no compile")],
)
def test_models_and_options_that_cannot_be_had_are_refused(model: Model, run: Run, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(model, run=run)


def test_more_ranks_than_rows_are_refused() -> None:
    with pytest.raises(InputError, match="4 ranks are more than the 3 users"):
        check(size=4)


def test_ranks_refuse_what_they_cannot_be() -> None:
    with pytest.raises(InputError, match="'row-wise' or 'planner'"):
        Ranks(plan="columns")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1 step"):
        Ranks(checkpoint_every=0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"torchrec": None}, "torchrec is missing"),
        ({"fbgemm-gpu-cpu": "1.9.0"}, "fbgemm 1.9.0"),
        ({"torch": "2.14.0"}, "torch 2.14.0"),
    ],
)
def test_versions_that_do_not_fit_are_told_in_a_line(changed: dict[str, str | None], said: str) -> None:
    with pytest.raises(LikewiseError, match=said) as raised:
        versions.check({**TESTED, **changed}.get)
    assert "make install-torchrec" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_versions_that_fit_are_let_through() -> None:
    versions.check(TESTED.get)


def test_the_base_package_does_not_import_torchrec() -> None:
    code = "import sys, likewise as lw, likewise.solvers.gradient.loop; lw.Gradient(engine='torchrec'); print('torchrec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_shares_of_rows_cover_them_all() -> None:
    for rows, size in ((10, 4), (5, 4), (4, 4), (9, 2)):
        parts = [Rank(number, size, torch.device("cpu")).part(rows) for number in range(size)]
        assert [row for low, high in parts for row in range(low, high)] == list(range(rows))
