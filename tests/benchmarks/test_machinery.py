"""The benchmark runner and the board of the bars: what they count, and that they notice failures."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.bars import _bars
from benchmarks.bars._bars import Board, Line, run
from benchmarks.contenders import PEOPLE, as_array, contender, list_figures, of_lists, of_ratings, rating_errors
from benchmarks.measure import measured
from benchmarks.run import COSTS, summary, table
from benchmarks.side_by_side import rows
from benchmarks.suites import NoDataError, data_home, suites
from benchmarks.tables import bars_table

ROOT = Path(__file__).parents[2]


def test_costs_are_of_the_process_and_seen_from_outside():
    done = measured([sys.executable, "-c", "x = bytearray(200 << 20); print('{\"a\": 1}')"])
    assert done.problem is None
    assert done.json() == {"a": 1}
    assert done.peak_mb > 200
    assert 0 < done.cpu_seconds < 30
    assert measured([sys.executable, "-c", "pass"]).peak_mb < 60


def test_a_failing_process_is_told_with_its_last_lines():
    done = measured([sys.executable, "-c", "raise SystemExit('no such thing')"])
    assert done.problem == "no such thing"
    assert "no/such/program" in str(measured(["no/such/program"]).problem)
    slow = measured([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5)
    assert slow.problem
    assert slow.wall_seconds < 20


def test_threads_are_limited_in_the_child_alone():
    done = measured([sys.executable, "-c", "import os; print(os.environ['NUMBA_NUM_THREADS'])"], threads=1)
    assert done.output.strip() == "1"
    assert os.environ.get("NUMBA_NUM_THREADS") != "unlimited"


def test_a_board_judges_each_kind_of_bar(capsys):
    board = Board()
    board.at_most("small", lambda: 0.9, 0.925)
    board.at_least("large", 0.8e6, 0.7e6)
    board.near("near", 0.4430, 0.4426, 0.003)
    board.true("so", lambda: False)
    board.at_most("broken", lambda: {}["rmse"], 1.0)  # type: ignore[index]
    assert [line.holds for line in board.lines] == [True, True, True, False, False]
    assert str(Line("dot", 0.9191, "<= 0.925", True)) == "dot | 0.9191 | <= 0.925 | yes"
    assert "large | 800,000 | >= 700000 | yes" in capsys.readouterr().out


def test_under_control_accuracy_bars_must_fail_and_others_are_left_out(monkeypatch):
    asked = []

    def fake(command, threads=None):
        asked.append([str(word) for word in command])
        return _bars.Measured('{"rmse": 0.95}', None, 1.0, 1.0, 100.0)

    monkeypatch.setattr(_bars, "measured", fake)
    board = Board(control=True, seeds=(0, 1, 2))
    train, test = Path("a"), Path("b")
    board.at_most("dot", lambda: board.median(train, test, "dot", "rmse", "--rank", "--set", "solver.epochs=20"), 0.925, accuracy=True)
    board.at_most("lax", lambda: board.median(train, test, "dot", "rmse"), 0.96, accuracy=True)
    board.at_most("seconds", lambda: 1 / 0, 3.0)
    assert [(line.name, line.holds) for line in board.lines] == [("dot", True), ("lax", False)]
    assert all("bias" in command and "solver.epochs=20" not in command for command in asked)
    assert all("--rank" in command for command in asked[:3])
    assert len(asked) == 6  # three seeds with and without --rank


def test_records_are_measured_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        _bars, "measured", lambda command, threads=None: calls.append(1) or _bars.Measured('{"rmse": 1, "mae": 2}', None, 3.0, 1.0, 50.0)
    )
    board = Board(seeds=(0,))
    assert board.median(Path("a"), Path("b"), "dot", "rmse") == 1
    assert board.record(Path("a"), Path("b"), "dot")["outside_mb"] == 50
    assert len(calls) == 1


def test_a_file_of_bars_leaves_with_one_if_any_fails():
    with pytest.raises(SystemExit) as left:
        run("x", lambda board: board.at_most("a", 2.0, 1.0), [])
    assert left.value.code == 1
    with pytest.raises(SystemExit) as left:
        run("x", lambda board: board.at_most("a", 2.0, 1.0), ["--only", "b"])
    assert left.value.code == 0


def test_data_must_be_named(monkeypatch):
    monkeypatch.delenv("LIKEWISE_DATA", raising=False)
    with pytest.raises(NoDataError, match="LIKEWISE_DATA"):
        data_home()


def test_peers_lists_are_judged_as_ours():
    train = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 20, 10]})
    test = pl.DataFrame({"user_id": [1, 2, 2], "item_id": [30, 20, 40]})
    lists = np.full((2, 100), -1)
    lists[0, :2], lists[1, :2] = [40, 30], [20, 30]
    found = list_figures(train, test, lists)
    first, ideal = 1 / np.log2(3), 1 + 1 / np.log2(3)
    assert found["ndcg@10"] == pytest.approx((first + 1 / ideal) / 2)
    assert found["recall@20"] == pytest.approx((1 + 0.5) / 2)
    assert of_lists(train, test, lists).value == pytest.approx(found["ndcg@10"])
    frame = pl.DataFrame({"user_id": [2, 1, 1, 2], "item_id": [30, 30, 40, 20], "rank": [2, 2, 1, 1]})
    assert np.array_equal(as_array(frame), lists)
    lists[0, 0] = 10
    with pytest.raises(ValueError, match="user 1 repeats an item or holds one of its training history"):
        list_figures(train, test, lists)


def test_peers_ratings_are_clipped_to_trains_range():
    train, test = pl.DataFrame({"rating": [1.0, 5.0]}), pl.DataFrame({"rating": [5.0, 1.0]})
    assert rating_errors(train, test, np.array([9.0, 3.0])) == {"rmse": pytest.approx(np.sqrt(2)), "mae": 1.0}


def test_ratios_are_of_the_same_repeat():
    who = [contender("dot", "preset"), contender("surprise:svd", "peer"), contender("fastai:dot", "peer")]
    costs = {"answer_seconds": 1.0, "wall_seconds": 1.0, "fit_seconds": 1.0, "peak_mb": 100.0, "rmse": 0.9, "mae": 0.7, "version": "1"}
    runs = {
        "likewise dot": [{**costs, "cpu_seconds": s} for s in (1.0, 4.0, 2.0)],
        "surprise svd": [{**costs, "cpu_seconds": s} for s in (3.0, 8.0, 8.0)],
        "fastai dot": [{"problem": "line\nnot installed yet"}],
    }
    told = summary(who, runs)
    assert told[1]["ratios"]["cpu_seconds"] == {"median": 3.0, "least": 2.0, "greatest": 4.0}
    assert told[1]["median"]["cpu_seconds"] == 8.0
    assert told[2]["problem"].endswith("not installed yet")
    text = table({"suite": "s", "task": "rating", "repeats": 3, "threads": 1, "contenders": told})
    assert "| surprise svd | 1 | 0.9000 | 0.7000 | 8.0 | 100 | 3.00 (2.00 to 4.00) |" in text
    assert "failed: not installed yet" in text


def test_every_suite_names_adapters_that_exist_and_pin_their_versions():
    folder = ROOT / "benchmarks" / "peers"
    for suite in suites().values():
        assert suite.task in ("rating", "list")
        assert bool(suite.sample) != bool(suite.train and suite.test)
        for peer in suite.peers:
            package, _, model = peer.partition(":")
            assert f'"{model}"' in (folder / f"{package}.py").read_text()
            assert all("==" in line for line in (folder / f"{package}.txt").read_text().split())


def test_every_file_of_bars_has_a_face():
    for path in (ROOT / "benchmarks" / "bars").glob("[!_]*.py"):
        text = path.read_text()
        assert "def bars(board: Board) -> None:" in text, path.name
        assert f'run("{path.stem}", bars)' in text, path.name


def test_under_control_likes_are_given_to_popularity(monkeypatch):
    def fake(command, threads=None):
        refused = "bias" in [str(word) for word in command]
        return _bars.Measured(
            '{"ndcg@10": 0.2}', "error: this model needs ratings and the data has none" if refused else None, 1.0, 1.0, 1.0
        )

    monkeypatch.setattr(_bars, "measured", fake)
    board = Board(control=True, seeds=(0,))
    board.at_least("ease", lambda: board.median(Path("a"), Path("b"), "ease", "ndcg@10"), 0.4, accuracy=True)
    assert [(line.holds, line.value) for line in board.lines] == [(True, 0.2)]


def test_differences_are_paired_by_person_and_do_not_reach_the_json():
    test = pl.DataFrame({"user_id": np.repeat(np.arange(40), 5), "rating": np.tile([1.0, 2, 3, 4, 5], 40)})
    rng = np.random.default_rng(0)
    near, far = (test["rating"].to_numpy() + rng.normal(0, spread, 200) for spread in (0.5, 1.0))
    costs = dict.fromkeys(COSTS, 1.0)
    runs = {
        name: [{"rmse": figure.value, "mae": 0.5, **costs, "version": "1", PEOPLE: figure}]
        for name, figure in (("likewise dot", of_ratings(test, near)), ("surprise svd", of_ratings(test, far)))
    }
    ours, theirs = summary([contender("dot", "preset"), contender("surprise:svd", "peer")], runs)
    assert ours["median"]["rmse"] == pytest.approx(np.sqrt(np.mean((near - test["rating"].to_numpy()) ** 2)))
    gap = theirs["first_against_it"]
    assert gap["verdict"] == "better" and gap["low"] < gap["difference"] < gap["high"] < 0 and "first_against_it" not in ours
    json.dumps([ours, theirs])


def test_the_tables_say_what_the_results_say(tmp_path):
    gap = {"difference": -0.012, "low": -0.015, "high": -0.009, "verdict": "better"}
    suite = {
        "contenders": [
            {"name": "likewise dot", "kind": "preset", "median": {"rmse": 0.915}},
            {"name": "slower mf", "kind": "peer", "median": {"rmse": 0.95}, "first_against_it": {}},
            {"name": "cornac mf", "kind": "peer", "median": {"rmse": 0.927}, "ratio_to": "likewise dot", "first_against_it": gap},
            {"name": "broken", "kind": "peer", "problem": "no wheel"},
        ]
    }
    (tmp_path / "ml-100k-u1.json").write_text(json.dumps(suite))
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars/speed.json").write_text(json.dumps({"Cornac's fit against it, times": {"value": 3.77}}))
    accuracy, cost = rows(tmp_path)
    assert accuracy == ["RMSE, MovieLens 100K, split u1", "**dot 0.9150**", "cornac mf 0.9270", "-0.0120 (-0.0150 to -0.0090), better"]
    assert cost[-1] == "3.8 times faster"
    line = {
        "value": 0.5,
        "bound": "<= 1",
        "holds": True,
        "remark": "",
        "when": "2026-01-02T00",
        "machine": {"processor": "P", "cores": 2, "load": 9},
    }
    assert "| a / b | 0.5 | <= 1 | yes |" in bars_table("x", {"a | b": line})
