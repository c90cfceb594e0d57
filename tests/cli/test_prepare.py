"""Events on disk from the command line: prepared, fitted, evaluated; and what is refused in one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from likewise.cli.app import app
from likewise.data.synthetic import write_planted_blocks
from likewise.errors import InputError


@pytest.fixture
def events(tmp_path: Path) -> str:
    write_planted_blocks(tmp_path / "events", 20_000, 300, 100, block=7000, threads=1)
    return str(tmp_path / "events" / "*.parquet")


def told(*line: object) -> dict:
    done = CliRunner().invoke(app, [*map(str, line), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_files_to_figures(events: str, tmp_path: Path) -> None:
    prepared, model = tmp_path / "prepared", tmp_path / "model"
    facts = told("prepare", events, "--out", prepared, "--test", 0.2, "--range", "0.5,5")
    assert facts["users"] == "300" and facts["held out"].endswith("by random") and float(facts["seconds"]) >= 0
    fitted = told("fit", prepared, "--valid", prepared, "--out", model, "--set", "solver.epochs=2", "--set", "model.factors=8")
    assert fitted["preset"] == "dot" and 15_500 < fitted["events"] < 16_500
    found = told("evaluate", model, "--test", prepared)
    assert 0.4 < found["figures"]["rmse"]["value"] < 1 and found["n_test"] + fitted["events"] == 20_000
    again = CliRunner().invoke(app, ["prepare", events, "--out", str(prepared), "--test", "0.2", "--range", "0.5,5"])
    assert again.exit_code == 0 and "million a second" not in again.output and "300" in again.output


def test_progress_is_told(events: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["prepare", events, "--out", str(tmp_path / "prepared")])
    assert "encoding: 20,000 of 20,000 rows" in shown.output and "peak memory" in shown.output


def test_nothing_is_held_out(events: str, tmp_path: Path) -> None:
    told("prepare", events, "--out", tmp_path / "prepared")
    for line in (["fit", "prepared", "--valid", "prepared", "--out", "m"], ["fit", "prepared", "--preset", "ease", "--out", "m"]):
        done = CliRunner().invoke(app, [str(tmp_path / word) if word in ("prepared", "m") else word for word in line])
        assert isinstance(done.exception, InputError) and "\n" not in str(done.exception)


def test_folders(events: str, tmp_path: Path) -> None:
    """One of Parquet files is read whole; one of prepared events is no table."""
    folder = Path(events).parent
    assert told("data", folder)["events"] == told("data", events)["events"]
    told("prepare", folder, "--out", tmp_path / "prepared")
    for line in (
        ["data", "prepared"],
        ["bench", "prepared", "--test", "prepared", "--preset", "bias"],
        ["prepare", "prepared", "--out", "x"],
    ):
        done = CliRunner().invoke(app, [str(tmp_path / word) if word in ("prepared", "x") else word for word in line])
        assert isinstance(done.exception, InputError) and "holds prepared events" in str(done.exception)
