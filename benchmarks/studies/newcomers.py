"""How much of a full training folding in recovers: `python -m benchmarks.studies.newcomers RATINGS --name ml-1m`.

A tenth of the people of the table is never trained on; ten ratings of each are the test, and 5, 10, 20 or all others are given to
a model of the other people. The share recovered is (baseline - folded in) / (baseline - trained with those ratings as well), of
RMSE beside biases or of NDCG@10 beside popularity. Writes `results/newcomers-NAME.json`, and the picture
`docs/images/newcomers-NAME.svg` if Matplotlib is there; what the file holds of other presets stays, so they may be run one by one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from benchmarks.bars.never_seen import GIVEN, LISTS, RATINGS, newcomers
from benchmarks.measure import ROOT
from likewise.data.dataset import Dataset
from likewise.data.readers import read
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.result import Evaluation
from likewise.recommender import Recommender
from likewise.studies.fit import fit

RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
HEADS = {0: "all but 10"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.newcomers")
    parser.add_argument("ratings", type=Path)
    parser.add_argument("--name", default="ml-1m")
    parser.add_argument("--presets", nargs="*", default=[*RATINGS, *LISTS])
    parser.add_argument("--given", nargs="+", type=int, default=list(GIVEN), help="ratings given; 0: all but ten")
    parser.add_argument("--set", nargs="+", default=[], help="changed settings, such as solver.averaging.seeds=1")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    changes = {name: json.loads(value) for name, value in (word.split("=", 1) for word in args.set)}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"newcomers-{args.name}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for preset in args.presets:
        for row in shares(args.ratings, preset, tuple(args.given), args.seed, changes):
            key = ("preset", "given", "seed")
            rows = [other for other in rows if any(other[name] != row[name] for name in key)] + [row]
            path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(row), flush=True)
    draw(rows, IMAGES / f"newcomers-{args.name}.svg")


def shares(ratings: Path, preset: str, given: tuple[int, ...], seed: int, changes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One row a number of ratings: the three figures, the share, and whether folding in beats the baseline significantly."""
    figure, baseline = ("rmse", "bias") if preset in RATINGS else ("ndcg@10", "popularity")
    base: Recommender | None = None
    for n in given:
        with tempfile.TemporaryDirectory() as folder:
            parts = newcomers(ratings, Path(folder), n, seed)
            both, test, told = read(parts.both), read(parts.test), read(parts.given)
            base = base or fit(read(parts.base), preset, changes=changes, seed=seed)
        ours = base.update(told, rounds=0)
        found = {
            "folded": _judged(ours, test, figure),
            "full": _judged(fit(both, preset, changes=changes, seed=seed), test, figure),
            "baseline": _judged(fit(both, baseline, seed=seed), test, figure),
        }
        values = {name: one[figure] for name, one in found.items()}
        share = (values["baseline"] - values["folded"]) / (values["baseline"] - values["full"])
        beside = next(d for d in found["folded"].against(found["baseline"]) if d.name == figure)
        about = {"preset": preset, "given": n, "seed": seed, "changes": changes, "figure": figure, "people": len(told.users)}
        yield {**about, **values, "share": share, "verdict": beside.verdict, "between": [beside.low, beside.high]}


def _judged(rec: Recommender, test: Dataset, figure: str) -> Evaluation:
    lists = figure != "rmse"
    return evaluate(rec.fitted, rec.data, test, asked=Asked(ratings=not lists, lists=lists, distribution=False, segments=False))


def table(rows: list[dict[str, Any]]) -> str:
    """Shares as a Markdown table, a line a preset, medians over seeds; stars where folding in does not beat the baseline significantly."""
    cells: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["preset"], row["given"]), []).append(row)
    given = [n for n in GIVEN if any(n == key[1] for key in cells)]
    lines = [["", *(HEADS.get(n, f"{n} ratings") for n in given)], ["---", *["---:"] * len(given)]]
    measured = [name for name in {**RATINGS, **LISTS} if any(name == key[0] for key in cells)]
    lines += [[f"`{preset}`", *(_cell(cells.get((preset, n), [])) for n in given)] for preset in measured]
    settings = {row["preset"]: row["changes"] for row in rows if row["changes"]}
    changed = [f"`{preset}` with {', '.join(f'{k}={v:g}' for k, v in made.items())}" for preset, made in settings.items()]
    seeds = len({row["seed"] for row in rows})
    about = ["one seed" if seeds == 1 else f"medians of {seeds} seeds", *changed]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    made = "`python -m benchmarks.studies.newcomers`"
    return f"\n{body}\n\n*{'; '.join(about)}. A star: not significantly better than the baseline. {made}*\n\n"


def _cell(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    return f"{median(row['share'] for row in rows):.2f}" + ("" if all(row["verdict"] == "better" for row in rows) else "*")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Lines of the share over the number of ratings, a line a preset."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return
    given = [n for n in GIVEN if any(row["given"] == n for row in rows)]
    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    ax.axhline(1, color="0.6", linewidth=1)
    for n, preset in enumerate(name for name in {**RATINGS, **LISTS} if any(row["preset"] == name for row in rows)):
        frame = pl.DataFrame([row for row in rows if row["preset"] == preset]).group_by("given").agg(pl.median("share"))
        found = dict(frame.iter_rows())
        places = [place for place, number in enumerate(given) if number in found]
        ax.plot(places, [found[given[place]] for place in places], marker="osD^vP"[n % 6], linewidth=1.5, label=preset)
    ax.set_xticks(range(len(given)), [HEADS.get(n, str(n)) for n in given])
    ax.set(xlabel="ratings given by people never trained on", ylabel="share of the gain of full training", ylim=(0, None))
    ax.legend(ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
