"""Presets side by side on one split, as a table and as a picture."""

from pathlib import Path
from tempfile import TemporaryDirectory

import likewise as lw

train, test = lw.split(lw.load_movielens(), by="random")
found = lw.compare(train, test, ["knn", "dot"], lists=False)
print(found)
print(found.frame.select("model", "figure", "value", "low", "high", "verdict"))

with TemporaryDirectory() as folder:
    picture = Path(folder) / "compare.svg"
    found.plot().figure.savefig(picture)
    print(f"{picture.name}: {picture.stat().st_size:,} bytes")
