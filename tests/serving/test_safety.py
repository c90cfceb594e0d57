"""What is refused, and that nothing is told along with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from likewise.errors import InputError
from likewise.serving.security import Key, make_key
from likewise.serving.settings import Limits, Settings, load_settings

Start = Callable[..., TestClient]
NASTY = (
    "../../etc/passwd", "..%2f..%2fetc%2fpasswd",
    "'; DROP TABLE likewise_events; --", "1 OR 1=1", "<script>alert(1)</script>", "\x00", "%00",
    "a" * 5000, "😀" * 300, "${jndi:ldap://x}", "{{7*7}}", "null", "NaN", "-0", "1e999", "\u202e", "C:\\windows",
)  # fmt: skip


def nothing_leaks(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    for secret in ("Traceback", "/src/", "site-packages", "sqlalchemy", "sqlite3", "psycopg", "root:"):
        assert secret not in answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"].startswith("application/problem+json")
        body = answer.json()
        assert {"type", "title", "status", "detail", "request_id"} <= set(body) and body["status"] == answer.status_code
        assert answer.headers["x-request-id"] == body["request_id"]


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_text_anywhere_gets_a_clear_answer(client: TestClient, nasty: str) -> None:
    from urllib.parse import quote

    for path in (
        "/users/{}/recommendations",
        "/users/{}",
        "/users/{}/similar",
        "/users/{}/feedback",
        "/items/{}",
        "/items/{}/similar",
        "/explore/{}",
    ):
        nothing_leaks(client.get(path.format(quote(nasty, safe=""))))
    for name in ("query", "n", "where", "diversity", "model", "explain", "stray"):
        nothing_leaks(client.get("/users/1/recommendations", params={name: nasty}))
        nothing_leaks(client.get("/items", params={name: nasty}))
    bodies: list[Any] = [
        {"ratings": {nasty: 5}}, {"ratings": {"100": nasty}}, {"likes": [nasty]}, {"features": {nasty: nasty}},
        {"where": nasty}, {nasty: 1}, nasty,
    ]  # fmt: skip
    for body in bodies:
        nothing_leaks(client.post("/recommendations", json=body))
    event = {"user_id": nasty, "item_id": nasty, "kind": "like", "key": nasty, "answers": nasty}
    for name in event:
        nothing_leaks(client.post("/feedback", json={"events": [{"user_id": "1", "item_id": "2", "kind": "like", name: nasty}]}))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[" * 100_000, b'{"ratings":' * 5000, b'{"ratings":{"100":NaN}}', b'{"ratings":{"100":1e999}}', b'{"likes":["\xff"]}',
        b'{"likes":["\\ud800"]}', b'{"ratings":{"100":true}}', b'{"n":"10"}', b'{"n":10.5}', b'{"n":0}', b'{"n":' + b"9" * 5000 + b"}",
        b"null", b"[]", b'"x"',
        b'{"ratings":[]}', b'{"ratings":{"100":9}}', b'{"where":"__import__(1)"}', b'{"diversity":-1}', b'{"stray":1}',
    ],
)  # fmt: skip
def test_bad_bodies_get_a_clear_answer(client: TestClient, body: bytes) -> None:
    answer = client.post("/recommendations", content=body, headers={"content-type": "application/json"})
    nothing_leaks(answer)
    assert 400 <= answer.status_code < 500


def test_large_bodies_are_refused_unread(client: TestClient) -> None:
    answer = client.post("/recommendations", content=b"x", headers={"content-type": "application/json", "content-length": str(100_000_000)})
    assert answer.status_code == 413
    nothing_leaks(answer)

    def endless() -> Any:
        for _ in range(40):
            yield b" " * 100_000

    answer = client.post("/recommendations", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_other_media_types_and_methods_are_refused(client: TestClient) -> None:
    assert client.post("/recommendations", content=b"a=1", headers={"content-type": "text/plain"}).status_code == 415
    answer = client.put("/recommendations", json={})
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]


def test_keys_and_scopes(service: Start) -> None:
    keys = {scope: make_key(scope, [scope]) for scope in ("read", "feedback", "admin")}
    client = service(keys=tuple(key for _, key in keys.values()), host="0.0.0.0")
    event = {"events": [{"user_id": "1", "item_id": "100", "kind": "like"}]}
    asked: dict[str, Callable[[dict[str, str]], Any]] = {
        "read": lambda h: client.get("/users/1/recommendations", headers=h),
        "feedback": lambda h: client.post("/feedback", json=event, headers=h),
        "admin": lambda h: client.delete("/users/1/feedback", headers=h),
    }
    for needed, call in asked.items():
        nobody = call({})
        assert nobody.status_code == 401 and nobody.headers["www-authenticate"] == "Bearer"
        assert call({"authorization": "Bearer wrong"}).status_code == 401
        for scope, (secret, _) in keys.items():
            expected = 200 if scope in (needed, "admin") else 403
            assert call({"authorization": f"Bearer {secret}"}).status_code == expected, (needed, scope)
            assert call({"x-api-key": secret}).status_code == expected
    for path in ("/health/live", "/health/ready", "/explore", "/openapi.json"):
        assert client.get(path).status_code == 200
    assert client.get("/metrics").status_code == 401
    assert all(secret not in repr(key) for secret, key in keys.values())


def test_rate_limit_says_how_long_to_wait(service: Start) -> None:
    client = service(limits=Limits(per_minute=3))
    statuses = [client.get("/health/live").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert 1 <= int(client.get("/health/live").headers["retry-after"]) <= 20


def test_slow_answers_and_long_lists_end(service: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    client = service(limits=Limits(answer_seconds=0.2, list_length=20, entries=3))
    assert client.get("/users/1/recommendations?n=21").status_code == 400
    assert client.post("/recommendations", json={"likes": ["100", "101", "102", "103"]}).status_code == 413
    monkeypatch.setattr("likewise.serving.routes.items._item", lambda *_: time.sleep(0.5))
    answer = client.get("/items/100")
    assert answer.status_code == 503 and answer.headers["retry-after"]


def test_faults_tell_nothing_but_their_id(service: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    client = service()

    def fail(*_: Any) -> None:
        raise RuntimeError("secret /path/of/the/server")

    monkeypatch.setattr("likewise.serving.routes.items._item", fail)
    answer = client.get("/items/100")
    assert answer.status_code == 500 and "secret" not in answer.text
    assert any(record.request_id == answer.json()["request_id"] for record in caplog.records if hasattr(record, "request_id"))


def test_headers_keep_browsers_safe(client: TestClient) -> None:
    page, answer = client.get("/explore"), client.get("/model")
    for one in (page, answer):
        assert one.headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in one.headers
        assert "unsafe" not in one.headers["content-security-policy"]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert client.get("/explore/plotly.min.js").status_code == 200
    for name in ("__init__.py", "..%2f__init__.py", "nothing.js"):
        assert client.get(f"/explore/{name}").status_code == 404


def test_origins_are_named(service: Start, model: Path) -> None:
    client = service(origins=("https://shop.example",))
    assert client.get("/model", headers={"origin": "https://shop.example"}).headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in client.get("/model", headers={"origin": "https://other.example"}).headers
    with pytest.raises(InputError, match="one by one"):
        Settings(model=model, origins=("*",))


def test_settings_from_flags_environment_and_toml(tmp_path: Path) -> None:
    toml = tmp_path / "serve.toml"
    _, key = make_key("shop", ["read"])
    toml.write_text(
        'model = "a"\nport = 9000\nworkers = 2\n[limits]\nbody_bytes = 5\n'
        f'[[keys]]\nname = "shop"\nhash = "{key.hash}"\nscopes = ["read"]\n'
    )
    found = load_settings(
        {"port": 9002}, toml, {"LIKEWISE_PORT": "9001", "LIKEWISE_WORKERS": "3", "LIKEWISE_LIMITS__ENTRIES": "7", "OTHER": "1"}
    )
    assert (found.port, found.workers, found.limits.entries, found.limits.body_bytes, found.keys) == (9002, 3, 7, 5, (key,))
    assert Settings.from_json(found.as_json()) == found
    assert Key.parse(f"shop:read:{key.hash}") == key


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "model is missing"), ({"model": "m", "prot": 1}, "no setting 'prot'"), ({"model": "m", "port": "x"}, "whole number"),
        ({"model": "m", "host": "0.0.0.0"}, "keys are required"), ({"model": "m", "limits": {"bytes": 1}}, "no limit"),
        ({"model": "m", "workers": 0}, "at least 1"), ({"model": "/etc", "root": "/tmp"}, "root"),
        ({"model": "m", "limits": {"entries": -1}}, "above 0"),
        ({"model": "m", "keys": [{"name": "a", "hash": "b", "scopes": ["read"]}]}, "64 hexadecimal"),
        ({"model": "m", "exposures": "maybe"}, "true or false"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_in_one_line(values: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_settings(values, None, {})


def test_openapi_says_what_is_taken_and_given(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["422"]["content"]
