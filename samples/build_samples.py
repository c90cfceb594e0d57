"""Turns the published CSV files of MovieLens latest-small into the Parquet files of this package.

    python build_samples.py ml-latest-small/

Rows, their order and the column names stay as published.
"""

import argparse
import shutil
from pathlib import Path

import polars as pl

TABLES: dict[str, dict[str, pl.DataType]] = {
    "ratings": {"userId": pl.Int32(), "movieId": pl.Int32(), "rating": pl.Float32(), "timestamp": pl.Int64()},
    "movies": {"movieId": pl.Int32(), "title": pl.String(), "genres": pl.String()},
    "tags": {"userId": pl.Int32(), "movieId": pl.Int32(), "tag": pl.String(), "timestamp": pl.Int64()},
    "links": {"movieId": pl.Int32(), "imdbId": pl.Int32(), "tmdbId": pl.Int32()},
}
TARGET = Path(__file__).parent / "src" / "likewise_samples"


def build(source: Path, target: Path) -> None:
    """Write each table of `source` to `target` as Parquet, and the data set's own README beside them."""
    for name, schema in TABLES.items():
        table = pl.read_csv(source / f"{name}.csv", schema=schema)
        table.write_parquet(target / f"{name}.parquet", compression="zstd", compression_level=19, statistics=False)
    shutil.copyfile(source / "README.txt", target / "README.txt")


def main() -> None:
    """Read the folder from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with ratings.csv, movies.csv, tags.csv, links.csv and README.txt")
    parser.add_argument("--target", type=Path, default=TARGET, help="where the Parquet files go (default: the package)")
    arguments = parser.parse_args()
    build(arguments.source, arguments.target)


if __name__ == "__main__":
    main()
