"""Processor time of a sweep by the number of ratings: `python -m benchmarks.studies.posterior_growth`, then a picture in the documents.

Random pairs, a hundred ratings a user and two hundred an item, 16 factors, one thread; the least of three sweeps after the first.
"""

from __future__ import annotations

import argparse
import json
from time import process_time

import numpy as np
import polars as pl

from benchmarks.measure import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "posterior-growth.json"
PICTURE = ROOT / "docs" / "images" / "posterior-growth.svg"
SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)


def sweep_seconds(n: int, factors: int = 16) -> float:
    """Processor seconds of a sweep over n ratings."""
    from likewise.data.dataset import Dataset
    from likewise.models.dot import Dot
    from likewise.solvers.gibbs.problem import make_chain, make_problem
    from likewise.solvers.gibbs.settings import Gibbs

    rng = np.random.default_rng(0)
    columns = {"user_id": rng.integers(0, n // 100, n), "item_id": rng.integers(0, n // 200, n), "rating": rng.integers(1, 6, n)}
    data = Dataset.of(pl.DataFrame(columns).with_columns(pl.col("rating").cast(pl.Float32)))
    model, solver = Dot(factors=factors), Gibbs()
    chain = make_chain(solver, model, make_problem(solver, model, data), (0, 0), 1)
    chain.sweep()
    times = []
    for _ in range(3):
        start = process_time()
        chain.sweep()
        times.append(process_time() - start)
    return min(times)


def picture(seconds: dict[int, float]) -> None:
    """Both axes logarithmic, beside a straight line through the first point."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    sizes = np.array(sorted(seconds))
    times = np.array([seconds[n] for n in sizes])
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axes.loglog(sizes, times, "o-", label="a sweep, 16 factors, one thread")
    axes.loglog(sizes, times[0] * sizes / sizes[0], "--", color="grey", label="in proportion to the ratings")
    axes.set(xlabel="ratings", ylabel="processor seconds", title="Time of a sweep")
    axes.legend(frameon=False)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.posterior_growth")
    parser.add_argument("--draw", action="store_true", help="only draw the picture from the last results")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="most ratings")
    args = parser.parse_args()
    if not args.draw:
        seconds = {n: sweep_seconds(n) for n in SIZES if n <= args.most}
        RESULTS.write_text(json.dumps(seconds, indent=1) + "\n")
    picture({int(n): t for n, t in json.loads(RESULTS.read_text()).items()})
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
