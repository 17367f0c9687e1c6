"""Ensembles of K out of n models: means over all of them, and how sure they are.

The mean loss over all subsets of size K is a U-statistic. Its spread over seeds comes from leaving
one model out at a time: the pseudo-values n t - (n - 1) t_(-i) of a statistic t stand in for values
of n seeds, and their mean is t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from overparam.evidence.intervals import Interval, Statistic

# A statistic of n models without one of them (None: of all).
OfModels = Callable[[int | None], float]


def mean_over_subsets(losses: Sequence[float], size: int, without: int | None = None) -> float:
    """Mean loss of all ensembles of `size` models, those with the model `without` left out.

    Parameters
    ----------
    losses : sequence of 2^n - 1 floats
        As `ensemble_losses` gives them: entry i is of the models whose bits are set in i + 1.
    size : int
    without : int, optional

    Raises
    ------
    ValueError
        If there is no such ensemble.
    """
    kept = [
        loss
        for i, loss in enumerate(losses, start=1)
        if i.bit_count() == size and (without is None or not i >> without & 1)
    ]
    if not kept:
        n = (len(losses) + 1).bit_length() - 1 - (without is not None)
        raise ValueError(f"size must be in 1 .. {n}, the models there are; got {size}.")
    return float(np.mean(kept))


def pseudo_values(statistic: OfModels, n: int) -> np.ndarray:
    """Jackknife pseudo-values (n,) of a statistic of n models; their mean is the estimate."""
    whole = statistic(None)
    return np.array([n * whole - (n - 1) * statistic(i) for i in range(n)])


def difference(first: np.ndarray, second: np.ndarray, label: str) -> Statistic:
    """Mean of `first` minus mean of `second`, two independent groups, with a t interval.

    Student's t with the freedom of the smaller group: wider than Welch's.
    """
    n = min(len(first), len(second))
    error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    value = float(first.mean() - second.mean())
    reach = float(stdtrit(n - 1, 0.975) * error)
    return Statistic(value, Interval(value - reach, value + reach), label, n)
