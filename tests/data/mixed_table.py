"""A table with a column of every role, and holes in each."""

import datetime as dt

import numpy as np
import polars as pl

ROLES = {
    "size": "number",
    "full": "number",
    "colour": "category",
    "open": "boolean",
    "about": "text",
    "since": "date",
}


def mixed_table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    start = dt.datetime(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "size": rng.normal(size=n),
            "full": rng.normal(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "open": rng.random(n) < 0.5,
            "about": [f"word{a} and word{b} too" for a, b in rng.integers(0, 60, (n, 2))],
            "since": pl.Series(
                [start + dt.timedelta(days=int(d)) for d in rng.integers(0, 900, n)]
            ),
        }
    )
    holes = {name: pl.Series(rng.random(n) < 0.1) for name in ROLES if name != "full"}
    return frame.with_columns(
        pl.when(hole).then(None).otherwise(pl.col(name)).alias(name) for name, hole in holes.items()
    )
