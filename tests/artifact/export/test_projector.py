"""The tables of the projector: one row an item, and nothing in them that breaks a row or runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import likewise as lw
from likewise.artifact.export.projector import cell, export_projector
from likewise.artifact.store import Saved
from likewise.data.dataset import Dataset
from likewise.errors import ArtifactError, InputError
from tests.planted import ratings

TITLES = ["=HYPERLINK(1)", "tab\there", "line\nbreak", "@name", " -1+1", "plain"]


def saved() -> Saved:
    frame = ratings(items=6, events=150)
    data = Dataset.of(frame, item_table=pl.DataFrame({"item_id": range(6), "title": TITLES}))
    rec = lw.Recommender(lw.Dot(factors=3), lw.Gradient(epochs=1, batch_size=64)).fit(data)
    return Saved(rec.fitted, rec.solver, data)


def test_rows_are_items(tmp_path: Path) -> None:
    kept = saved()
    vectors, metadata = export_projector(kept, tmp_path / "new" / "folder")
    np.testing.assert_allclose(np.loadtxt(vectors, delimiter="\t"), kept.fitted.factors("item"), rtol=1e-5)
    lines = metadata.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id\ttitle\tevents" and len(lines) == 7
    assert all(line.count("\t") == 2 for line in lines)
    told = {line.split("\t")[1] for line in lines[1:]}
    assert told == {"'=HYPERLINK(1)", "tab here", "line break", "'@name", "' -1+1", "plain"}


@pytest.mark.parametrize(("value", "shown"), [("+1", "'+1"), ("\u2028=1", "' =1"), (None, ""), (-3, "-3"), ("a-b", "a-b")])
def test_cells(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_refusals(tmp_path: Path) -> None:
    rec = lw.Recommender(lw.Popularity()).fit(ratings())
    with pytest.raises(InputError, match="no item vectors"):
        export_projector(Saved(rec.fitted, rec.solver, rec.data), tmp_path)
    (tmp_path / "file").write_text("here")
    with pytest.raises(ArtifactError, match="could not write"):
        export_projector(saved(), tmp_path / "file")
