"""Tables of items, users and tags, keyed by id; the MovieLens formats are recognised by name and content."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from likewise.data.columns import ALIASES
from likewise.data.tables import load_table
from likewise.data.vocabulary import as_ids
from likewise.errors import InputError

log = logging.getLogger("likewise.data")

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""Order of the genre flags of `u.item`."""

OCCUPATIONS = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service", "doctor/health care"),
    *("executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist"),
    *("self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)
"""What the codes of `users.dat` stand for."""

TITLE = ("title", "name", "movie_title", "item_name", "product_name", "book_title")
YEAR_IN_TITLE = r"\((\d{4})(?:[–-]\d{0,4})?\)\s*$"

Entity = Literal["item", "user"]


def side_table(source: Any, entity: Entity) -> pl.DataFrame:
    """A table keyed by `item_id` or `user_id`, its first column, each id once.

    Parameters
    ----------
    source : anything that `load_table` takes, a `.npy` or `.npz` of vectors, or a list of these, joined by id
        A `.npz` holds arrays `ids` and `vectors`. The rows of a `.npy` belong to the ids in `NAME.ids.npy` beside it, else to
        the rows of the table before it in the list.
    """
    parts = source if isinstance(source, list) and not _is_rows(source) else [source]
    table: pl.DataFrame | None = None
    key = f"{entity}_id"
    for part in parts:
        if isinstance(part, str | Path) and Path(part).suffix in (".npy", ".npz"):
            fresh = _vectors(Path(part), key, table)
        else:
            fresh = _keyed(_recognised(part, entity), entity)
        table = fresh if table is None else _joined(table, fresh, key)
    if table is None:
        raise InputError(f"the {entity} table must be a table or a list of tables; the list is empty")
    return table


def tag_table(source: Any) -> pl.DataFrame:
    """Who gave which tag to which item: columns user_id, item_id, tag; rows that lack one are left out."""
    table = load_table(source)
    if table.width in (3, 4) and table.columns[0] == "column_1":
        table = table.rename(dict(zip(table.columns, ("user_id", "item_id", "tag", "timestamp"), strict=False)))
    lower = {name.lower(): name for name in reversed(table.columns)}
    picked = {}
    for ours, aliases in (("user_id", ALIASES["user_id"]), ("item_id", ALIASES["item_id"]), ("tag", ("tag", "tags", "keyword", "label"))):
        found = next((lower[a] for a in aliases if a in lower), None)
        if found is None:
            raise InputError(f"a table of tags must have columns user_id, item_id and tag; no {ours} among: {', '.join(table.columns)}")
        picked[ours] = pl.col(found).alias(ours)
    return table.select(**picked).with_columns(pl.col("tag").cast(pl.String)).drop_nulls()


def _recognised(source: Any, entity: Entity) -> pl.DataFrame:
    """The table with named columns, MovieLens files by what they look like."""
    table = load_table(source)
    if table.columns[0] != "column_1":
        return table
    width = table.width
    if entity == "item" and width == 5 + len(GENRES):
        return _u_item(table)
    if entity == "item" and width == 3:
        return table.rename({"column_1": "item_id", "column_2": "title", "column_3": "genres"})
    if entity == "user" and width == 5 and table["column_2"].dtype.is_numeric():
        return table.rename({"column_1": "user_id", "column_2": "age", "column_3": "gender", "column_4": "occupation", "column_5": "zip"})
    if entity == "user" and width == 5:
        return _users_dat(table)
    raise InputError(f"the {entity} table has {width} columns without names: put a header with {entity}_id in its first line")


def _u_item(table: pl.DataFrame) -> pl.DataFrame:
    flags = [pl.when(pl.col(f"column_{n + 6}") == 1).then(pl.lit(genre)) for n, genre in enumerate(GENRES)]
    released = pl.col("column_3").cast(pl.String).str.extract(r"(\d{4})$").cast(pl.Int64)
    return table.select(
        pl.col("column_1").alias("item_id"),
        pl.col("column_2").cast(pl.String).alias("title"),
        pl.concat_list(flags).list.drop_nulls().alias("genres"),
        pl.coalesce(pl.col("column_2").cast(pl.String).str.extract(YEAR_IN_TITLE).cast(pl.Int64), released).alias("year"),
    )


def _users_dat(table: pl.DataFrame) -> pl.DataFrame:
    # ages are the lower ends of brackets and occupations are codes: neither is a quantity
    occupation = pl.col("column_4").cast(pl.String).replace({str(n): name for n, name in enumerate(OCCUPATIONS)})
    return table.select(
        pl.col("column_1").alias("user_id"),
        pl.col("column_2").alias("gender"),
        pl.col("column_3").cast(pl.String).alias("age"),
        occupation.alias("occupation"),
        pl.col("column_5").cast(pl.String).alias("zip"),
    )


def _keyed(table: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """The id first under our name, the title under ours, a year made of titles that end in one."""
    key = f"{entity}_id"
    lower = {name.lower().replace(" ", "_"): name for name in reversed(table.columns)}
    found = next((lower[a] for a in (*ALIASES[key], "id") if a in lower), None)
    if found is None:
        raise InputError(f"the {entity} table must have a column {key}; its columns are: {', '.join(table.columns)}")
    table = table.rename({found: key}).select(key, pl.exclude(key))
    if entity == "item":
        table = _titled(table)
    table = table.filter(pl.col(key).is_not_null())
    table = table.with_columns(as_ids(table[key]).alias(key))
    if table[key].n_unique() < table.height:
        before = table.height
        table = table.unique(key, keep="first", maintain_order=True)
        log.warning(
            "the %s table names some ids more than once: the first of each is kept, %d rows are left out", entity, before - table.height
        )
    return table


def _titled(table: pl.DataFrame) -> pl.DataFrame:
    lower = {name.lower().replace(" ", "_"): name for name in reversed(table.columns)}
    found = next((lower[t] for t in TITLE if t in lower), None)
    if found is not None and found != "title" and "title" not in table.columns:
        table = table.rename({found: "title"})
    if "title" in table.columns and "year" not in table.columns:
        years = table["title"].cast(pl.String).str.extract(YEAR_IN_TITLE).cast(pl.Int64)
        if years.null_count() < 0.5 * max(table.height, 1):
            table = table.with_columns(years.alias("year"))
    if "genres" in table.columns and table["genres"].dtype == pl.String:
        table = table.with_columns(pl.col("genres").replace("(no genres listed)", None))
    return table


def _vectors(path: Path, key: str, table: pl.DataFrame | None) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}: check the path")
    beside = path.with_suffix(".ids.npy")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                ids, vectors = arrays["ids"], arrays["vectors"]
        else:
            vectors = np.load(path, allow_pickle=False)
            ids = np.load(beside, allow_pickle=False) if beside.is_file() else None
    except (ValueError, OSError, KeyError) as problem:
        raise InputError(f"{path} could not be read as vectors (a .npy of numbers, or a .npz of `ids` and `vectors`): {problem}") from None
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise InputError(f"{path} must hold numbers [row, dimension]; it holds {vectors.dtype} of shape {vectors.shape}")
    known = as_ids(ids) if ids is not None else None if table is None else table[key]
    if known is None:
        raise InputError(
            f"whose vectors {path} holds is not known: put their ids in {beside.name}, or name a table with as many rows before it"
        )
    if len(known) != len(vectors):
        raise InputError(f"{path} must hold one vector an id ({len(known)}); it holds {len(vectors)}")
    return pl.DataFrame({key: known, path.stem: pl.Series(vectors.astype(np.float32))})


def _joined(table: pl.DataFrame, fresh: pl.DataFrame, key: str) -> pl.DataFrame:
    clash = (set(table.columns) & set(fresh.columns)) - {key}
    if clash:
        raise InputError(f"two of the tables have a column {min(clash)!r}: rename one")
    if table[key].dtype != fresh[key].dtype:
        table, fresh = (t.with_columns(pl.col(key).cast(pl.String)) for t in (table, fresh))
    return table.join(fresh, on=key, how="full", coalesce=True, maintain_order="left_right")


def _is_rows(source: Sequence[Any]) -> bool:
    """Rows of one table, tuples or mappings of name to value, rather than several tables."""
    return bool(source) and all(isinstance(row, tuple | dict) and not (isinstance(row, dict) and _is_columns(row)) for row in source)


def _is_columns(mapping: dict[str, Any]) -> bool:
    return all(isinstance(column, Sequence | np.ndarray | pl.Series) and not isinstance(column, str) for column in mapping.values())
