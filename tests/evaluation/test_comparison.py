"""Models side by side: references, verdicts, table, JSON, picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

from likewise.errors import InputError
from likewise.evaluation.comparison import Comparison, kind_of, references_of
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.protocol import Protocol
from likewise.models.base import FittedModel
from tests.evaluation.planted import Liker, TableModel, dataset


def compared(baselines=("noise", "counts")) -> Comparison:
    rng = np.random.default_rng(0)
    truth = 3 + rng.normal(size=(40, 15))
    rows = [(u, i, float(np.clip(np.rint(truth[u, i]), 1, 5))) for u in range(40) for i in range(15)]
    order = rng.permutation(len(rows))
    train, test = dataset([rows[n] for n in order[:400]]), dataset([rows[n] for n in order[400:]])
    models: dict[str, FittedModel] = {
        "truth": TableModel(truth),
        "noise": TableModel(3 + 0.1 * rng.normal(size=truth.shape)),
        "counts": Liker(np.tile(truth.mean(0), (40, 1))),
    }
    protocol = Protocol(ks=(3, 10), positive=">=4")
    found = {name: evaluate(model, train, test, protocol, name=name) for name, model in models.items()}
    return Comparison(found, references_of(found, baselines), baselines, {"truth": 1.5}, ("a remark <b>",))


def test_ratings_and_lists_each_have_the_strongest_baseline_as_reference():
    found = compared()
    assert found.references == {"ratings": "noise", "lists": "counts"}
    assert found.differences["truth"]["rmse"].verdict == "better"
    assert found.differences["truth"]["ndcg@10"].verdict == "better"
    assert "rmse" not in found.evaluations["counts"]  # its scores are no ratings
    assert found.differences["counts"] == {}
    assert found.to("truth").differences["noise"]["rmse"].verdict == "worse"
    assert found["rmse"] == found.evaluations["truth"]["rmse"]
    assert references_of(found.evaluations, ()) == {"ratings": "truth", "lists": "truth"}


def test_table_frame_and_json_say_the_same():
    found = compared()
    text = repr(found)
    assert text.startswith("3 models on ") and "noise (baseline)" in text
    assert f"{found['rmse']:.4f} better" in text
    assert "1.50" in text
    assert "tied: the 95 % interval of the difference holds zero" in text
    assert "a remark &lt;b&gt;" in found._repr_html_()
    frame = found.frame
    row = frame.filter((frame["model"] == "truth") & (frame["figure"] == "rmse")).row(0, named=True)
    told = json.loads(found.json)
    assert told["models"]["truth"]["figures"]["rmse"]["value"] == pytest.approx(row["value"])
    assert told["models"]["truth"]["differences"]["rmse"]["verdict"] == row["verdict"] == "better"
    assert row["difference_low"] <= row["difference"] <= row["difference_high"] < 0
    assert row["reference"] == "noise"
    assert told["references"] == {"ratings": "noise", "lists": "counts"}
    assert told["models"]["noise"]["baseline"] is True


def test_the_picture_shows_each_value_and_interval():
    matplotlib = pytest.importorskip("matplotlib")
    assert matplotlib
    found = compared()
    ax = found.plot()
    assert "rmse (less is better)" in ax.get_xlabel()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["truth (better)", "noise (reference)"]
    line, point = ax.lines[:2]
    interval = found.evaluations["truth"].intervals["rmse"]
    assert list(line.get_xdata()) == [interval.low, interval.high]
    assert point.get_xdata()[0] == interval.value
    assert len(found.plot("ndcg@10").lines) == 6
    with pytest.raises(InputError, match="no model has the figure 'nope'"):
        found.plot("nope")


def test_a_reference_must_be_there():
    found = compared()
    with pytest.raises(InputError, match="one of truth, noise, counts; got 'nobody'"):
        found.to("nobody")


def test_kinds():
    assert kind_of("rmse") == kind_of("crps") == "ratings"
    assert kind_of("ndcg@10") == kind_of("auc") == kind_of("sampled_hit@10") == "lists"
    assert Asked().ratings is None
