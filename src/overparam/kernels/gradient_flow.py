"""Infinitely wide nets at any time of their training.

Gradient flow on L = 1/2 sum_i |f(x_i) - y_i|^2 + ridge/2 |theta - theta_0|^2, all weights at the
rate 1. In the limit of infinite width f moves by the tangent kernel T and starts as a Gaussian
process with covariance K. With

    A_t(z) = T(z, X) (T + ridge)^-1 (1 - exp(-(T + ridge) t)),       T = T(X, X),

    mean(z)     = A_t(z) y,
    cov(z, z')  = K(z, z') + A_t(z) K(X, X) A_t(z')^T - A_t(z) K(X, z') - K(z, X) A_t(z')^T

are those of an ensemble of such nets over their initial weights (Lee et al. 2019,
arXiv 1902.06720, equations 14 to 16). It is not the posterior of a Bayesian net: the second kernel
only starts the nets, the first one trains them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from overparam.kernels.infinite_kernel import Kernel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FlowPrediction:
    """The ensemble at one time, or with a leading axis of times.

    `mean` is (m,) or (m, k) like the targets, `variance` (m,), the same for every output;
    `covariance` is (m, m) where it was asked for, else None.
    """

    mean: Array
    variance: Array
    covariance: Array | None


class GradientFlow:
    """Predictions of the infinite ensemble, from one eigendecomposition for all times.

    Parameters
    ----------
    kernel : Kernel
        From `fully_connected` or `convolutional`.
    X : array-like of shape (n, ...)
        Training rows.
    y : array-like of shape (n,) or (n, k)
        Their targets.
    ridge : float
        Strength of the pull to the initial weights, >= 0.

    Notes
    -----
    Setting up costs O(n^3) time and four n x n matrices. The unit of time belongs to the summed
    loss: for a mean over n rows, multiply times by n; for T steps of gradient descent at the rate
    eta, t = T eta. A net follows the flow while eta < 2 / (largest eigenvalue of T + ridge).

    Raises
    ------
    ValueError
        If targets and rows differ in number, or targets are not finite.

    Examples
    --------
    >>> from overparam.kernels.dense_kernel import fully_connected
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> flow = GradientFlow(fully_connected("relu", 2), X, [1.0, -1.0])
    >>> at_end = flow.predict(X, np.inf)
    >>> np.abs(at_end.mean - [1.0, -1.0]).max() < 1e-12, at_end.variance.max() < 1e-12
    (np.True_, np.True_)
    """

    def __init__(self, kernel: Kernel, X: Any, y: Any, *, ridge: float = 0.0) -> None:
        if not ridge >= 0:
            raise ValueError(f"ridge must be a number >= 0; got {ridge!r}.")
        targets = np.asarray(y, dtype=np.float64)
        self.X = np.asarray(X)
        if targets.ndim not in (1, 2) or len(targets) != len(self.X):
            raise ValueError(
                f"y must have one row of targets per row of X; got {targets.shape} "
                f"for {len(self.X)} rows."
            )
        if not np.isfinite(targets).all():
            raise ValueError("y must be finite; got NaN or infinity.")
        self.kernel = kernel
        self.ridge = float(ridge)
        nngp, ntk = kernel(self.X, kind="both")
        self.eigenvalues, self._vectors = eigh(ntk)
        # Rounding leaves the null space at +-eps times the largest: it is 0, and is not learned.
        floor = len(ntk) * np.finfo(np.float64).eps * self.eigenvalues[-1]
        self.eigenvalues[self.eigenvalues < floor] = 0.0
        self._start = self._vectors.T @ nngp @ self._vectors
        self._targets = self._vectors.T @ targets

    def predict(self, Z: Any, t: Any, *, covariance: bool = False) -> FlowPrediction:
        """Return mean and variance of the ensemble at rows Z and time t.

        Parameters
        ----------
        Z : array-like of shape (m, ...)
            Where to predict.
        t : float or sequence of float
            Times >= 0; `numpy.inf` is the end of training.
        covariance : bool
            Whether to return the (m, m) covariance too.

        Raises
        ------
        ValueError
            If a time is negative or NaN.
        """
        times = np.asarray(t, dtype=np.float64)
        if times.ndim > 1 or not (times >= 0).all():
            raise ValueError(f"t must be a time >= 0 or a sequence of them; got {t!r}.")
        nngp, ntk = self.kernel(Z, self.X, "both")
        start, reach = nngp @ self._vectors, ntk @ self._vectors  # K(z, X) and T(z, X), turned
        if covariance:
            prior = self.kernel(Z, kind="nngp")
        else:
            prior = self.kernel.diagonal(Z, "nngp")
        moments = [self._at(time, start, reach, prior) for time in np.atleast_1d(times)]
        mean, spread = (np.stack(part) for part in zip(*moments, strict=True))
        if times.ndim == 0:
            mean, spread = mean[0], spread[0]
        if covariance:
            return FlowPrediction(mean, np.diagonal(spread, axis1=-2, axis2=-1).copy(), spread)
        return FlowPrediction(mean, spread, None)

    def _at(self, time: float, start: Array, reach: Array, prior: Array) -> tuple[Array, Array]:
        """Mean, and covariance or variance as `prior` is one or the other, at one time."""
        A = reach * self._learned(time)
        mean = A @ self._targets
        if prior.ndim == 2:
            cross = A @ start.T
            return mean, prior + A @ self._start @ A.T - cross - cross.T
        row = np.einsum("ij,ij->i", A @ self._start - 2.0 * start, A)
        return mean, np.maximum(prior + row, 0.0)  # rounding alone can make it negative

    def _learned(self, time: float) -> Array:
        """(1 - exp(-m t)) / m for m = eigenvalue + ridge; t where m = 0, and 0 at the end."""
        m = self.eigenvalues + self.ridge
        if np.isinf(time):
            return np.divide(1.0, m, out=np.zeros_like(m), where=m > 0)
        return np.divide(-np.expm1(-m * time), m, out=np.full_like(m, time), where=m > 0)
