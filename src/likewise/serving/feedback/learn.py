"""The feedback as data to learn from: what `likewise update --from-feedback` gives the model."""

from __future__ import annotations

import polars as pl

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.serving.feedback.store import Feedback

FOR_RATINGS, FOR_LIKES = ("rate", "like"), ("rate", "like", "click")
"""Events that say something of taste, for models of ratings and of likes; a view says only that something was seen."""


def feedback_dataset(url: str, known: Dataset, after: float = 0.0) -> Dataset:
    """The events of a feedback database in the terms of the data that a model knows.

    For a model of ratings, "rate" gives its rating and "like" the top of the range; for a model of likes, "like", "click" and "rate"
    are a like each. Of one person's events with one item the latest counts.

    Parameters
    ----------
    url : SQLAlchemy URL
    known : what the model learned from; gives the type of the ids and the range of the ratings.
    after : seconds since 1970
        Only events received later; those before are in the model already.

    Raises
    ------
    InputError
        No events, or ids that the model's type of id cannot hold.
    """
    feedback = Feedback(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        found = feedback.all(FOR_RATINGS if known.explicit else FOR_LIKES, after)
    finally:
        feedback.close()
    if not found:
        raise InputError("there is nothing to learn from: the feedback database has no new events of a kind that tells taste")
    top = known.rating_range[1] if known.rating_range else 1.0
    schema = {"user_id": pl.String, "item_id": pl.String, "kind": pl.String, "rating": pl.Float64, "timestamp": pl.Float64}
    frame = pl.DataFrame(found, schema=schema, orient="row").unique(["user_id", "item_id"], keep="last", maintain_order=True)
    frame = frame.with_columns(pl.col("rating").fill_null(top), pl.col("timestamp").cast(pl.Int64))
    for name, vocabulary in (("user_id", known.users), ("item_id", known.items)):
        if vocabulary.kind == "int":
            frame = frame.with_columns(pl.col(name).cast(pl.Int64, strict=False))
            frame = frame.filter(pl.col(name).is_not_null())
    if not frame.height:
        raise InputError("there is nothing to learn from: the model's ids are whole numbers, those of the feedback are not")
    if not known.explicit:
        frame = frame.drop("rating")
    contexts = tuple(name for name in known.contexts if name == "day")
    return Dataset.of(frame.drop("kind"), contexts, stated_range=known.stated_range)
