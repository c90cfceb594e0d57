"""Likewise and its peers side by side: the same split files, alternating repeats, medians, ratios with their spread.

python -m benchmarks                          the suites on the sample, with the peers that are installed
python -m benchmarks --full                   every suite; needs LIKEWISE_DATA
python -m benchmarks --suite topn-ml-100k --repeats 3 --only implicit --only ease
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.about import about
from benchmarks.contenders import PEOPLE, Contender, contender
from benchmarks.suites import NoDataError, Suite, split_of, suites
from likewise.evaluation.significance import differences

RESULTS = Path(__file__).parent / "results"
COSTS = ("fit_seconds", "answer_seconds", "wall_seconds", "cpu_seconds", "peak_mb")
HEAD = {"rating": ("rmse", "mae"), "list": ("ndcg@10", "recall@20", "ndcg@100")}


def run_suite(suite: Suite, repeats: int, threads: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every contender `repeats` times, in turn, so that a busy hour of the machine hits all alike; seed = repeat."""
    split = split_of(suite)
    everyone = [contender(name, "preset") for name in suite.presets] + [contender(name, "peer") for name in suite.peers]
    chosen = [who for who in everyone if not only or any(word in who.name for word in only)]
    runs: dict[str, list[dict[str, Any]]] = {who.name: [] for who in chosen}
    for repeat in range(repeats):
        for who in chosen:
            if runs[who.name] and "problem" in runs[who.name][-1]:
                continue
            found = who.run(suite.task, split, repeat, threads)
            runs[who.name].append(found)
            print(f"  {repeat + 1}/{repeats} {who.name:24} {_line(found, suite.task)}", flush=True)
    return {"suite": suite.name, "task": suite.task, "threads": threads, "repeats": repeats, **about(), "contenders": summary(chosen, runs)}


def summary(everyone: Sequence[Contender], runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Medians; each cost as a ratio to the first contender's in the same repeat: its median, least and greatest; and how much better
    the first contender is on the first repeat, paired by person."""
    first = next((who.name for who in everyone if runs[who.name] and "problem" not in runs[who.name][0]), None)
    told = []
    for who in everyone:
        mine = runs[who.name]
        if not mine or "problem" in mine[-1]:
            told.append({"name": who.name, "kind": who.kind, "problem": mine[-1]["problem"] if mine else "not run"})
            continue
        numbers = {key: median(run[key] for run in mine) for key, value in mine[0].items() if isinstance(value, float)}
        texts = {key: value for key, value in mine[0].items() if isinstance(value, str)}
        ratios = {}
        for cost in COSTS:
            each = [run[cost] / max(base[cost], 1e-9) for run, base in zip(mine, runs[str(first)], strict=False)]
            ratios[cost] = {"median": median(each), "least": min(each), "greatest": max(each)}
        each = [{key: value for key, value in run.items() if key != PEOPLE} for run in mine]
        told.append({"name": who.name, "kind": who.kind, **texts, "median": numbers, "ratio_to": first, "ratios": ratios, "runs": each})
        if who.name != first and PEOPLE in mine[0]:
            (gap,) = differences({"": runs[str(first)][0][PEOPLE]}, {"": mine[0][PEOPLE]})
            told[-1]["first_against_it"] = {"difference": gap.difference, "low": gap.low, "high": gap.high, "verdict": gap.verdict}
    return told


def table(result: dict[str, Any]) -> str:
    """A result as Markdown; CPU seconds are of the whole process, from its start to its last answer."""
    heads = ["contender", "version", *HEAD[result["task"]], "CPU s", "peak MB", f"CPU, ratio to {_first(result)}"]
    rows = []
    for one in result["contenders"]:
        if "problem" in one:
            rows.append([one["name"], "failed: " + one["problem"].splitlines()[-1][:80]] + [""] * (len(heads) - 2))
            continue
        m, ratio = one["median"], one["ratios"]["cpu_seconds"]
        spread = f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['greatest']:.2f})"
        figures = [f"{m[name]:.4f}" for name in HEAD[result["task"]]]
        rows.append([one["name"], one["version"], *figures, f"{m['cpu_seconds']:.1f}", f"{m['peak_mb']:.0f}", spread])
    lines = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
    return "\n".join([f"### {result['suite']}, {result['repeats']} repeats, {result['threads']} thread(s)", "", *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    known = suites()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=known, help="a suite of suites.toml; may be given again")
    parser.add_argument("--full", action="store_true", help="every suite; needs LIKEWISE_DATA")
    parser.add_argument("--only", action="append", default=[], help="contenders whose name holds this word; may be given again")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    args = parser.parse_args(arguments)
    chosen = args.suite or [name for name, suite in known.items() if args.full or suite.sample]
    args.out.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        print(f"\n{name}", flush=True)
        try:
            result = run_suite(known[name], args.repeats, args.threads, args.only)
        except NoDataError as error:
            print(f"skipped: {error}", file=sys.stderr)
            return 2
        (args.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        print("\n" + table(result), flush=True)
    return 0


def _line(found: dict[str, Any], task: str) -> str:
    if "problem" in found:
        return "FAILED " + found["problem"].splitlines()[-1][:100]
    return (
        "  ".join(f"{name} {found[name]:.4f}" for name in HEAD[task])
        + f"  CPU {found['cpu_seconds']:.1f} s  peak {found['peak_mb']:.0f} MB"
    )


def _first(result: dict[str, Any]) -> str:
    return next((str(one["ratio_to"]) for one in result["contenders"] if "ratio_to" in one), "nobody")
