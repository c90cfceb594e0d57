"""Requests made from the OpenAPI document, right and wrong: no fault, no status that the document does not name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving_process import running

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CONFIG = """
[checks.positive_data_acceptance]
# 400: what no schema can say, such as a condition's grammar or this model's range of ratings; 413: the service's own limits
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "413"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
"""


def made_requests(model: Path, folder: Path, examples: int, seconds: float) -> tuple[int, str, int]:
    """Exit code, report and number of cases of a run."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with running(model) as service:
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file", str(config), "run",
            f"{service.url}/openapi.json", "--checks", "all", "--max-examples", str(examples), "--seed", "1",
            "--phases", "examples,coverage,fuzzing",
            "--request-timeout", "20", "--report", "ndjson", "--report-dir", str(folder), "--suppress-health-check", "all",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=folder)
    cases = 0
    for path in folder.glob("*.ndjson"):
        for line in path.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            cases += sum(len(one.get("recorder", {}).get("cases", {})) for one in event.values() if isinstance(one, dict))
    return done.returncode, done.stdout[-6000:] + done.stderr[-1000:], cases


def test_made_requests(model: Path, tmp_path: Path) -> None:
    code, report, cases = made_requests(model, tmp_path, 2, 250)
    assert code == 0, report
    assert cases > 200, report


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_twenty_thousand_made_requests(model: Path, tmp_path: Path) -> None:
    code, report, cases = made_requests(model, tmp_path, 1500, 7000)
    assert code == 0, report
    assert cases >= 20_000, report
