"""What the service answers: one shape, the library's own numbers, feedback folded in at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import likewise as lw

Start = Callable[..., TestClient]


def get(client: TestClient, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(client: TestClient, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_lists_are_the_librarys(client: TestClient, model: Path) -> None:
    rec = lw.load(model)
    for user in (1, 2, 17):
        expected = rec.recommend([user], k=7)
        answer = get(client, f"/users/{user}/recommendations", n=7)
        assert ids(answer) == [str(raw) for raw in expected["item_id"]]
        assert np.allclose([item["score"] for item in answer["items"]], expected["score"], atol=1e-4)
        assert [item["rank"] for item in answer["items"]] == list(range(1, 8))
        assert answer["user"] == {"id": str(user), "status": "known", "history": answer["user"]["history"], "feedback": 0, "unknown": []}
        assert answer["items"][0]["title"].startswith(("Film", "Heat"))


def test_every_list_has_one_shape(client: TestClient) -> None:
    answers = [
        get(client, "/users/1/recommendations"),
        get(client, "/users/1"),
        get(client, "/items", query="film"),
        get(client, "/items/101/similar"),
        post(client, "/recommendations", {"ratings": {"101": 5}}),
        post(client, "/scores", {"user_id": "1", "items": ["101", "nothing"]}),
        post(client, "/questions", {"ratings": {"101": 5}}),
    ]
    for answer in answers:
        assert set(answer) == {"items", "user", "model", "request_id"}
        assert {"rank", "item_id", "title", "about", "score", "source"} <= set(answer["items"][0])
    assert answers[5]["items"][1]["source"] == "cold"


def test_conditions_knobs_and_reasons(client: TestClient) -> None:
    answer = get(client, "/users/1/recommendations", n=5, where="genres has 'Western' and year < 2010", explain="true", diversity=0.4)
    for item in answer["items"]:
        assert "Western" in item["about"]["genres"] and item["about"]["year"] < 2010
        reasons = item["reasons"]
        assert sum(part["contribution"] for part in reasons["parts"]) == pytest.approx(reasons["score"], abs=1e-4)
        assert reasons["response"] == pytest.approx(item["score"], abs=1e-3)
    assert ids(get(client, "/users/1/recommendations", novelty=1)) != ids(get(client, "/users/1/recommendations"))


def test_visitor_is_the_librarys(client: TestClient, model: Path) -> None:
    said = {"100": 5.0, "102": 4.0, "101": 1.0}
    expected = lw.load(model).visitor({int(k): v for k, v in said.items()}).recommend(6)
    answer = post(client, "/recommendations", {"ratings": said, "n": 6})
    assert ids(answer) == [str(raw) for raw in expected["item_id"]]
    assert answer["user"]["status"] == "folded"
    unknown = post(client, "/recommendations", {"ratings": {"100": 5, "no such item": 1}})
    assert unknown["user"]["unknown"] == ["no such item"]


def test_stranger_gets_what_is_popular(client: TestClient, model: Path) -> None:
    answer = get(client, "/users/nobody/recommendations", n=5)
    assert answer["user"]["status"] == "cold" and {item["source"] for item in answer["items"]} == {"cold"}
    assert ids(answer) == [str(raw) for raw in lw.load(model).recommend([-5], k=5)["item_id"]]
    assert client.get("/users/nobody").status_code == 404


def test_feedback_changes_the_next_list_of_another_worker(service: Start) -> None:
    """Two applications over one database stand for two workers."""
    one, two = service(), service()
    before = get(two, "/users/2/recommendations", n=8)
    liked = before["items"][0]["item_id"]
    kept = post(
        one, "/feedback", {"events": [{"user_id": "2", "item_id": liked, "kind": "rate", "rating": 1, "answers": before["request_id"]}]}
    )
    assert (kept["accepted"], kept["repeated"]) == (1, 0)
    for client in (one, two):
        after = get(client, "/users/2/recommendations", n=8)
        assert after["user"]["status"] == "folded" and after["user"]["feedback"] == 1
        assert liked not in ids(after)
        assert [item["score"] for item in after["items"]] != [item["score"] for item in before["items"]]
    assert one.delete("/users/2/feedback").json()["deleted"] == 1
    assert get(two, "/users/2/recommendations", n=8)["items"] == before["items"]


def test_feedback_of_a_newcomer_makes_them_known(client: TestClient) -> None:
    post(client, "/feedback", {"events": [{"user_id": "new", "item_id": str(n), "kind": "like"} for n in (100, 102, 104)]})
    answer = get(client, "/users/new/recommendations", n=5)
    assert answer["user"]["status"] == "folded" and answer["user"]["history"] == 3
    assert all(int(raw) % 2 == 0 for raw in ids(answer))


def test_views_and_unknown_items_are_kept_and_move_nothing(client: TestClient) -> None:
    before = get(client, "/users/3/recommendations")["items"]
    events = [{"user_id": "3", "item_id": "100", "kind": "view"}, {"user_id": "3", "item_id": "no such item", "kind": "like"}]
    post(client, "/feedback", {"events": events})
    assert get(client, "/users/3/recommendations")["items"] == before
    assert len(get(client, "/users/3/feedback")["events"]) == 2


def test_sampled_lists_are_logged_with_their_propensities(service: Start, model: Path) -> None:
    import sqlalchemy as sa

    from likewise.serving.feedback.tables import exposures

    client = service(exposures=True)
    answer = get(client, "/users/1/recommendations", n=4, temperature=0.5)
    plain = get(client, "/users/1/recommendations", n=4)
    client.__exit__(None, None, None)
    client.__enter__()
    with client.app.state.service.feedback.engine.connect() as connection:  # type: ignore[attr-defined]
        rows = {row.request_id: row for row in connection.execute(sa.select(exposures))}
    import json

    drawn = json.loads(rows[answer["request_id"]].shown)
    assert [raw for raw, _ in drawn] == ids(answer) and all(0 < chance <= 1 for _, chance in drawn)
    assert rows[plain["request_id"]].policy == "best" and json.loads(rows[plain["request_id"]].shown)[0][1] is None


def test_search_forgives_typing_errors(client: TestClient) -> None:
    for query in ("heat", "haet of the nigth", "Night", "107"):
        assert "107" in ids(get(client, "/items", query=query)), query
    assert ids(get(client, "/items", query="qqqqqqqqqqqq")) == []
    assert len(get(client, "/items", n=12)["items"]) == 12


def test_item_page_map_and_card(client: TestClient, model: Path) -> None:
    page = get(client, "/items/101")
    assert page["ratings"]["count"] == sum(bar["count"] for bar in page["ratings"]["histogram"])
    assert page["effect"]["low"] <= page["effect"]["value"] <= page["effect"]["high"]
    chart = get(client, "/map", n=20)
    assert len(chart["points"]) == 20 and 0 < chart["explained"][0] <= 1
    evens = post(client, "/map", {"ratings": {str(n): 5 for n in range(100, 112, 2)}})["place"]
    odds = post(client, "/map", {"ratings": {str(n): 5 for n in range(101, 113, 2)}})["place"]
    assert abs(evens["x"] - odds["x"]) > 0.5
    assert post(client, "/map", {})["place"] is None
    card = get(client, "/model")
    assert card["name"] == "dot" and card["range"] == [1.0, 5.0] and "diversity" in card["knobs"]
    assert {one["name"]: one["kind"] for one in card["filters"]} == {"genres": "set", "year": "number"}


def test_models_without_vectors_say_so(service: Start, saved_models: Path) -> None:
    client = service(beside=saved_models / "popularity")
    assert get(client, "/users/1/recommendations", model="beside")["model"]["name"] == "popularity"
    for path in ("/items/101/similar", "/users/1/similar", "/map"):
        answer = client.get(path, params={"model": "beside"})
        assert answer.status_code == 400 and "vectors" in answer.json()["detail"]


def test_metrics_count(client: TestClient) -> None:
    get(client, "/users/1/recommendations")
    post(client, "/feedback", {"events": [{"user_id": "1", "item_id": "100", "kind": "click"}]})
    text = client.get("/metrics").text
    assert 'likewise_request_seconds_count{method="GET",route="/users/{user_id}/recommendations",status="200"} 1.0' in text
    assert 'likewise_answers_total{source="known"} 1.0' in text and 'likewise_feedback_events_total{kind="click"} 1.0' in text
    assert "likewise_feedback_waiting_events 1.0" in text and "likewise_model_info" in text


def test_service_does_not_load_torch(model: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from fastapi.testclient import TestClient;"
        "from likewise.serving.app import make_app; from likewise.serving.settings import Settings;"
        f"c = TestClient(make_app(Settings(model=Path({str(model)!r})))); c.__enter__();"
        "assert c.get('/users/1/recommendations?explain=true').status_code == 200; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
