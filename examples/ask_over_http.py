"""A saved model behind the REST service, asked with nothing but the standard library. Needs the extra `serve`."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import Request, urlopen

import likewise as lw


def ask(address: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """The answer to a GET, or to a POST with this body."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address, data, {"Content-Type": "application/json"}), timeout=10) as answer:
        told: dict[str, object] = json.load(answer)
    return told


def wait_until_ready(address: str, seconds: float = 60) -> None:
    """Return when the service can answer."""
    end = time.monotonic() + seconds
    while True:
        try:
            ask(f"{address}/health/ready")
            return
        except (URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

with TemporaryDirectory() as folder:
    lw.fit(lw.load_movielens(), "bias").save(Path(folder) / "model")
    likewise = Path(sys.executable).parent / "likewise"
    service = subprocess.Popen([likewise, "serve", Path(folder) / "model", "--port", str(port), "--quiet"])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address)
        print(json.dumps(ask(f"{address}/users/42/recommendations?n=3"), indent=1))
        print(json.dumps(ask(f"{address}/recommendations", {"ratings": {"1": 5, "6": 2}, "n": 3}), indent=1))
    finally:
        service.terminate()
        service.wait(timeout=30)
