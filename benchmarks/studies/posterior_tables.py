"""Tables of the posterior in the documents, written from the results: `python -m benchmarks.studies.posterior_tables`."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.studies.ablation import RESULTS as ABLATION
from benchmarks.studies.paired import RESULTS as PAIRED

PAGE = ROOT / "docs" / "models" / "posterior.md"
PLACE = re.compile(r"(<!-- posterior: (?P<what>\w+) -->\n).*?(<!-- end of posterior -->)", re.DOTALL)
INPUTS = {"ids": "ids", "history": "ids and histories", "all": "all but the day"}


def ablation(found: dict[str, dict[str, Any]]) -> str:
    """A row a variant, a column a split; forward in time over all rows and over those of known users."""
    columns = [(split, kind) for split in found for kind in (("all", "warm") if "by time" in split else ("all",))]
    heads = [split + (", known users" if kind == "warm" else ", all rows" if "by time" in split else "") for split, kind in columns]
    lines = [["RMSE", *heads], ["---"] * (len(heads) + 1)]
    for variant in dict.fromkeys(name for rows in found.values() for name in rows):
        cells = [found[split].get(variant) for split, _ in columns]
        lines.append([variant, *(f"{cell[kind]:.4f}" if cell else "" for cell, (_, kind) in zip(cells, columns, strict=True))])
    told = (
        "Chains of 100 draws and 16 factors, seed 0 (`python -m benchmarks.studies.ablation`). The presets take 300, and 250 with features."
    )
    return f"{_joined(lines)}\n{told}\n"


def paired(found: list[dict[str, Any]]) -> str:
    """A row a comparison."""
    heads = ["split", "inputs", "seed", "posterior, RMSE", "myFM, RMSE", "difference in squared error, 95 %"]
    lines = [[*heads, "CPU seconds", "myFM's", "fit by the clock, seconds (threads)", "myFM's (draws)"]]
    lines.append(["---"] * len(lines[0]))
    for row in found:
        errors = [f"{row['rmse']:.4f}", f"{row['myfm_rmse']:.4f}", f"{row['low']:+.4f} to {row['high']:+.4f}"]
        cpu = [_rounded(row["cpu_seconds"]), _rounded(row["myfm_cpu_seconds"])]
        clock = [f"{_rounded(row['fit_seconds'])} ({row['threads']})", f"{_rounded(row['myfm_fit_seconds'])} ({row['myfm_draws']})"]
        lines.append([row["suite"], INPUTS[row["inputs"]], str(row["seed"]), *errors, *cpu, *clock])
    return (
        _joined(lines)
        + "\nmyFM 0.4 of rank 10; a bootstrap over users; below zero the posterior is better (`python -m benchmarks.studies.paired`). "
        + "CPU seconds are of the whole process, from start to predictions.\n"
    )


def _rounded(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def _joined(lines: list[list[str]]) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> None:
    tables = {"ablation": ablation(json.loads(ABLATION.read_text())), "paired": paired(json.loads(PAIRED.read_text()))}
    PAGE.write_text(PLACE.sub(lambda place: place[1] + "\n" + tables[place["what"]] + "\n" + place[3], PAGE.read_text()))


if __name__ == "__main__":
    main()
