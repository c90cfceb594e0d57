"""Small data with a known make, for tests of every room."""

import numpy as np
import polars as pl


def ratings(seed: int = 0, users: int = 30, items: int = 20, events: int = 300) -> pl.DataFrame:
    """Distinct pairs rated by the person's level plus the item's level plus noise, in halves from 0.5 to 5."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(users * items, events, replace=False)
    u, i = pairs // items, pairs % items
    level = 3.5 + rng.normal(0, 0.5, users)[u] + rng.normal(0, 0.5, items)[i]
    return pl.DataFrame({"user_id": u, "item_id": i, "rating": np.clip(np.round(2 * (level + rng.normal(0, 0.3, events))) / 2, 0.5, 5)})
