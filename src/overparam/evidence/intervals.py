"""Statistics with their intervals: Student's t over seeds, the bootstrap over test rows.

Seeds are few (3 to 5), so their intervals use Student's t: a bootstrap of three values is far
too narrow. Rows are many, so they may be resampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

_BLOCK = 4_000_000  # resampled numbers held at once: 32 MB

Values = npt.ArrayLike


@dataclass(frozen=True)
class Interval:
    """A confidence interval: `low` to `high` at `level`, by `method`."""

    low: float
    high: float
    level: float = 0.95
    method: str = "t"


@dataclass(frozen=True)
class Statistic:
    """A number with its interval (None only for exact claims), from `n` independent values."""

    value: float
    interval: Interval | None
    label: str
    n: int


def t_interval(values: Values, level: float = 0.95) -> Interval:
    """Return Student's t interval of the mean.

    Parameters
    ----------
    values : array-like (n,)
        Independent values, one a seed, n >= 2. Pair first: give differences, not two groups.
        A value that is not a number makes both ends NaN.
    level : float
        Confidence level in (0, 1).
    """
    numbers = _vector(values, at_least=2)
    _check_level(level)
    error = numbers.std(ddof=1) / np.sqrt(len(numbers))
    reach = special.stdtrit(len(numbers) - 1, (1 + level) / 2) * error
    mean = numbers.mean()
    return Interval(float(mean - reach), float(mean + reach), level, "t")


def t_statistic(values: Values, label: str, level: float = 0.95) -> Statistic:
    """Return the mean of `values` (n,) with Student's t interval; see `t_interval`."""
    numbers = _vector(values, at_least=2)
    return Statistic(float(numbers.mean()), t_interval(numbers, level), label, len(numbers))


def exact_statistic(value: float, label: str) -> Statistic:
    """Return a statistic without an interval, for a deterministic claim."""
    return Statistic(float(value), None, label, 1)


def bootstrap_interval(
    values: Values,
    statistic: Callable[..., Any] = np.mean,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic over rows.

    Parameters
    ----------
    values : array-like (n,) or (n, d)
        One entry a row. Several columns are resampled together.
    statistic : callable
        Called once a block as ``statistic(resampled, axis=1)`` with `resampled` of shape
        (block, n) or (block, n, d); returns (block,).
    level, resamples, seed
        Confidence level, number of resamples, seed of the resampling.

    Notes
    -----
    Use it over test rows only; over a handful of seeds it is too narrow (`t_interval`).
    """
    rows = np.asarray(values, dtype=float)
    _check_level(level)
    if rows.ndim not in (1, 2) or len(rows) < 2:
        raise ValueError(f"values must be (n,) or (n, d) with n >= 2; got shape {rows.shape}.")
    draws = np.concatenate(
        [
            np.asarray(statistic(rows[index], axis=1), dtype=float)
            for index in _resamplings(len(rows), rows.size, resamples, seed)
        ]
    )
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "bootstrap")


def _resamplings(n: int, size: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield row numbers (block, n) until `resamples` are drawn; `size` numbers a resample."""
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1; got {resamples}.")
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // size)
    for start in range(0, resamples, block):
        yield generator.integers(0, n, size=(min(block, resamples - start), n))


def _vector(values: Values, *, at_least: int) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) < at_least:
        raise ValueError(
            f"values must be a vector of at least {at_least} numbers; got shape {numbers.shape}."
        )
    return numbers


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be a number between 0 and 1; got {level!r}.")
