"""MovieLens latest-small as Parquet files, under the terms in `README.txt` beside them (non-commercial use)."""

from pathlib import Path

__all__ = ["path"]


def path() -> Path:
    """Return the folder that holds `ratings`, `movies`, `tags` and `links` as `.parquet`, and the data set's `README.txt`."""
    return Path(__file__).parent
