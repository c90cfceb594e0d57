"""The model card: machines can read its head, people its text, and nothing from outside breaks either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import likewise as lw
from likewise.artifact.card import card, plain
from likewise.artifact.folder import read_manifest, write_folder
from likewise.data.dataset import Dataset
from tests.planted import ratings

EVIL = '---\n# x\n<script>alert(1)</script> | [a](javascript:b) `c` "quoted": {yaml: *anchor} \u202e'


def manifest(**notes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"fingerprint": "f00", "events": 1200, "users": 3, "items": 4, "range": [1.0, 5.0], "span": [0, 86_400 * 400]}
    data |= {"contexts": [], "source": "/home/ann/secret/ratings.csv", "dropped": {"no rating": 2}}
    model = {"name": "dot", "fitted": "dot", "settings": {"factors": 8, "output": "clip"}}
    solver = {"name": "gradient", "settings": {"epochs": 3}}
    return {"likewise": "0.1.0", "created": "2024-05-01T00:00:00+00:00", "model": model, "solver": solver, "data": data, "notes": notes}


def head(text: str) -> dict[str, Any]:
    _, first, _ = text.split("---\n", 2)
    return dict(yaml.safe_load(first))


def test_head_and_text() -> None:
    text = card(manifest(seed=3, fit_seconds=1.5, remarks=["stopped early"], preset="dot"))
    assert head(text) == {"library_name": "likewise", "tags": ["recommender", "collaborative-filtering", "dot"]}
    for line in (
        "| events | 1,200 |",
        "| span | 1970-01-01 to 1971-02-05 |",
        "| dropped | 2 rows: no rating |",
        "| model.factors | 8 |",
    ):
        assert line in text
    assert "seed 3" in text and "stopped early" in text and "Not measured" in text and "lw.load(" in text
    assert "/home/ann" not in text


def test_passwords_of_a_database_stay_out() -> None:
    told = manifest()
    told["data"]["source"] = "postgresql://ann:hunter2@db/shop"
    assert "hunter2" not in card(told)


def test_nothing_from_outside_leaves_its_place() -> None:
    told = manifest(preset=EVIL, remarks=[EVIL])
    told["data"]["source"] = EVIL
    told["data"]["dropped"] = {EVIL: 1}
    told["model"]["name"] = EVIL
    text = card(told)
    assert set(head(text)) == {"library_name", "tags"}
    assert not re.search(r"(?<!\\)(<script>|\]\()", text.split("---\n", 2)[2])
    assert all(line.count(" | ") == 1 for line in text.splitlines() if line.startswith("| dropped"))
    assert plain("a\nb\tc") == "a b c"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = ratings(users=60, items=30, events=900).with_columns(timestamp=pl.int_range(900) * 86_400)
    train, test = lw.split(Dataset.of(frame), by="random", seed=1)
    rec = lw.fit(train, "dot", changes={"model.factors": 4})
    rec.evaluate(test)
    folder = tmp_path_factory.mktemp("card") / "model"
    rec.save(folder)
    return folder


def test_measured_figures_stand_beside_baselines(saved: Path) -> None:
    text = (saved / "README.md").read_text(encoding="utf-8")
    results = head(text)["model-index"][0]["results"][0]
    assert {m["type"] for m in results["metrics"]} >= {"rmse", "ndcg@10"}
    assert results["dataset"]["type"] == read_manifest(saved)["data"]["fingerprint"]
    assert all(f"\n| {name} |" in text for name in ("dot", "bias", "popularity"))
    assert "Where it is weakest" in text and " to " in text


def test_the_parser_of_hugging_face_reads_it(saved: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="not installed")
    read = hub.ModelCard.load(saved / "README.md")
    assert read.data.library_name == "likewise" and read.data.model_name == "dot"
    assert {result.metric_type for result in read.data.eval_results} >= {"rmse", "ndcg@10"}
    assert read.text.lstrip().startswith("# dot")


def test_a_load_and_a_second_save_keep_the_figures(saved: Path, tmp_path: Path) -> None:
    lw.load(saved).save(tmp_path / "again")
    again, once = ((folder / "README.md").read_text(encoding="utf-8") for folder in (tmp_path / "again", saved))
    assert again.splitlines()[:20] == once.splitlines()[:20]


def test_the_page_is_replaced_but_not_somebody_elses(tmp_path: Path) -> None:
    def page(text: str) -> str:
        return f"---\nlibrary_name: likewise\n---\n{text}\n"

    write_folder(tmp_path, {}, {}, page("one"))
    write_folder(tmp_path, {}, {}, page("two"))
    assert "two" in (tmp_path / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text("My notes\n", encoding="utf-8")
    write_folder(tmp_path, {}, {}, page("three"))
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "My notes\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "manifest.json"]
