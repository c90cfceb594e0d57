"""What each part of the preset `top-n` brings, at every weight: `python -m benchmarks.studies.blend DATA`.

ML-100K and ML-1M, random 80/20 within each user. The preset is fitted once; then its parts are weighed otherwise and judged on the
test rows, where the weight that the inner split found is marked. Writes `results/blend.json`, and with Matplotlib the pictures of
the documents: this one and, from `results/knobs.json`, accuracy against diversity.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import ROOT
from benchmarks.studies.knobs import ndcg
from likewise.data.csr import csr_from_pairs
from likewise.data.dataset import Dataset
from likewise.models.blend import FittedBlend
from likewise.ranking.topk import rank_model
from likewise.studies.fit import fit

SUITES = ("ml-100k", "ml-1m")
STEPS = 10
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
LABELS = {"diversity": "diversity of the list", "novelty": "novelty of the list"}


def main(home: Path) -> None:
    found = {suite: weighed(home, suite) for suite in SUITES}
    (RESULTS / "blend.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw_weights(found)
    draw_knobs(json.loads((RESULTS / "knobs.json").read_text(encoding="utf-8")))


def weighed(home: Path, suite: str) -> dict[str, Any]:
    """NDCG@10 on the test rows by the weight of the first part, and the weight that the preset found."""
    train, test = (
        pl.read_parquet(home / "splits" / f"topn-{suite}.{part}.parquet").select("user_id", "item_id") for part in ("train", "test")
    )
    rec = fit(Dataset.of(train), "top-n")
    data, blend = rec.data, rec.fitted
    if not isinstance(blend, FittedBlend) or len(blend.models) != 2:
        raise RuntimeError(f"{suite}: the preset kept {len(getattr(blend, 'models', ()))} of its two parts, so there is nothing to weigh")
    wanted = data.encode(test)
    known = wanted.known
    liked = csr_from_pairs(wanted.users[known], wanted.items[known], None, len(data.users), len(data.items))
    users, seen = np.arange(len(data.users), dtype=np.int32), data.interactions.by_user.csr(len(data.items))
    scales = [weight / share for weight, share in zip(blend.config.weights or (), blend.shares, strict=True)]
    curve = []
    for step in range(STEPS + 1):
        weights = (step / STEPS, 1 - step / STEPS)
        model = replace(blend, shares=tuple(w / s for w, s in zip(weights, scales, strict=True)))
        value = ndcg(rank_model(model, model.people(users), 10, seen), liked)
        curve.append({"weight": weights[0], "ndcg@10": value})
        print(json.dumps({"suite": suite, **curve[-1]}), flush=True)
    parts = [part["model"]["name"] for part in blend.config.parts]
    return {"parts": parts, "found": (blend.config.weights or (1.0,))[0], "curve": curve}


def figure_of(width: int) -> tuple[Any, list[Any]] | None:
    """A figure of so many panels side by side, as the documents look; None without Matplotlib."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return None
    matplotlib.rc_file(str(IMAGES.parent / "matplotlibrc"))
    figure = Figure(figsize=(7, 3))
    return figure, list(figure.subplots(1, width))


def draw_weights(found: dict[str, Any]) -> None:
    """NDCG by the weight of the first part."""
    if (drawn := figure_of(len(found))) is None:
        return
    figure, panels = drawn
    for axes, (suite, result) in zip(panels, found.items(), strict=True):
        x, y = [point["weight"] for point in result["curve"]], [point["ndcg@10"] for point in result["curve"]]
        axes.plot(x, y, "o-")
        place = min(range(len(x)), key=lambda n: abs(x[n] - result["found"]))
        axes.plot(x[place], y[place], "o", color="C1", markersize=9)
        axes.annotate("found on inner splits", (x[place], y[place]), xytext=(0, -16), textcoords="offset points", ha="center", fontsize=8)
        axes.set(title=suite.upper(), xlabel="weight of ALS, the rest EASE", ylabel="NDCG@10")
    figure.savefig(IMAGES / "lists-blend.svg", metadata={"Date": None})


def draw_knobs(rows: list[dict[str, Any]]) -> None:
    """NDCG against what a knob buys."""
    if (drawn := figure_of(len(LABELS))) is None:
        return
    figure, panels = drawn
    for axes, (knob, label) in zip(panels, LABELS.items(), strict=True):
        mine = [row for row in rows if row["knob"] == knob]
        axes.plot([row[knob] for row in mine], [row["ndcg"] for row in mine], "o-")
        for row in mine:
            axes.annotate(f"{row['turn']:g}", (row[knob], row["ndcg"]), fontsize=7, xytext=(4, 3), textcoords="offset points")
        axes.set(title=f"{knob} from 0 to 0.9", xlabel=label, ylabel="NDCG@10")
    figure.savefig(IMAGES / "lists-knobs.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
