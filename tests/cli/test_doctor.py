"""What `likewise doctor` says of the machine it runs on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from likewise.cli import doctor
from likewise.cli.app import app


def test_json_tells_everything() -> None:
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert set(told) == {"environment", "packages", "numba_cache", "gpu", "extras"}
    assert told["environment"]["threads"] >= 1 and told["packages"]["numpy"]
    assert told["numba_cache"]["writable"] is True and Path(told["numba_cache"]["path"]).is_dir()
    assert told["gpu"]["name"] or told["gpu"]["why"]


def test_missing_extras_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "onnx" else real(package))
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    assert "missing onnx: pip install 'likewise[export]'" in shown


def test_every_extra_for_users_is_explained() -> None:
    declared = {extra for _, extra in doctor._requirements() if extra is not None}
    assert declared - set(doctor.EXTRAS) == {"dev", "docs"}


def test_a_cache_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    told = doctor.numba_cache()
    assert not told["writable"] and "NUMBA_CACHE_DIR" in told["advice"]
