"""What every test may use. Tests pass without the data folder; those that need it say why they were skipped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")
settings.register_profile("likewise", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("likewise")


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Return the folder of real data sets that `LIKEWISE_DATA` names, with `ml-100k/`, `ml-1m/`, `splits/` ... in it."""
    named = os.environ.get("LIKEWISE_DATA")
    if not named:
        pytest.skip("LIKEWISE_DATA is not set: it names the folder with the real data sets")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.skip(f"LIKEWISE_DATA names no folder: {named}")
    return folder


@pytest.fixture
def polars_answers(monkeypatch):
    """Answers come as Polars frames, though an earlier test may have imported pandas."""
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
