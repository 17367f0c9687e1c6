"""Which labels are probably wrong, and how many, from out-of-fold predictions.

Quality of a label is the probability that it is right, given what nets, a linear model and a forest
say of the row without having seen it (`diagnostics.wrong_labels`). As many rows as
the share says, those of the lowest quality, are suspected.

For regression the quality is the rank of the absolute out-of-fold residual, and rows beyond five
robust standard deviations are suspected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import beta, median_abs_deviation, rankdata

from overparam.data.dataset import Dataset
from overparam.diagnostics.wrong_labels import LabelQuality, label_quality

OUTLIER = 5.0  # robust standard deviations; one in two million Gaussian rows


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions by models that have not seen the row.

    Attributes
    ----------
    rows : ndarray (n,)
        Positions in the data set, increasing.
    p : ndarray (n, k)
        Mean probabilities of the nets, or (n, 1) predictions.
    models : ndarray (Q, n, k) or None
        Probabilities by kinds of models, the nets' first; None where there are only nets.
    """

    rows: np.ndarray
    p: np.ndarray
    models: np.ndarray | None = None


@dataclass(frozen=True)
class NoiseEstimate:
    """Estimated share of wrong labels with its 95 % interval, from `n` rows."""

    share: float
    low: float
    high: float
    n: int


def quality(dataset: Dataset, found: OutOfFold) -> np.ndarray:
    """Label quality in [0, 1] of `found.rows`; low is suspect."""
    y = dataset.y[found.rows]
    if dataset.classes:
        return judged(dataset, found).quality
    residual = np.abs(y - found.p[:, 0])
    return 1 - (rankdata(residual) - 1) / max(len(y) - 1, 1)


def noise_share(dataset: Dataset, found: OutOfFold) -> NoiseEstimate:
    """Share of wrong labels, or of the outliers of a regression."""
    y = dataset.y[found.rows]
    if dataset.classes:
        result = judged(dataset, found)
        return NoiseEstimate(result.share, result.low, result.high, len(y))
    outlying = _outliers(y, found.p)
    x, n = int(outlying.sum()), len(outlying)
    low, high = beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)  # Jeffreys
    return NoiseEstimate(x / n, float(low) if x else 0.0, float(high), n)


def suspects(dataset: Dataset, found: OutOfFold) -> np.ndarray:
    """(n,) bool: rows of lowest quality, as many as the share says and more wrong than right."""
    y = dataset.y[found.rows]
    if not dataset.classes:
        return _outliers(y, found.p)
    result = judged(dataset, found)
    likely = int((result.quality < 0.5).sum())
    chosen = np.zeros(len(y), dtype=bool)
    count = min(round(result.share * len(y)), likely)
    chosen[np.argsort(result.quality, kind="stable")[:count]] = True
    return chosen


@lru_cache(maxsize=4)
def judged(dataset: Dataset, found: OutOfFold) -> LabelQuality:
    """Quality and share of a classification's labels, computed once for the same predictions."""
    models = found.p[None] if found.models is None else found.models
    return label_quality(models, dataset.y[found.rows])


def _outliers(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    residual = y - p[:, 0]
    spread = median_abs_deviation(residual, scale="normal")
    return np.abs(residual - np.median(residual)) > OUTLIER * (spread or np.inf)
