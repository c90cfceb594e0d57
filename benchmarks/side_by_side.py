"""The one table: a row a figure, Likewise beside the best of the other libraries; rows that were not run are left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RATINGS = {
    "ml-100k-u1": "MovieLens 100K, split u1",
    "ml-100k-r90": "MovieLens 100K, random tenth",
    "ml-latest-small-r90": "MovieLens latest-small, random tenth",
    "ml-1m-r90": "MovieLens 1M, random tenth",
}
LISTS = {
    "topn-ml-100k": "MovieLens 100K",
    "topn-ml-1m": "MovieLens 1M",
    "topn-ml-latest-small": "MovieLens latest-small",
}
OURS = {"rmse": "likewise posterior", "ndcg@10": "likewise top-n"}
"""The preset for the task, whatever else took part."""
COSTS = {
    ("speed", "fastai's fit against it, warm, times"): ("time to fastai's RMSE on u1", "fastai", "{:.0f} times faster"),
    ("speed", "Cornac's fit against it, times"): ("time to Cornac's RMSE on ML-1M", "Cornac", "{:.1f} times faster"),
    ("speed", "kernel against Cornac's MF, 10 factors, updates a second"): (
        "SGD updates a second, one core",
        "Cornac",
        "{:.1f} times as many",
    ),
    ("speed", "implicit's recommend against it, times"): ("users ranked a second, 128 factors", "implicit", "{:.1f} times"),
}
"""A bar whose value is a ratio to another library: (what it is, whose, in words)."""


def rows(results: Path) -> list[list[str]]:
    """Cells of the table's rows: what, ours, the best other, the difference."""
    found = []
    for suites, figure, sign in ((RATINGS, "rmse", 1), (LISTS, "ndcg@10", -1)):
        for suite, where in suites.items():
            if (path := results / f"{suite}.json").exists():
                found += _accuracy(json.loads(path.read_text(encoding="utf-8")), figure, sign, where)
    found += _next(results / "next-ml-1m.json")
    for (title, bar), (what, whose, words) in COSTS.items():
        path = results / "bars" / f"{title}.json"
        line = json.loads(path.read_text(encoding="utf-8")).get(bar) if path.exists() else None
        if line and line["value"] is not None:
            found.append([what, "", whose, words.format(line["value"])])
    return found


def _next(path: Path) -> list[list[str]]:
    """The transformer and RecTools' SASRec on what comes next, as `benchmarks.bars.sequences` keeps them."""
    if not path.exists():
        return []
    gap = json.loads(path.read_text(encoding="utf-8"))["differences"]["sasrec"]["ndcg@10"]
    told = f"{gap['difference']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f}), {gap['verdict']}"
    mine, other = f"sequential {gap['ours']:.4f}", f"rectools sasrec, 3 epochs {gap['theirs']:.4f}"
    ahead = gap["ours"] > gap["theirs"]
    return [["NDCG@10 of the last film, MovieLens 1M", f"**{mine}**" if ahead else mine, other if ahead else f"**{other}**", told]]


def _accuracy(result: dict[str, Any], figure: str, sign: int, where: str) -> list[list[str]]:
    """Our preset for the task and the peer that comes nearest to it or is ahead."""
    done = [one for one in result["contenders"] if "median" in one]
    presets = [one for one in done if one["kind"] == "preset"]
    ours = next((one for one in presets if one["name"] == OURS[figure]), presets[0] if presets else None)
    peers = sorted((one for one in done if one["kind"] == "peer"), key=lambda one: sign * one["median"][figure])
    if ours is None or not peers:
        return []
    best = peers[0]
    gap = best.get("first_against_it") if best.get("ratio_to") == ours["name"] else None
    told = f"{gap['difference']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f}), {gap['verdict']}" if gap else ""
    mine, other = (f"{one['name'].removeprefix('likewise ')} {one['median'][figure]:.4f}" for one in (ours, best))
    ahead = sign * ours["median"][figure] < sign * best["median"][figure]
    return [[f"{figure.upper()}, {where}", f"**{mine}**" if ahead else mine, other if ahead else f"**{other}**", told]]
