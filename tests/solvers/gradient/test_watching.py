"""Watching a fit: the live table, several callbacks at once, the rate finder."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from likewise.errors import InputError, MissingExtraError
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import callbacks
from likewise.solvers.gradient.lr_finder import find_rate
from tests.solvers.gradient.test_loop import QUICK, TRAIN, VALID


def test_a_live_table_shows_epochs_and_predictions_beside_truths(capsys: Any) -> None:
    with callbacks.LiveTable({n: f"Film {n}" for n in range(40)}) as table:
        replace(QUICK, epochs=3).fit(Dot(2), TRAIN, Run(valid=VALID, watch=table))
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=160).print(table._table())
    assert len(table.lines) == 3 and "Film" in out.getvalue() and "predicted" in out.getvalue()
    assert all(len(event["examples"]) == 9 for event in table.lines)


def test_several_callbacks_are_all_called_and_any_may_stop() -> None:
    calls: list[str] = []
    first = lambda event: bool(calls.append("a")) or event["epoch"] == 2  # noqa: E731
    second = lambda event: calls.append("b")  # noqa: E731
    fit = QUICK.fit(Dot(2), TRAIN, Run(watch=callbacks.together(first, second)))
    assert len(fit.history) == 2 and calls == ["a", "b", "a", "b"]


@pytest.mark.parametrize(("name", "module"), [("TensorBoard", "torch.utils.tensorboard"), ("MLflow", "mlflow")])
def test_trackers_name_their_extra(name: str, module: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="likewise"):
        getattr(callbacks, name)(*(["runs"] if name == "TensorBoard" else []))


def test_mlflow_gets_each_figure_at_its_epoch(monkeypatch: Any) -> None:
    logged: list[Any] = []
    fake = type("M", (), {"log_metrics": staticmethod(lambda values, step: logged.append((step, values)))})
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    replace(QUICK, epochs=2).fit(Dot(2), TRAIN, Run(watch=callbacks.MLflow()))
    assert [step for step, _ in logged] == [1, 2] and logged[0][1]["loss"] > 0


def test_the_rate_finder_suggests_a_rate_that_learns() -> None:
    curve = find_rate(Dot(4), TRAIN, QUICK, Run(seed=1))
    assert (np.diff(curve.rates) > 0).all() and curve.losses[-1] > curve.losses.min()
    assert 1e-4 < curve.suggestion < 1
    axis = curve.plot()
    assert axis.get_xscale() == "log" and "suggestion" in repr(curve)
    fit = replace(QUICK, optimizer=replace(QUICK.optimizer, lr=curve.suggestion)).fit(Dot(4), TRAIN, Run())
    assert fit.history[-1]["loss"] < 0.3 * fit.history[0]["loss"]
    with pytest.raises(InputError, match="low < high"):
        find_rate(Dot(4), TRAIN, QUICK, low=1, high=0.1)
    with pytest.raises(InputError, match="at least 10"):
        find_rate(Dot(4), TRAIN, QUICK, steps=3)
