"""Bounds on the generalisation of a trained last layer, by the norm of its weights.

Linear classes of norm Lambda on features of mean square norm R^2 have a Rademacher complexity of at
most Lambda R / sqrt(P) on P samples (Bartlett and Mendelson 2002). What Lambda is taken to be makes
the bound. Features H (P, N1), weights trained from w0 to the end, Pi the projection on H's rows:

    naive         |w|
    effective     |Pi w|: outside the row space w is still w0, which knows nothing of the labels
    alternative   sqrt(|Pi w0|^2 + |y|^2 / l),  l the least non-zero eigenvalue of H^T H; since
                  Pi w = H^+ y, it is at least as large and needs no training

After arXiv 1710.03667, where a bound with both effects, the frozen subspace and the conditioning of
the inputs, follows the simulations. Constants are ours: those of the paper are not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.kernels.linear_flow import LinearFlow


@dataclass(frozen=True)
class Bounds:
    """Bounds on the complexity of the trained weights; none need be below 1.

    Attributes
    ----------
    parameter_count : float
        sqrt(N1 / P), which ignores the weights.
    naive, effective, alternative : float
        Lambda R / sqrt(P) by the norm of all weights, of those that could move, and a priori.
    lambda_min : float
        Least non-zero eigenvalue of H^T H.
    rank : int
        Directions of the weights that could move; N1 - rank are frozen.
    """

    parameter_count: float
    naive: float
    effective: float
    alternative: float
    lambda_min: float
    rank: int


def generalization_bound(H: Any, y: Any, w0: Any = 0.0) -> Bounds:
    """Bounds for linear regression on features H, trained by gradient descent to the end.

    Parameters
    ----------
    H : array (P, N1)
        Features of the P training rows.
    y : array (P,)
        Their targets.
    w0 : float or array (N1,)
        Initial weights.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are not finite, or all features are 0.

    Notes
    -----
    One eigendecomposition of the smaller Gram matrix. The bounds order networks; they are no
    guarantee: on images, beyond as many features as rows, all are above 1.

    Examples
    --------
    >>> H = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> bounds = generalization_bound(H, [1.0, 2.0], [0.0, 0.0, 3.0])
    >>> bounds.rank, round(bounds.effective / bounds.naive, 3)
    (2, 0.426)
    """
    H, y, w0 = (np.asarray(value, dtype=float) for value in (H, y, w0))
    if H.ndim != 2 or not H.size or not np.isfinite(H).all() or not H.any():
        raise ValueError(f"H must be a finite matrix that is not all 0; got shape {H.shape}.")
    P, N1 = H.shape
    if y.shape != (P,) or not np.isfinite(y).all():
        raise ValueError(f"y must be one finite number per row of H, ({P},); got shape {y.shape}.")
    if w0.shape not in ((), (N1,)) or not np.isfinite(w0).all():
        raise ValueError(
            f"w0 must be a number or one per column of H, ({N1},); got shape {w0.shape}."
        )
    return bounds_of(LinearFlow(H), y, w0)


def bounds_of(flow: LinearFlow, y: np.ndarray, w0: Any = 0.0) -> Bounds:
    """`generalization_bound` where the features are decomposed already."""
    P, N1 = flow.X.shape
    start = np.zeros(N1) + w0
    basis = flow.basis()
    held = basis.T @ start
    learned = flow.along(y) / np.sqrt(flow.eigenvalues)  # Pi w, in the basis
    frozen = max(float(start @ start - held @ held), 0.0)
    scale = np.sqrt((flow.X**2).sum() / P / P)
    least = float(flow.eigenvalues[0])
    effective = float(learned @ learned)
    return Bounds(
        float(np.sqrt(N1 / P)),
        float(np.sqrt(effective + frozen) * scale),
        float(np.sqrt(effective) * scale),
        float(np.sqrt(held @ held + y @ y / least) * scale),
        least,
        len(flow.eigenvalues),
    )
