"""The spectrum of a sample covariance: the law of Marchenko and Pastur, or one's own.

X is N x P with independent entries of variance 1/N and alpha = P / N. The eigenvalues l of X X^T
have mass max(0, 1 - alpha) at 0 and, on (1 - sqrt(alpha))^2 .. (1 + sqrt(alpha))^2, the density

    rho(l) = sqrt((l+ - l)(l - l-)) / (2 pi l),        mass min(1, alpha), mean alpha.

With l = 1 + alpha + 2 sqrt(alpha) cos(theta) an integral over rho has a smooth periodic integrand,
4 alpha sin^2(theta) / (2 pi l) d theta, for which midpoints converge exponentially.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Spectrum(NamedTuple):
    """Eigenvalues of X X^T as a measure of mass 1.

    Attributes
    ----------
    values : ndarray (n,)
        Eigenvalues > 0.
    weights : ndarray (n,)
        Their masses.
    zero_mass : float
        Share of directions without any data.
    """

    values: Array
    weights: Array
    zero_mass: float


def marchenko_pastur(alpha: float, n_nodes: int = 4000) -> Spectrum:
    """Nodes and weights that integrate smooth functions over the Marchenko-Pastur law.

    Parameters
    ----------
    alpha : float
        Samples per parameter, P / N > 0.
    n_nodes : int
        Enough are about 20 / |log alpha| for rational functions, and 2 sqrt(t) for exp(-l t) at
        alpha = 1.

    Examples
    --------
    >>> values, weights, zero_mass = marchenko_pastur(0.5)
    >>> print(f"{weights.sum() + zero_mass:.12f} {weights @ values:.12f}")
    1.000000000000 0.500000000000
    """
    if not 0 < alpha < np.inf:
        raise ValueError(f"alpha must be a number > 0; got {alpha!r}.")
    if n_nodes != int(n_nodes) or n_nodes < 1:
        raise ValueError(f"n_nodes must be an integer >= 1; got {n_nodes!r}.")
    theta = (np.arange(int(n_nodes)) + 0.5) * np.pi / n_nodes
    # (1 - sqrt(alpha))^2 + 4 sqrt(alpha) cos^2(theta / 2): no cancellation at the lower edge.
    edge, root = (1 - np.sqrt(alpha)) ** 2, np.sqrt(alpha)
    values = edge + 4 * root * np.cos(theta / 2) ** 2
    weights = 2 * alpha * np.sin(theta) ** 2 / values / n_nodes
    return Spectrum(values, weights, max(0.0, 1.0 - alpha))


def as_spectrum(spectrum: Any) -> Spectrum:
    """Check a triple (values, weights, zero_mass) of the user's own.

    Raises
    ------
    ValueError
        If values are not > 0, masses are negative, or shapes differ.
    """
    values, weights, zero_mass = spectrum
    values, weights = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if values.ndim != 1 or values.shape != weights.shape or not len(values):
        raise ValueError(
            "spectrum must hold vectors of values and weights of one length; got shapes "
            f"{values.shape} and {weights.shape}."
        )
    if not ((values > 0) & np.isfinite(values)).all():
        raise ValueError(
            f"spectrum must have finite values > 0; got {values.min():g}. "
            "The mass of zeros is its third entry."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all() or not 0 <= zero_mass < np.inf:
        raise ValueError("spectrum must have finite weights and a zero mass >= 0.")
    return Spectrum(values, weights, float(zero_mass))
