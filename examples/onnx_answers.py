"""A model exported to ONNX, asked by ONNX Runtime alone: known users and visitors, without Likewise and without torch."""

import json
from pathlib import Path

import numpy as np
import onnxruntime

import likewise as lw
from likewise.artifact.export.onnx_file import export_onnx
from likewise.artifact.store import load

# On the machine that trains. The last line is what `likewise export model --onnx films.onnx` does.
rec = lw.fit(lw.load_movielens(), "dot")
rec.save("model")
export_onnx(load("model"), "films.onnx")

# Anywhere else: two files, and nothing of Likewise.
session = onnxruntime.InferenceSession("films.onnx")
ids = json.loads(Path("films.onnx.ids.json").read_text(encoding="utf-8"))
row_of = {title: row for row, title in enumerate(ids["titles"])}


def ask(user: int = -1, ratings: dict[str, float] | None = None, seen: list[int] | None = None, k: int = 5) -> list[tuple[str, float]]:
    """Titles and predicted ratings, for the row of a known user or for a visitor's ratings by title."""
    told = {row_of[title]: rating for title, rating in (ratings or {}).items()}
    rows, _, responses = session.run(
        ["rows", "scores", "responses"],
        {
            "user": np.array([user], np.int64),
            "items": np.array(list(told), np.int64),
            "ratings": np.array(list(told.values()), np.float32),
            "exclude": np.array([*told, *(seen or [])], np.int64),
            "allowed": np.zeros(0, np.bool_),  # empty: all items
            "k": np.array([k], np.int64),
        },
    )
    return [(ids["titles"][row], round(float(response), 3)) for row, response in zip(rows, responses, strict=True)]


answers = {"Toy Story (1995)": 5.0, "Finding Nemo (2003)": 5.0, "Heat (1995)": 2.0}
print("A visitor: ", ask(ratings=answers))
print("User 42:   ", ask(user=ids["users"].index(42)))

same = rec.visitor(answers).recommend(5)
assert [title for title, _ in ask(ratings=answers)] == list(same["title"])
