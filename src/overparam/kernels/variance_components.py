"""Variances of signal and noise in linear data, by marginal likelihood.

Rows X (n, d), targets y ~ N(mean, s_w^2 X X^T + s_e^2 I). In the modes of X X^T, with g = s_e^2 /
s_w^2, z the targets along a mode of eigenvalue l, m degrees of freedom in all and `rest` the sum of
squares outside the r modes, the likelihood at its best s_w^2 is a function of g alone:

    Q(g) = sum z^2 / (l + g) + rest / g,          s_w^2 = Q / m,
    -2 log L = m log Q + sum log(l + g) + (m - r) log g + constant.

The mean of y is integrated out: m = n - 1, and X and y are centred. (Counting the direction of the
mean as one more row with z = 0, as is done where a mean is simply taken off, would say that one
target is known exactly: with d >= n the likelihood then grows without bound as the noise vanishes.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

PLACES = 500  # of log g, among which the best is sought before its root
LEAST, MOST = 1e-10, 1e8  # of g in units of the largest eigenvalue: no noise, no signal


@dataclass(frozen=True)
class VarianceComponents:
    """Variance of a weight and of the noise, in units of the targets'; `ridge` is their ratio.

    `noise_free` and `signal_free` tell that the likelihood has its maximum at an end: no noise, or
    no linear signal.
    """

    weight: float
    noise: float
    ridge: float
    noise_free: bool
    signal_free: bool


def variance_components(
    eigenvalues: np.ndarray, squares: np.ndarray, rest: float, freedom: int
) -> VarianceComponents:
    """Maximise the marginal likelihood.

    Parameters
    ----------
    eigenvalues : ndarray (r,)
        Of X X^T, > 0.
    squares : ndarray (r,)
        z^2, the squared targets along each mode; for several targets with the same variances the
        mean over them.
    rest : float
        Sum of squares of the targets outside the modes.
    freedom : int
        m >= r.
    """
    spare = freedom - len(eigenvalues)

    def sums(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Q and -2 log L at each g."""
        shifted = eigenvalues + g[:, None]
        Q = (squares / shifted).sum(axis=1) + rest / g
        return Q, freedom * np.log(Q) + np.log(shifted).sum(axis=1) + spare * np.log(g)

    def slope(u: float) -> float:
        """Derivative of -2 log L by u = log g."""
        g = np.exp(u)
        share = g / (eigenvalues + g)
        down = (squares * share / (eigenvalues + g)).sum() + rest / g
        Q = (squares / (eigenvalues + g)).sum() + rest / g
        return float(share.sum() + spare - freedom * down / Q)

    top = eigenvalues.max()
    u = np.log(top) + np.linspace(np.log(LEAST), np.log(MOST), PLACES)
    best = int(sums(np.exp(u))[1].argmin())
    ends = u[max(best - 1, 0)], u[min(best + 1, PLACES - 1)]
    inside = slope(ends[0]) < 0 < slope(ends[1])
    ridge = float(np.exp(brentq(slope, *ends, xtol=1e-13) if inside else u[best]))
    weight = float(sums(np.array([ridge]))[0][0] / freedom)
    return VarianceComponents(
        weight, ridge * weight, ridge, best == 0 and not inside, best == PLACES - 1 and not inside
    )
