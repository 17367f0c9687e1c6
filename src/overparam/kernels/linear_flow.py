"""Gradient flow of linear regression at every time, from one decomposition.

On half the summed squared error, with rows X (n, d), residual r = y - X w(0) at the start and
phi_t(l) = (1 - e^{-lt}) / l for each eigenvalue l of X X^T = U l U^T,

    w(t) = w(0) + X^T U phi_t U^T r = w(0) + V phi_t V^T X^T r,       X^T X = V l V^T.

The smaller of the two matrices is decomposed, O(min(n, d)^2 max(n, d)). Directions of w outside the
row space of X never move: they are frozen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Array = NDArray[np.float64]


class LinearFlow:
    """Linear regression on rows X by gradient flow, for any targets, start and times.

    Parameters
    ----------
    X : array (n, d)

    Attributes
    ----------
    eigenvalues : ndarray (rank,)
        Those of X X^T above rounding, ascending.
    """

    def __init__(self, X: Any) -> None:
        self.X = np.asarray(X, dtype=float)
        n, d = self.X.shape
        self._dual = n <= d
        gram = self.X @ self.X.T if self._dual else self.X.T @ self.X
        values, vectors = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
        kept = values > max(n, d) * np.finfo(float).eps * max(values[-1], 0.0)
        self.eigenvalues: Array = values[kept]
        self._vectors = np.ascontiguousarray(vectors[:, kept])

    def along(self, residual: Any) -> Array:
        """U^T r, (rank,) or (rank, k), of a residual (n,) or (n, k)."""
        r = np.asarray(residual, dtype=float)
        if self._dual:
            return self._vectors.T @ r
        return ((self._vectors.T @ (self.X.T @ r)).T / np.sqrt(self.eigenvalues)).T

    def basis(self) -> Array:
        """Orthonormal basis (d, rank) of the directions of w that can move."""
        if not self._dual:
            return self._vectors
        return self.X.T @ (self._vectors / np.sqrt(self.eigenvalues))

    def weights(self, y: Any, times: Any, w0: Any = 0.0) -> Array:
        """Weights (d, T) for targets y (n,) at times (T,) from w0 (d,)."""
        start = np.zeros(self.X.shape[1]) + w0
        moved = self._shares(times) * self._along_start(y, start)
        return start[:, None] + self.basis() @ moved.T

    def predict(self, Z: Any, y: Any, times: Any, w0: Any = 0.0) -> Array:
        """Predictions (m, T) on rows Z (m, d), or (m, T, k) for targets y (n, k) and w0 (d, k)."""
        Z, y = np.asarray(Z, dtype=float), np.asarray(y, dtype=float)
        start = np.zeros((self.X.shape[1], *y.shape[1:])) + w0
        along = self._along_start(y, start)  # (rank, ...)
        share = self._shares(times).T.reshape(len(along), -1, *(1,) * (y.ndim - 1))
        moved = (share * along[:, None]).reshape(len(along), -1)
        out = (self._towards(Z) @ moved).reshape(len(Z), share.shape[1], *y.shape[1:])
        return out + (Z @ start)[:, None]

    def ridge(self, Z: Any, y: Any, ridges: Any) -> Array:
        """Predictions (m, R) or (m, R, k) of ridge regression, for the penalties (R,) of X^T X."""
        Z, y = np.asarray(Z, dtype=float), np.asarray(y, dtype=float)
        along = self.along(y)
        shrink = np.sqrt(self.eigenvalues) / (np.asarray(ridges)[:, None] + self.eigenvalues)
        share = shrink.T.reshape(len(along), -1, *(1,) * (y.ndim - 1))
        moved = (share * along[:, None]).reshape(len(along), -1)
        return (self._towards(Z) @ moved).reshape(len(Z), share.shape[1], *y.shape[1:])

    def _along_start(self, y: Any, start: Array) -> Array:
        return self.along(np.asarray(y, dtype=float) - self.X @ start)

    def _shares(self, times: Any) -> Array:
        """sqrt(l) phi_t(l), (T, rank)."""
        t = np.asarray(times, dtype=float)[:, None]
        return -np.expm1(-t * self.eigenvalues) / np.sqrt(self.eigenvalues)

    def _towards(self, Z: Array) -> Array:
        """Z times the basis, (m, rank), by the cheaper way."""
        if not self._dual:
            return Z @ self._vectors
        return (Z @ self.X.T) @ (self._vectors / np.sqrt(self.eigenvalues))
