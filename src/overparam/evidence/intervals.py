"""Statistics with their intervals: Student's t over seeds, the bootstrap over test rows.

Seeds are few (3 to 5), so their intervals use Student's t: a bootstrap of three values is far
too narrow. Rows are many, so they may be resampled. Where both vary, `seeds_and_rows` adds the
two variances and takes the degrees of freedom of Welch and Satterthwaite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


@dataclass(frozen=True)
class Difference:
    """A difference that is to be compared with others: its statistic and two-sided p-value."""

    statistic: Statistic
    p_value: float


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


def resampled_means(values: Values, *, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Return the means (resamples,) of `values` (n,) under resampling of its rows."""
    rows = _vector(values, at_least=2)
    return np.concatenate(
        [rows[index].mean(axis=1) for index in _resamplings(len(rows), len(rows), resamples, seed)]
    )


def seeds_and_rows(
    per_seed: Values, resampled: Values, label: str, level: float = 0.95
) -> Difference:
    """Return a difference whose interval covers both other seeds and other test rows.

    Parameters
    ----------
    per_seed : array-like (M,)
        The difference for each seed, measured on all rows; M >= 2.
    resampled : array-like (B,)
        The difference averaged over seeds, measured on B bootstrap resamples of the rows
        (the same resample for every seed). For means of rows: `resampled_means`.
    label : str
        What the difference is.
    level : float
        Confidence level.

    Returns
    -------
    Difference
        The mean over seeds. Its variance is var(per_seed) / M + var(resampled): what seed and
        row do to each other is counted twice, so the interval is a little too wide, never too
        narrow. Degrees of freedom after Welch and Satterthwaite.
    """
    seeds = _vector(per_seed, at_least=2)
    draws = _vector(resampled, at_least=2)
    _check_level(level)
    value = float(seeds.mean())
    from_seeds = seeds.var(ddof=1) / len(seeds)
    from_rows = draws.var(ddof=1)
    variance = from_seeds + from_rows
    if variance == 0:  # the two sides agree everywhere
        interval = Interval(value, value, level, "t over seeds, bootstrap over rows")
        return Difference(Statistic(value, interval, label, len(seeds)), float(value == 0))
    freedom = variance**2 / (from_seeds**2 / (len(seeds) - 1) + from_rows**2 / (len(draws) - 1))
    error = np.sqrt(variance)
    reach = special.stdtrit(freedom, (1 + level) / 2) * error
    interval = Interval(
        float(value - reach), float(value + reach), level, "t over seeds, bootstrap over rows"
    )
    p_value = float(2 * special.stdtr(freedom, -abs(value) / error))
    return Difference(Statistic(value, interval, label, len(seeds)), p_value)


def paired_bootstrap(
    a: Values,
    b: Values,
    label: str,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Return the mean of `a` minus `b` for the same rows, over other rows and other seeds.

    Parameters
    ----------
    a, b : array-like (n,) or (M, n)
        A score for each row (and seed); entries at the same place belong together.
        With one seed the interval covers other rows only.
    label, level, resamples, seed
        As in `seeds_and_rows` and `resampled_means`.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if left.shape != right.shape or left.ndim not in (1, 2):
        raise ValueError(
            f"a and b must have one shape, (n,) or (M, n); got {left.shape} and {right.shape}."
        )
    gap = np.atleast_2d(left - right)
    draws = resampled_means(gap.mean(axis=0), resamples=resamples, seed=seed)
    if len(gap) > 1:
        return seeds_and_rows(gap.mean(axis=1), draws, label, level)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    interval = Interval(float(low), float(high), level, "bootstrap")
    value = float(gap.mean())
    error = draws.std(ddof=1)
    p_value = float(2 * special.ndtr(-abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(Statistic(value, interval, label, gap.shape[1]), p_value)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence (m,)
        One a comparison.

    Returns
    -------
    ndarray (m,)
        Adjusted p-values in the same order: reject those at most alpha, and the chance of any
        false rejection among all m stays below alpha.
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or np.any((p < 0) | (p > 1)):
        raise ValueError("p_values must be a vector of numbers in [0, 1].")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty_like(p)
    adjusted[order] = steps
    return adjusted


def simultaneous_level(level: float, comparisons: int) -> float:
    """Return the level of each of m intervals that all cover at once with `level` (Bonferroni)."""
    _check_level(level)
    if comparisons < 1:
        raise ValueError(f"comparisons must be at least 1; got {comparisons}.")
    return 1 - (1 - level) / comparisons


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
