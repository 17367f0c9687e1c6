"""Is one model better than another? Paired differences with intervals that count all the luck.

Two sources of luck stand between two fitted nets: the seeds (initialisation and minibatches) and
the rows on which they are scored. For row scores d[s, i] (seed s, row i) the mean has variance

    seeds / S + rows / n + both / (S n),

estimated from the means of seeds and of rows; the degrees of freedom follow Satterthwaite (1946).
Over repeated splits of few rows, where training parts overlap, the variance of the split means is
widened by n_validation / n_train (Nadeau and Bengio 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """An estimated difference with its standard error and degrees of freedom."""

    value: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The t interval at `level`."""
        half = float(student.ppf(0.5 + level / 2, self.freedom)) * self.error if self.error else 0.0
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value of "no difference"."""
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * student.sf(abs(self.value) / self.error, self.freedom))


def crossed(scores: np.ndarray) -> Difference:
    """The mean of scores (S, n) over seeds and rows, both of them random.

    With one seed the interval counts the rows only.
    """
    d = np.atleast_2d(scores)
    n_seeds, n_rows = d.shape
    mean = float(d.mean())
    row_part = float(d.mean(axis=0).var(ddof=1)) / n_rows if n_rows > 1 else 0.0
    if n_seeds == 1:
        return Difference(mean, float(np.sqrt(row_part)), max(n_rows - 1, 1))
    seed_part = float(d.mean(axis=1).var(ddof=1)) / n_seeds
    residual = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + mean
    shared = float((residual**2).sum()) / max((n_seeds - 1) * (n_rows - 1), 1) / (n_seeds * n_rows)
    variance = max(row_part + seed_part - shared, row_part, seed_part)  # `shared` is in both parts
    spread = row_part**2 / (n_rows - 1) + seed_part**2 / (n_seeds - 1) if n_rows > 1 else 0.0
    freedom = (row_part + seed_part) ** 2 / spread if spread else n_seeds - 1
    return Difference(mean, float(np.sqrt(variance)), float(max(freedom, 1)))


def unpaired(first: np.ndarray, second: np.ndarray) -> Difference:
    """Mean of scores `first` (S, n) minus that of `second` (T, n) on the same rows, seeds apart.

    For models of few seeds: pairs of two seeds leave one degree of freedom, and where they agree by
    chance `crossed` is too sure (88 % of its intervals hold the truth). Here the seeds of both have
    one spread, with S + T - 2 degrees of freedom.
    """
    seeds = np.array([len(first), len(second)])
    d = first.mean(axis=0) - second.mean(axis=0)
    row_part = float(d.var(ddof=1)) / len(d)
    squares = sum(((s.mean(axis=1) - s.mean()) ** 2).sum() for s in (first, second))
    seed_part = float(squares / (seeds.sum() - 2) * (1 / seeds).sum())
    spread = row_part**2 / (len(d) - 1) + seed_part**2 / (seeds.sum() - 2)
    freedom = (row_part + seed_part) ** 2 / spread if spread else float(seeds.sum() - 2)
    return Difference(float(d.mean()), float(np.sqrt(row_part + seed_part)), float(freedom))


def repeated(split_means: Sequence[float], n_train: int, n_validation: int) -> Difference:
    """The mean over repeated splits, corrected for their overlap."""
    means = np.asarray(split_means, dtype=float)
    widening = 1 / len(means) + n_validation / n_train
    error = float(np.sqrt(means.var(ddof=1) * widening))
    return Difference(float(means.mean()), error, len(means) - 1)


def over_splits(scores: Sequence[np.ndarray], n_train: int) -> Difference:
    """`crossed` for one split, `repeated` for several; scores are (S, n) arrays, one a split."""
    if len(scores) == 1:
        return crossed(scores[0])
    return repeated([float(s.mean()) for s in scores], n_train, scores[0].shape[-1])


def holm_levels(p_values: Sequence[float], level: float = LEVEL) -> list[float]:
    """The level of each interval when m of them are read together (Holm 1979).

    The smallest p-value is held against alpha / m, the next against alpha / (m - 1), and so on;
    once one is not significant, no later one is read as such: it keeps the level of that step.
    """
    alpha = 1 - level
    order = np.argsort(p_values, kind="stable")
    levels = np.empty(len(p_values))
    stopped: float | None = None
    for rank, index in enumerate(order):
        step = alpha / (len(p_values) - rank)
        if stopped is not None:
            step = min(step, stopped)
        elif p_values[index] > step:
            stopped = step
        levels[index] = 1 - step
    return levels.tolist()
