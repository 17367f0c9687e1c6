"""Which labels are probably wrong, and how many, from out-of-fold predictions.

Quality of a label is the out-of-fold probability of the label (self-confidence, Northcutt et al.
2021). A low quality alone does not mean a wrong label: where classes overlap, good labels look
improbable too. What tells the two apart is how the labels disagree as the nets get surer. Wrong
labels that do not depend on the features leave a floor: they disagree as often where the nets are
surest as where they are merely sure. Doubt vanishes there. So the rate of disagreement is fitted,
over q, the half-normal score of a row's confidence rank among the rows of its predicted class, by

    rate(q) = share + (1 - share k / (k - 1)) / (1 + exp(a + b q)),        b >= 0,

a psychometric function with a lapse rate (Wichmann and Hill 2001), for k classes; it is exact for
Gaussian logits of two classes. That the surest rows have one class only is the anchor-point
condition of Liu and Tao 2016. The interval is the profile likelihood's: it is wide where the data
do not tell noise from doubt. As many rows as the share says, those of the lowest quality, are
suspected.

For regression the quality is the rank of the absolute out-of-fold residual, and rows beyond five
robust standard deviations are suspected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import beta, chi2, median_abs_deviation, rankdata

from overparam.data.dataset import Dataset

BINS = 40  # of the ranks; within one the rate hardly changes
SHARES = 81  # tried between none and all of the disagreements, closer together near none
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
    """Estimated share of wrong labels with its 95 % interval, from `n` rows."""

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
    """Share of wrong labels: the floor of the disagreement, or outliers of a regression."""
    y = dataset.y[found.rows]
    if dataset.classes:
        return disagreement_floor(y, found.p)
    outlying = _outliers(y, found.p)
    x, n = int(outlying.sum()), len(outlying)
    low, high = beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)  # Jeffreys
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


def disagreement_floor(y: np.ndarray, p: np.ndarray) -> NoiseEstimate:
    """The share in rate(q) by maximum likelihood, over a grid of all three parameters.

    A grid, since the likelihood has several maxima where few labels disagree; 0.1 s for any n.
    """
    wrong = p.argmax(axis=1) != y
    rank = _confidence_rank(p)
    bins = np.array_split(np.argsort(rank, kind="stable"), min(BINS, len(y)))
    q = ndtri([(1 + rank[rows].mean()) / 2 for rows in bins])
    x, n = (np.array([value[rows].sum() for rows in bins]) for value in (wrong, np.ones(len(y))))
    doubt = _doubt(q, chance=1 - np.bincount(y).max() / len(y))
    spread = p.shape[1] / (p.shape[1] - 1)  # a flip may also make a doubtful label agree
    most = min(wrong.mean() + 3 / np.sqrt(len(y)), 1 / spread)
    shares = most * np.linspace(0, 1, SHARES) ** 2
    likelihood = np.empty(SHARES)
    for i, share in enumerate(shares):
        rate = np.clip(share + (1 - spread * share) * doubt, 1e-300, 1 - 1e-16)
        likelihood[i] = (np.log(rate) @ x + np.log1p(-rate) @ (n - x)).max()
    inside = shares[likelihood >= likelihood.max() - chi2.ppf(0.95, 1) / 2]
    best = float(shares[likelihood.argmax()])
    return NoiseEstimate(best, float(inside[0]), float(inside[-1]), len(y))


def _doubt(q: np.ndarray, chance: float) -> np.ndarray:
    """(curves, bins) 1 / (1 + exp(a + b q)); also constant near `chance`, for nets without skill.

    Constants below would explain any share of wrong labels as doubt that confidence knows nothing
    of.
    """
    b = np.geomspace(0.25, 32, 22)[:, None, None]
    middle = np.linspace(-4, 4, 49)[:, None]
    curves = expit(-b * (q - middle)).reshape(-1, len(q))
    level = np.linspace(0.9, min(1.1, 1 / max(chance, 1e-9)), 5)[:, None]
    return np.concatenate([curves, chance * level * np.ones(len(q))])


def _confidence_rank(p: np.ndarray) -> np.ndarray:
    """(n,) rank in (0, 1) of each row's confidence among the rows of its predicted class."""
    predicted, confidence = p.argmax(axis=1), p.max(axis=1)
    order = np.lexsort((confidence, predicted))
    count = np.bincount(predicted, minlength=p.shape[1])
    place = np.empty(len(p))
    place[order] = np.arange(len(p)) - np.repeat(np.cumsum(count) - count, count)
    return (place + 0.5) / count[predicted]


def _outliers(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    residual = y - p[:, 0]
    spread = median_abs_deviation(residual, scale="normal")
    return np.abs(residual - np.median(residual)) > OUTLIER * (spread or np.inf)
