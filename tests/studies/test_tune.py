"""Searches of settings: on an inner split alone, bounded, resumable, and the result is a preset."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import likewise as lw
from likewise.cli.app import app
from likewise.data.synthetic import planted_ratings
from likewise.errors import InputError, MissingExtraError
from likewise.studies.presets import load_preset, preset_names, read_tables
from likewise.studies.toml import dumps
from likewise.studies.tune import Range, ranges_of, tune
from tests.planted import ratings

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
PRESET = """
[preset]
about = "small"
task = "rating"
[model]
name = "bias"
user_damping = 500.0
[solver]
name = "closed_form"
[tune]
"model.user_damping" = { low = 0.5, high = 50.0, log = true }
"model.item_damping" = { low = 0, high = 20 }
"""
GRADIENT = """
[model]
name = "dot"
factors = 2
[solver]
name = "gradient"
epochs = 4
batch_size = 512
[solver.optimizer]
name = "adamw"
[tune]
"model.output" = { choices = ["clip", "sigmoid"] }
"model.range" = { choices = [[0.5, 5.0], [0.0, 5.5]] }
"solver.optimizer.lr" = { low = 1e-6, high = 0.05, log = true }
"""


@pytest.fixture(scope="module")
def data() -> lw.Dataset:
    return planted_ratings(80, 40, 1_500, bounds=(0.5, 5.0), step=0.5).data


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_three_trials_become_a_preset(data: lw.Dataset, tmp_path: Path) -> None:
    said: list[str] = []
    found = tune(data, written(tmp_path, PRESET), tmp_path / "new" / "tuned.toml", trials=3, said=said.append)
    assert (found.trials, found.figure, len(said)) == (3, "rmse", 3)
    assert found.value <= found.before
    best = load_preset(found.out)
    assert {f"model.{name}": getattr(best.model, name) for name in ("user_damping", "item_damping")} == pytest.approx(found.settings)
    assert isinstance(found.settings["model.item_damping"], int)
    assert best.about.startswith("small; tuned: rmse") and read_tables(found.out)["tune"] == read_tables(tmp_path / "mine.toml")["tune"]


def test_a_search_goes_on_where_it_was(data: lw.Dataset, tmp_path: Path) -> None:
    preset, out, storage = written(tmp_path, PRESET), tmp_path / "out.toml", tmp_path / "study.db"
    said: list[str] = []
    assert tune(data, preset, out, trials=2, storage=storage, said=said.append).trials == 2
    assert tune(data, preset, out, trials=4, storage=storage, said=said.append).trials == 4
    assert len({line.split("  ")[-1] for line in said}) == 4, "nothing is tried twice"
    assert tune(data, preset, out, trials=4, storage=storage, said=said.append).trials == 4 and len(said) == 4
    assert tune(data, preset, out, trials=1, storage=storage, seed=1).trials == 1, "another seed is another study"


def test_choices_gradient_fits_and_pruning(data: lw.Dataset, tmp_path: Path) -> None:
    found = tune(data, written(tmp_path, GRADIENT), tmp_path / "out.toml", trials=9)
    assert found.trials == 9 and found.failed == 0 and found.pruned >= 1
    settings: Any = load_preset(found.out).solver
    assert settings.optimizer.lr == pytest.approx(found.settings.get("solver.optimizer.lr", settings.optimizer.lr))
    assert found.settings.get("model.range", [0.5, 5.0]) in ([0.5, 5.0], [0.0, 5.5])


def test_the_time_is_kept_and_no_trial_is_told(data: lw.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give more seconds"):
        tune(data, written(tmp_path, PRESET), tmp_path / "out.toml", trials=3, seconds=1e-9)
    assert not (tmp_path / "out.toml").exists()


def test_trials_that_cannot_be_fitted_are_counted(data: lw.Dataset, tmp_path: Path) -> None:
    text = PRESET.replace("low = 0, high = 20", "choices = [-1.0, 3.0]")
    found = tune(data, written(tmp_path, text), tmp_path / "out.toml", trials=6)
    assert found.failed >= 1 and found.settings.get("model.item_damping", 3.0) == 3.0


def test_lists_are_tuned_by_lists(tmp_path: Path) -> None:
    data = lw.read(ratings(users=60, items=30, events=900).drop("rating"), rating=False)
    text = PRESET.replace('"rating"', '"list"').replace('"bias"\nuser_damping = 500.0', '"ease"')
    text = text[: text.index("[tune]")] + '[tune]\n"model.l2" = { low = 1.0, high = 500.0, log = true }\n'
    found = tune(data, written(tmp_path, text), tmp_path / "out.toml", trials=3)
    assert found.figure == "ndcg@10" and found.value >= found.before


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('"model.user_damping" = { low = 5.0, high = 5.0 }', "low < high"),
        ('"model.user_damping" = { low = 0.0, high = 5.0, log = true }', "above 0"),
        ('"model.user_damping" = { low = "a", high = 5.0 }', "must be numbers"),
        ('"model.user_damping" = { low = 1.0 }', "low < high"),
        ('"model.user_damping" = { low = 1.0, high = 2.0, choices = [1.0] }', "either choices"),
        ('"model.user_damping" = { least = 1.0 }', "a table of low, high"),
        ('"user_damping" = { low = 1.0, high = 2.0 }', "starts with 'model.' or 'solver.'"),
        ("", "declares no ranges"),
    ],
)
def test_ranges_that_are_none(data: lw.Dataset, tmp_path: Path, line: str, says: str) -> None:
    preset = written(tmp_path, PRESET[: PRESET.index("[tune]")] + f"[tune]\n{line}\n")
    with pytest.raises(InputError, match=says):
        tune(data, preset, tmp_path / "out.toml", trials=1)


@pytest.mark.parametrize(
    ("options", "says"), [({"trials": 0}, "at least 1"), ({"seconds": 0.0}, "positive"), ({"out": "out.json"}, r"end in \.toml")]
)
def test_other_refusals(data: lw.Dataset, tmp_path: Path, options: dict[str, Any], says: str) -> None:
    out = options.pop("out", tmp_path / "out.toml")
    with pytest.raises(InputError, match=says):
        tune(data, written(tmp_path, PRESET), out, **options)


def test_the_extra_is_named(data: lw.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"likewise\[tune\]"):
        tune(data, written(tmp_path, PRESET), tmp_path / "out.toml")


@pytest.mark.parametrize("name", [name for name in preset_names() if "tune" in read_tables(name)])
def test_declared_ranges_are_of_settings_that_exist(name: str) -> None:
    for one in ranges_of(read_tables(name), name):
        ends = one.choices or (one.low, one.high)
        for value in ends:
            load_preset(name, {one.name: value})


@pytest.mark.parametrize("name", preset_names())
def test_presets_survive_being_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "again.toml"
    path.write_text(dumps(read_tables(name)), encoding="utf-8")
    assert read_tables(path) == read_tables(name)


def test_range_of_one_choice() -> None:
    assert Range("model.output", choices=("clip",)).read('"clip"') == "clip"


def test_the_command(tmp_path: Path) -> None:
    ratings().write_csv(tmp_path / "r.csv")
    preset = written(tmp_path, PRESET)
    asked = ["tune", str(tmp_path / "r.csv"), "--preset", str(preset), "--trials", "2", "--out", str(tmp_path / "o.toml"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["trials"] == 2 and told["value"] <= told["before"] and load_preset(tmp_path / "o.toml").model.name == "bias"
