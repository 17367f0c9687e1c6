"""Calibration errors of a classifier: how far its confidence is from its accuracy, bin by bin.

With conf_i = max_c p_ic, correct_i = [argmax_c p_ic = y_i] and bins b of n_b rows:

    ECE = sum_b (n_b / n) |acc_b - conf_b|        Naeini et al. 2015; Guo et al. 2017, eq. 3
    MCE = max_b |acc_b - conf_b|                  Guo et al. 2017, eq. 5
    ACE = mean_b |acc_b - conf_b|                 Neumann et al. 2018; arXiv 2306.00740 (its code)

over the bins that are not empty. ACE here is the *average* calibration error of arXiv 2306.00740;
equal-mass bins, which others call adaptive, are `adaptive_ece`. If every bin is over-confident all
of these agree with |mean conf - accuracy| whatever the bins: a low figure that does not depend on
the binning says little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from overparam.diagnostics.probability_inputs import check_labels, check_probabilities

BINS = 15


def _equal_width_bin(values: np.ndarray, bins: int) -> np.ndarray:
    """Index of the right-closed bin ((b / bins, (b + 1) / bins]) of every value in [0, 1]."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    # Multiply, then mend rounding by the edges themselves: six times as fast as a binary search.
    index = np.minimum((values * bins).astype(np.intp), bins - 1)
    index -= values <= edges[index]
    index += values > edges[index + 1]
    return np.maximum(index, 0)


def _bin_means(
    index: np.ndarray, bins: int, *columns: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Counts of the bins that are not empty, and the mean of each column in them."""
    count = np.bincount(index, minlength=bins)
    kept = count > 0
    means = [np.bincount(index, weights=c, minlength=bins)[kept] / count[kept] for c in columns]
    return count[kept], means


def _confidence(probs: Any, y: Any, bins: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins must be an integer >= 1; got {bins!r}.")
    p = check_probabilities(probs)
    labels = check_labels(y, *p.shape)
    said = p.argmax(axis=1)
    confidence = np.minimum(p[np.arange(len(p)), said], 1.0)
    return confidence, (said == labels).astype(np.float64)


def _gaps(probs: Any, y: Any, bins: int) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = _confidence(probs, y, bins)
    count, (conf, acc) = _bin_means(_equal_width_bin(confidence, bins), bins, confidence, correct)
    return count, np.abs(acc - conf)


def ece(probs: Any, y: Any, bins: int = BINS) -> float:
    """Expected calibration error over equal-width bins.

    Parameters
    ----------
    probs : array or tensor of shape (n, k)
        Predicted probabilities; rows sum to one.
    y : array or tensor of shape (n,)
        Labels 0..k-1.
    bins : int
        Number of right-closed bins of (0, 1].

    Returns
    -------
    float
        In [0, 1]. Biased upward on few rows: with n rows a perfectly calibrated classifier shows
        about sqrt(bins / n) / 3.

    Raises
    ------
    ValueError
        Shapes, k < 2, fewer than 2 rows, rows that do not sum to one, labels outside 0..k-1.

    Examples
    --------
    >>> ece([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2]], [0, 0, 0, 0, 1])
    0.0
    """
    count, gaps = _gaps(probs, y, bins)
    return float(np.average(gaps, weights=count))


def mce(probs: Any, y: Any, bins: int = BINS) -> float:
    """Maximum calibration error: the worst bin that is not empty. See `ece` for the arguments."""
    return float(_gaps(probs, y, bins)[1].max())


def ace(probs: Any, y: Any, bins: int = BINS) -> float:
    """Average calibration error: every bin that is not empty counts the same. See `ece`."""
    return float(_gaps(probs, y, bins)[1].mean())


def adaptive_ece(probs: Any, y: Any, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass (rows sorted by confidence). See `ece`."""
    confidence, correct = _confidence(probs, y, bins)
    n = len(confidence)
    order = np.argsort(confidence, kind="stable")
    sizes = np.full(bins, n // bins)
    sizes[: n % bins] += 1  # the sizes that np.array_split gives
    index = np.repeat(np.arange(bins), sizes)
    count, (conf, acc) = _bin_means(index, bins, confidence[order], correct[order])
    return float(np.average(np.abs(acc - conf), weights=count))


def classwise_ece(probs: Any, y: Any, bins: int = BINS) -> float:
    """Mean over classes of the ECE of p_c as the probability of "y is c". See `ece`.

    All classes are binned at once: class c and bin b share one index, c * bins + b.
    """
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins must be an integer >= 1; got {bins!r}.")
    p = np.minimum(check_probabilities(probs), 1.0)
    n, k = p.shape
    labels = check_labels(y, n, k)
    index = (_equal_width_bin(p.ravel(), bins).reshape(n, k) + bins * np.arange(k)).ravel()
    hit = np.zeros((n, k))
    hit[np.arange(n), labels] = 1.0
    count, (conf, acc) = _bin_means(index, k * bins, p.ravel(), hit.ravel())
    return float(np.sum(count * np.abs(acc - conf)) / (n * k))


def reliability_table(probs: Any, y: Any, bins: int = BINS) -> pl.DataFrame:
    """The reliability diagram as a table: one row a bin that is not empty.

    Returns
    -------
    polars.DataFrame
        `low`, `high` (edges), `confidence`, `accuracy` (means in the bin), `count`, `gap`
        (accuracy - confidence) and `error` (standard error of the accuracy).
    """
    confidence, correct = _confidence(probs, y, bins)
    index = _equal_width_bin(confidence, bins)
    count, (conf, acc) = _bin_means(index, bins, confidence, correct)
    bin_of = np.unique(index)
    return pl.DataFrame(
        {
            "low": bin_of / bins,
            "high": (bin_of + 1) / bins,
            "confidence": conf,
            "accuracy": acc,
            "count": count,
            "gap": acc - conf,
            "error": np.sqrt(acc * (1 - acc) / count),
        }
    )
