"""Loading a saved model and answering once imports what answering needs, and nothing that training or serving needs."""

import subprocess
import sys

import polars as pl

import likewise

ANSWERING = {"numpy", "numba", "llvmlite", "polars", "_polars_runtime_32", "pyarrow", "narwhals", "safetensors", "pandas", "scipy"}
"""pandas is there because answers are pandas frames where it is installed, SciPy because Numba looks for it."""
SMALL = {
    "dateutil",
    "six",
    "pytz",
    "tzdata",
    "yaml",
    "typing_extensions",
    "cloudpickle",
    "colorama",
    "charset_normalizer",
    "packaging",
    "bottleneck",
    "numexpr",
}
"""What those take along where it is installed."""
NOT_NEEDED = ("likewise.cli", "likewise.serving", "likewise.studies", "likewise.insight", "likewise.evaluation", "likewise.models.networks")

ASK = """
import sys
bare = set(sys.modules)
import likewise
rec = likewise.load(sys.argv[1])
assert len(rec.recommend(3, k=5)) == 5
print("---loaded---", *sorted(set(sys.modules) - bare))
"""


def test_the_first_answer_imports_no_more_than_answering_needs(tmp_path):
    ratings = pl.DataFrame(
        {"user_id": [u for u in range(12) for _ in range(6)], "item_id": [(u * 7 + n) % 20 for u in range(12) for n in range(6)]}
    )
    ratings = ratings.with_columns(rating=pl.Series([float(1 + n % 5) for n in range(len(ratings))]))
    likewise.fit(ratings, preset="dot").save(tmp_path / "model")
    told = subprocess.run([sys.executable, "-c", ASK, str(tmp_path / "model")], capture_output=True, text=True, check=True).stdout
    loaded = told.split("---loaded---")[1].split()
    packages = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    packages = {name for name in packages if not name.startswith(("_", "cython", "__"))}
    assert packages <= {"likewise"} | ANSWERING | SMALL, packages - ANSWERING - SMALL
    assert not [name for name in loaded if name.startswith(NOT_NEEDED)]
