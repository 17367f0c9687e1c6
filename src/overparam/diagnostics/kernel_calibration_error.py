"""Squared kernel calibration error: calibration of the whole probability vector, without bins.

    SKCE = E (e_Y - p)^T (e_Y' - p') kappa(p, p'),   kappa = exp(-||p - p'|| / nu)

(Widmann, Lindsten and Zachariah 2019, eq. 9, the matrix-valued kernel kappa * I). The unbiased
estimate averages over pairs i != j; it may be negative and has mean zero when y ~ p.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.diagnostics.probability_inputs import check_labels, check_probabilities

MOST_ROWS = 5000  # n^2 pairs; beyond this a random subsample
BLOCK = 1024


def _distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    squares = (rows**2).sum(1)[:, None] + (others**2).sum(1)[None, :] - 2 * rows @ others.T
    return np.sqrt(np.maximum(squares, 0.0))


def skce(probs: Any, y: Any, *, bandwidth: float | None = None, seed: int = 0) -> float:
    """Unbiased estimate of the squared kernel calibration error.

    Parameters
    ----------
    probs : array or tensor of shape (n, k)
        Predicted probabilities; rows sum to one.
    y : array or tensor of shape (n,)
        Labels 0..k-1.
    bandwidth : float, optional
        nu of the kernel. By default the median distance of pairs (of at most 1,000 rows).
    seed : int
        Chooses the subsample when n > 5,000.

    Returns
    -------
    float
        O(n^2 k) time in blocks of 1,024 rows, 8 MB at a time.
    """
    p = check_probabilities(probs)
    labels = check_labels(y, *p.shape)
    rng = np.random.default_rng(seed)
    if len(p) > MOST_ROWS:
        rows = rng.choice(len(p), MOST_ROWS, replace=False)
        p, labels = p[rows], labels[rows]
    n = len(p)
    if bandwidth is None:
        few = p if n <= 1000 else p[rng.choice(n, 1000, replace=False)]
        bandwidth = float(np.median(_distances(few, few)[np.triu_indices(len(few), 1)]))
        bandwidth = bandwidth or 1.0  # all predictions equal: the kernel is 1 whatever nu
    elif not bandwidth > 0:
        raise ValueError(f"bandwidth must be a number > 0; got {bandwidth!r}.")
    residual = -p.copy()
    residual[np.arange(n), labels] += 1.0
    total = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        kernel = np.exp(-_distances(p[block], p) / bandwidth)
        np.fill_diagonal(kernel[:, start:], 0.0)  # only pairs i != j
        total += float(np.sum((residual[block] @ residual.T) * kernel))
    return total / (n * (n - 1))
