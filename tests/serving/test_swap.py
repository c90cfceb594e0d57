"""A new model in the folder is taken over while answers go on; a damaged one is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from fastapi.testclient import TestClient

import likewise as lw


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def version(client: TestClient) -> str:
    return str(client.get("/health/ready").json()["model"])


def test_a_new_model_is_taken_over(client: TestClient, model: Path, saved_models: Path) -> None:
    first = version(client)
    number = client.get("/model").json()["generation"]
    lw.load(saved_models / "other").save(model)
    assert until(lambda: version(client) != first)
    assert until(lambda: (client.get("/model").json()["generation"] or 0) > number)
    expected = [str(raw) for raw in lw.load(model).recommend([5], k=5)["item_id"]]
    assert [item["item_id"] for item in client.get("/users/5/recommendations?n=5").json()["items"]] == expected
    assert "likewise_model_swaps_total 1.0" in client.get("/metrics").text


def test_a_damaged_model_is_not_taken(client: TestClient, model: Path) -> None:
    first = version(client)
    (model / "manifest.json").write_text("{}")
    time.sleep(1.2)
    assert version(client) == first and client.get("/users/1/recommendations").status_code == 200


def test_a_model_damaged_before_the_start_makes_it_unready(service: Callable[..., TestClient], model: Path) -> None:
    file = next(model.glob("items-*.parquet"))
    content = bytearray(file.read_bytes())
    content[-20] ^= 1  # in the file's own notes: it can still be read
    file.write_bytes(bytes(content))
    try:
        client = service()
    except lw.ArtifactError:
        return
    assert until(lambda: client.get("/health/ready").status_code == 503)
    assert "items" not in client.get("/health/ready").text
