"""The table of what folding in recovers, and one small run of it."""

import numpy as np
import polars as pl

from benchmarks.studies.newcomers import shares, table


def test_the_table_has_a_line_a_preset_and_stars_what_is_not_better():
    row = {"preset": "dot", "given": 10, "seed": 0, "changes": {}, "share": 1.2, "verdict": "better"}
    found = table(
        [row, row | {"seed": 1, "share": 1.0}, row | {"preset": "ease", "given": 0, "verdict": "tied", "changes": {"model.l2": 9}}]
    )
    assert "| `dot` | 1.10 |  |" in found
    assert "| `ease` |  | 1.20* |" in found
    assert "medians of 2 seeds; `ease` with model.l2=9" in found


def test_shares_of_a_small_table(tmp_path):
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((60, 80)) < 0.5)
    level = rng.normal(0, 1, 60)[pairs[:, 0]] + rng.normal(0, 0.5, 80)[pairs[:, 1]]
    rating = np.clip(np.round(3 + level + rng.normal(0, 0.3, len(pairs))), 1, 5)
    path = tmp_path / "ratings.parquet"
    pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": rating}).write_parquet(path)
    (row,) = shares(path, "dot", (10,), 0, {"model.factors": 4, "solver.epochs": 20})
    assert row["people"] == 6
    assert row["folded"] > 0
    assert row["share"] == (row["baseline"] - row["folded"]) / (row["baseline"] - row["full"])
