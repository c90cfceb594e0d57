"""Artifacts of every format version are loaded and answer as when they were saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import likewise as lw
from likewise.artifact.folder import FORMAT
from tests.golden.make import FOLDER, answers, data

GOLDEN = sorted(path.with_suffix("") for path in FOLDER.glob("v*/*.json"))
CLOSE = 2e-4


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_it_answers_as_ever(folder: Path) -> None:
    rec = lw.load(folder)
    told, now = json.loads(folder.with_suffix(".json").read_text(encoding="utf-8")), answers(rec)
    assert now["predictions"] == pytest.approx(told["predictions"], abs=CLOSE)
    assert now["unknown"] == pytest.approx(told["unknown"], abs=CLOSE)
    for (rows, scores), (rows_now, scores_now) in zip(
        [*told["lists"].values(), told["visitor"]], [*now["lists"].values(), now["visitor"]], strict=True
    ):
        assert rows_now == rows
        assert scores_now == pytest.approx(scores, abs=CLOSE)
    assert rec.data.fingerprint == data().fingerprint
    assert rec.data.titles is not None and rec.data.has_times


def test_it_can_still_learn_and_be_saved(tmp_path: Path) -> None:
    for folder in GOLDEN:
        rec = lw.load(folder)
        rec.update({"user_id": [0, 99], "item_id": [1, 2], "rating": [4.0, 3.0]}).save(tmp_path / folder.name)
        assert len(lw.load(tmp_path / folder.name).data) >= len(rec.data) + 1


def test_every_version_has_one_and_it_is_small() -> None:
    assert {folder.parent.name for folder in GOLDEN} == {f"v{n}" for n in range(1, FORMAT + 1)}
    for version in range(1, FORMAT + 1):
        assert sum(path.stat().st_size for path in (FOLDER / f"v{version}").rglob("*") if path.is_file()) < 50_000
