"""Tables with a row a seed, turned into what statistics and pictures need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from overparam.evidence.intervals import Statistic, t_interval, t_statistic
from overparam.evidence.regions import Region


def by_seed(table: pl.DataFrame, value: str, along: str) -> np.ndarray:
    """Return column `value` as (seeds, places): rows by seed, columns by `along` in table order.

    What a claim says of every seed is then one line of NumPy, and `t_statistic` of it pairs seeds.

    Raises
    ------
    ValueError
        If a seed has no value, or two, at some place.

    Examples
    --------
    >>> table = pl.DataFrame({"k": [2, 2, 8, 8], "seed": [0, 1, 0, 1], "kl": [1.0, 2.0, 3.0, 4.0]})
    >>> by_seed(table, "kl", "k")
    array([[1., 3.],
           [2., 4.]])
    """
    seeds, places = table["seed"].n_unique(), table[along].n_unique()
    distinct = table.select("seed", along).n_unique()
    if not table.height == distinct == seeds * places:
        raise ValueError(
            f"table must hold one row for each seed and {along}; got {table.height} rows for "
            f"{seeds} seeds and {places} values of {along}."
        )
    wide = table.pivot(along, index="seed", values=value).sort("seed").drop("seed")
    return wide.to_numpy().astype(float)


def log_log_slopes(x: Sequence[float], y: np.ndarray) -> np.ndarray:
    """Return the least-squares slopes (...,) of log y (..., places) on log x (places,)."""
    across = np.log(np.asarray(x, dtype=float))
    across -= across.mean()
    heights = np.log(y)
    return (heights - heights.mean(axis=-1, keepdims=True)) @ across / (across @ across)


def worst_interval(values: np.ndarray, region: Region, label: str) -> Statistic:
    """Return the t statistic of that column of `values` (seeds, places) which decides a claim.

    For a claim that the mean lies in `region` at every place: it fails where an interval lies
    wholly outside, otherwise the interval that reaches farthest towards the outside decides. (The
    worst place of each seed would be another claim: its mean leaves any region as places are
    added.)
    """
    found = [t_statistic(column, label) for column in values.T]
    ends = [(s.interval.low, s.interval.high) for s in found if s.interval is not None]
    outside = [region.disjoint_from(low, high) for low, high in ends]
    reserve = np.array([min(low - region.low, region.high - high) for low, high in ends])
    reserve[np.isnan(reserve)] = -np.inf  # a figure that is missing decides too
    order = np.lexsort((reserve, np.logical_not(outside)))
    return found[order[0]]


def seed_means(table: pl.DataFrame, value: str, by: list[str]) -> pl.DataFrame:
    """Return a row a group of `by`: the mean of `value` and its t interval, `low` to `high`.

    Groups keep their order; one with a single seed has no interval (nulls).
    """
    rows = []
    for key, group in table.group_by(by, maintain_order=True):
        numbers = group[value].to_numpy()
        ends = t_interval(numbers) if len(numbers) > 1 else None
        low, high = (ends.low, ends.high) if ends else (None, None)
        rows.append(
            {**dict(zip(by, key, strict=True)), value: numbers.mean(), "low": low, "high": high}
        )
    return pl.DataFrame(rows)
