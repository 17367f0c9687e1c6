"""How many dimensions the data fill, from the two nearest neighbours of each row.

If the density hardly changes between the first and the second neighbour of a row, the ratio
mu = r_2 / r_1 of their distances has the law P(mu > x) = x^-d, whatever the density (Facco,
d'Errico, Rodriguez and Laio 2017). The likelihood of d is largest at n / sum log mu; with n - 1 in
place of n the estimate has no bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

MOST_ROWS = 5_000  # of which the neighbours are looked up, among all rows
TRIMMED = 0.1  # largest ratios left out: outliers, whose two neighbours are both far away


def two_nn_dimension(X: Any, *, most_rows: int = MOST_ROWS, seed: int = 0) -> float:
    """Estimate the intrinsic dimension of the rows of X.

    Parameters
    ----------
    X : array-like of shape (n, p)
        Features in one unit. Equal rows count once.
    most_rows : int
        Rows whose neighbours are looked up; beyond it they are drawn at random.
    seed : int
        Of the drawing.

    Returns
    -------
    float
        The dimension. The standard error is about d / sqrt(rows); curvature and noise at the scale
        of the neighbours make it too large, a high dimension (above 20, say) too small, since
        neighbours are then as far away as the borders.

    Raises
    ------
    ValueError
        With fewer than 10 different rows.

    Notes
    -----
    The largest tenth of the ratios is censored: of m rows the k smallest log mu enter the
    likelihood as they are, the others as "at least the k-th":
    d = (k - 1) / (sum of the k + (m - k) times the k-th).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plane = rng.random((2000, 2)) @ rng.normal(size=(2, 50))      # 2 dimensions of 50
    >>> round(two_nn_dimension(plane), 1)
    2.0
    """
    rows = np.unique(np.asarray(X, dtype=float), axis=0)
    if len(rows) < 10:
        raise ValueError(f"X must hold at least 10 different rows; got {len(rows)}.")
    asked = rows
    if len(rows) > most_rows:
        asked = rows[np.random.default_rng(seed).choice(len(rows), most_rows, replace=False)]
    distances = NearestNeighbors(n_neighbors=3).fit(rows).kneighbors(asked)[0]
    first, second = distances[:, 1], distances[:, 2]
    log_ratio = np.sort(np.log(second[first > 0] / first[first > 0]))
    kept = int(np.ceil((1 - TRIMMED) * len(log_ratio)))
    total = log_ratio[:kept].sum() + (len(log_ratio) - kept) * log_ratio[kept - 1]
    if not total > 0:
        raise ValueError("X must have rows at different distances; got two equal ones everywhere.")
    return float((kept - 1) / total)
