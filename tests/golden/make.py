"""Make the golden artifact of the present format: `python -m tests.golden.make`. Run once for each format version, then never again.

Tiny models and what they answered when they were saved. Later releases must load the folder and answer the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

import likewise as lw
from likewise.artifact.folder import FORMAT
from likewise.data.dataset import Dataset
from tests.planted import ratings

FOLDER = Path(__file__).parent
VISITOR = {'Film 3 | "quoted"': 4.5, "Film 7": 1.5}
USERS = [0, 5, 9]


def data() -> Dataset:
    """Ratings with times, titles and genres."""
    frame = ratings(seed=11, users=20, items=12, events=120).with_columns(timestamp=pl.int_range(120) * 86_400 + 1_500_000_000)
    titles = [f"Film {n}" + (' | "quoted"' if n == 3 else "") for n in range(12)]
    items = pl.DataFrame({"item_id": range(12), "title": titles, "genres": ["Comedy", "Drama|Action", "Comedy|Drama"] * 4})
    return Dataset.of(frame, item_table=items)


def answers(rec: lw.Recommender) -> dict[str, Any]:
    """What the model says to fixed questions."""
    lists = {str(user): shown(rec.recommend(user, k=5)) for user in USERS}
    visitor = shown(rec.visitor(VISITOR).recommend(5))
    predictions = [rec.predict(user, item) for user in USERS for item in range(12)]
    return {"lists": lists, "visitor": visitor, "predictions": predictions, "unknown": rec.predict(10_000, 10_000)}


def shown(frame: Any) -> list[Any]:
    """Items and scores of a list."""
    return [[int(item) for item in frame["item_id"]], [float(score) for score in frame["score"]]]


def main() -> None:
    models = {"bias": lw.Recommender(lw.Bias()), "dot": lw.Recommender(lw.Dot(factors=3), lw.Gradient(epochs=5, batch_size=32))}
    for name, rec in models.items():
        folder = FOLDER / f"v{FORMAT}" / name
        rec.fit(data(), threads=1).save(folder)
        (FOLDER / f"v{FORMAT}" / f"{name}.json").write_text(json.dumps(answers(rec), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
