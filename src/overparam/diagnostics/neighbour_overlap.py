"""How much of the data lies where classes overlap, from nearest neighbours.

Where two classes are a fair coin, the nearest other row has another label half of the time: twice
the share of such rows estimates the overlap. Wrong labels do the same, so that twice their
estimated share is taken off. (The nearest-neighbour rule of Cover and Hart 1967 read backwards.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from overparam.diagnostics.probability_inputs import as_array

MOST_ROWS = 5_000  # the interval is then within 3 points


def nearest_disagreement(X: Any, y: Any, *, seed: int = 0) -> np.ndarray:
    """Whether each row's nearest other row has another label, (n,) bool; at most 5,000 rows.

    Brute force in blocks: O(n^2 d) time.
    """
    features = as_array(X).reshape(len(X), -1).astype(np.float32, copy=False)
    labels = as_array(y)
    if len(features) != len(labels):
        raise ValueError(
            f"y must have one label a row of X; got {len(labels)} labels for {len(features)} rows."
        )
    if len(features) < 2:
        raise ValueError(f"X must have at least 2 rows; got {len(features)}.")
    if len(features) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(features), MOST_ROWS, replace=False))
        features, labels = features[rows], labels[rows]
    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(features)
    nearest = index.kneighbors(return_distance=False)[:, 0]
    return labels[nearest] != labels


def label_overlap(
    X: Any, y: Any, *, noise_share: float = 0.0, resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Estimate of the label overlap with a 95 % bootstrap interval over rows.

    Parameters
    ----------
    X : array of shape (n, ...)
        Preprocessed features.
    y : array of shape (n,)
        Labels.
    noise_share : float
        Estimated share of wrong labels, in [0, 1].

    Returns
    -------
    (float, float, float)
        Estimate, low, high: 2 * share - 2 * noise_share, clipped to [0, 1].
    """
    if not 0 <= noise_share <= 1:
        raise ValueError(f"noise_share must lie in [0, 1]; got {noise_share!r}.")
    differs = nearest_disagreement(X, y, seed=seed)
    n = len(differs)
    # The bootstrap of a share is a binomial draw.
    shares = np.random.default_rng(seed).binomial(n, differs.mean(), size=resamples) / n
    values = 2 * np.array([differs.mean(), *np.quantile(shares, [0.025, 0.975])]) - 2 * noise_share
    estimate, low, high = np.clip(values, 0.0, 1.0)
    return float(estimate), float(low), float(high)
