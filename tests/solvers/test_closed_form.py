"""The closed-form solver: asks the settings, times itself, refuses what has none."""

import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.bias import Bias
from likewise.solvers.base import Run
from likewise.solvers.clock import CompileClock
from likewise.solvers.closed_form import ClosedForm


class Sampled(Model):
    name = "sampled"
    solvers = frozenset({"gibbs"})


DATA = Dataset.of(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": [1.0, 2.0]}))


def test_fits_and_times():
    fit = ClosedForm().fit(Bias(), DATA, Run())
    assert fit.model.n_users == 2
    assert fit.seconds > 0
    assert fit.compile_seconds >= 0


def test_refuses_a_model_it_cannot_fit_and_no_data():
    with pytest.raises(InputError, match="Sampled cannot be fitted by ClosedForm; it takes one of: gibbs"):
        ClosedForm().fit(Sampled(), DATA, Run())
    with pytest.raises(InputError, match="no events"):
        ClosedForm().fit(Bias(), Dataset.of(DATA.frame().head(0)), Run())


def test_the_clock_tells_compilation_apart():
    from numba import njit

    with CompileClock() as clock:
        njit(lambda x: x + 1)(1)
    assert clock.compile_seconds > 0
    with CompileClock() as idle:
        pass
    assert idle.compile_seconds == 0
