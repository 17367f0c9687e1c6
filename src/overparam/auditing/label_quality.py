"""Which labels are probably wrong, and how many, from out-of-fold predictions.

Quality of a label is the out-of-fold probability of the label (self-confidence, Northcutt et al.
2021). A low quality alone does not mean a wrong label: where classes overlap, good labels look
improbable too. The *share* of wrong labels is therefore read where the nets are surest: among the
surest third of the rows of each predicted class hardly any doubt is left, so that labels which
disagree there are wrong; if wrong labels do not depend on the features, their share is the same
everywhere. As many rows of the lowest quality are suspected.

For regression the quality is the rank of the absolute out-of-fold residual, and rows beyond five
robust standard deviations are suspected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, median_abs_deviation, rankdata

from overparam.data.dataset import Dataset

SUREST = 1 / 3
OUTLIER = 5.0  # robust standard deviations; one in two million Gaussian rows


@dataclass(frozen=True)
class OutOfFold:
    """Predictions by models that have not seen the row.

    Attributes
    ----------
    rows : ndarray (n,)
        Positions in the data set, increasing.
    p : ndarray (n, k)
        Mean probabilities, or (n, 1) predictions.
    """

    rows: np.ndarray
    p: np.ndarray


@dataclass(frozen=True)
class NoiseEstimate:
    """Estimated share of wrong labels with its 95 % Jeffreys interval, from `n` sure rows."""

    share: float
    low: float
    high: float
    n: int


def quality(dataset: Dataset, found: OutOfFold) -> np.ndarray:
    """Label quality in [0, 1] of `found.rows`; low is suspect."""
    y = dataset.y[found.rows]
    if dataset.classes:
        return found.p[np.arange(len(y)), y]
    residual = np.abs(y - found.p[:, 0])
    return 1 - (rankdata(residual) - 1) / max(len(y) - 1, 1)


def noise_share(dataset: Dataset, found: OutOfFold) -> NoiseEstimate:
    """Share of wrong labels, read where the nets are surest."""
    y = dataset.y[found.rows]
    wrong = _disagreements_of_the_surest(y, found.p) if dataset.classes else _outliers(y, found.p)
    x, n = int(wrong.sum()), len(wrong)
    low, high = beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)
    return NoiseEstimate(x / n, float(low) if x else 0.0, float(high), n)


def suspects(dataset: Dataset, found: OutOfFold) -> np.ndarray:
    """(n,) bool: the rows of lowest quality that disagree, as many as the share says."""
    y = dataset.y[found.rows]
    if not dataset.classes:
        return _outliers(y, found.p)
    disagrees = found.p.argmax(axis=1) != y
    count = min(round(noise_share(dataset, found).share * len(y)), int(disagrees.sum()))
    q = np.where(disagrees, quality(dataset, found), np.inf)
    chosen = np.zeros(len(y), dtype=bool)
    chosen[np.argsort(q, kind="stable")[:count]] = True
    return chosen


def _disagreements_of_the_surest(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Whether the label differs, for the surest third of the rows of each predicted class."""
    predicted, confidence = p.argmax(axis=1), p.max(axis=1)
    order = np.lexsort((-confidence, predicted))
    counts = np.bincount(predicted, minlength=p.shape[1])
    place = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    sure = order[place < np.ceil(SUREST * counts[predicted[order]])]
    return predicted[sure] != y[sure]


def _outliers(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    residual = y - p[:, 0]
    spread = median_abs_deviation(residual, scale="normal")
    return np.abs(residual - np.median(residual)) > OUTLIER * (spread or np.inf)
