"""Ridge regression at every ridge from one decomposition: coefficients, exact leave-one-out, GCV.

With K = U S U^T, G = (K + delta I)^-1 and, for an intercept that is not penalised, g = G 1,

    P = G - g g^T / (1^T g)                 (P = G without intercept)
    alpha = P y,   y - yhat = delta alpha,   intercept = g^T y / (1^T g)
    leave-one-out residual  e_i = alpha_i / P_ii                             exact: no refit
    GCV = (1/n) |alpha|^2 / ((1/n) tr P)^2                                   arXiv 2311.14646

delta cancels in both, so that they hold at delta = 0 too. For k < n features the decomposition is a
thin one: delta G = (I - U U^T) + U delta / (S + delta) U^T, and the same formulas hold for it.
The ridge is added to K, not n times the ridge. Errors are summed over targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh, svd

PER_DECADE = 4
BLOCK = 16  # ridges at once: enough for matrix products, little beside U


class RidgePath:
    """Every ridge of one regression.

    Make it by `from_kernel` or `from_features`; a decomposition once, O(n^3), then O(n r) a ridge
    for leave-one-out and O(r) for GCV, with rank r.

    Attributes
    ----------
    eigenvalues : ndarray (r,)
        Of the kernel matrix. Those below rounding are raised to n eps times the largest, so that a
        ridge of zero interpolates as well as the arithmetic allows.
    """

    def __init__(
        self, eigenvalues: np.ndarray, vectors: np.ndarray, targets: np.ndarray, *, intercept: bool
    ) -> None:
        n, rank = vectors.shape
        floor = n * np.finfo(float).eps * max(float(eigenvalues.max()), np.finfo(float).tiny)
        self.eigenvalues = np.maximum(eigenvalues, floor)
        self.intercept = intercept
        self._thin = rank < n
        self._U = vectors
        self._Y = targets
        self._y = vectors.T @ targets  # (r, t)
        self._one = vectors.sum(axis=0)  # U^T 1
        # What the thin decomposition leaves out, with weight 1 there and 0 for a whole one.
        self._y_rest = targets - vectors @ self._y if self._thin else np.zeros_like(targets)
        self._one_rest = 1.0 - vectors @ self._one if self._thin else np.zeros(n)

    @classmethod
    def from_kernel(cls, K: np.ndarray, Y: np.ndarray, *, intercept: bool = False) -> RidgePath:
        """From a kernel matrix (n, n), overwritten, and targets (n, t)."""
        eigenvalues, vectors = eigh(K, driver="evd", overwrite_a=True, check_finite=False)
        return cls(eigenvalues, vectors, Y, intercept=intercept)

    @classmethod
    def from_features(cls, F: np.ndarray, Y: np.ndarray, *, intercept: bool = False) -> RidgePath:
        """From features (n, k), whose kernel matrix is F F^T, and targets (n, t)."""
        if F.shape[1] >= F.shape[0]:
            return cls.from_kernel(F @ F.T, Y, intercept=intercept)
        vectors, singular, _ = svd(F, full_matrices=False, check_finite=False)
        return cls(singular**2, vectors, Y, intercept=intercept)

    @property
    def default_ridges(self) -> np.ndarray:
        """From 1e-8 to 100 times the mean of the kernel's diagonal, four a decade."""
        mean = self.eigenvalues.sum() / len(self._U)
        return mean * np.logspace(-8, 2, 10 * PER_DECADE + 1)

    def gcv(self, ridges: Any) -> np.ndarray:
        """Generalised cross-validation at each ridge, (R,): an estimate of the test error."""
        shrink = self._shrink(ridges)
        n = len(self._U)
        trace = shrink.sum(axis=1) + (n - self._U.shape[1])
        square = (shrink**2) @ (self._y**2).sum(axis=1) + (self._y_rest**2).sum()
        if self.intercept:
            total, dot, cross, own = self._intercept_sums(shrink)
            slope = dot / total[:, None]
            square = square + (slope**2).sum(axis=1) * own - 2 * (slope * cross).sum(axis=1)
            trace = trace - own / total
        return n * square / trace**2

    def loo(self, ridges: Any) -> np.ndarray:
        """Mean squared leave-one-out error at each ridge, (R,)."""
        ridges = np.asarray(ridges, dtype=float)
        blocks = [ridges[i : i + BLOCK] for i in range(0, len(ridges), BLOCK)]
        squares = [(self._left_out(block) ** 2).sum(axis=(0, 2)) for block in blocks]
        return np.concatenate(squares) / len(self._U)

    def loo_residuals(self, ridge: float) -> np.ndarray:
        """y_i minus the prediction of the fit without row i, (n, t)."""
        return self._left_out(np.array([ridge]))[:, 0]

    def _left_out(self, ridges: np.ndarray) -> np.ndarray:
        """Leave-one-out residuals (n, R, t), by products with U alone."""
        shrink = self._shrink(ridges)
        square = self._U**2
        diagonal = square @ shrink.T
        if self._thin:
            diagonal += 1 - square.sum(axis=1)[:, None]
        along = shrink.T[:, :, None] * self._y[:, None, :]
        flat = self._U @ along.reshape(len(self._y), -1)
        alpha = flat.reshape(len(self._U), len(ridges), -1) + self._y_rest[:, None, :]
        if self.intercept:
            total, dot, _, _ = self._intercept_sums(shrink)
            g = self._U @ (shrink * self._one).T + self._one_rest[:, None]
            alpha -= g[:, :, None] * (dot / total[:, None])
            diagonal -= g**2 / total
        return alpha / diagonal[:, :, None]

    def dual(self, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        """alpha (n, t) and intercept (t,) of a whole decomposition at one ridge."""
        if self._thin:
            raise ValueError("dual must be asked of a whole decomposition; got a thin one.")
        shrink = self._shrink([ridge])[0]
        return self._solved(shrink), self._offset(shrink)

    def primal(self, F: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (k, t) of the features F (n, k) of `from_features`, and intercept (t,)."""
        shrink = self._shrink([ridge])[0]
        if not self._thin:
            return F.T @ self._solved(shrink), self._offset(shrink)
        offset = self._offset(shrink)
        inner = self._y - np.outer(self._one, offset)
        # F^T U = V sqrt(S), and the weights are V sqrt(S) / (S + delta) U^T (y - intercept).
        return F.T @ (self._U @ (inner / (self.eigenvalues + ridge)[:, None])), offset

    def _shrink(self, ridges: Any) -> np.ndarray:
        """(R, r) weight of each eigenvector in G, or in delta G where the decomposition is thin."""
        ridges = np.asarray(ridges, dtype=float)[:, None]
        return (ridges if self._thin else 1.0) / (self.eigenvalues + ridges)

    def _intercept_sums(
        self, shrink: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """1^T g (R,), g^T y (R, t), g^T G y (R, t) and |g|^2 (R,) at each row of `shrink`."""
        rest = self._one_rest @ self._y_rest
        own_rest = self._one_rest @ self._one_rest
        by_one = self._one[:, None] * self._y
        total = shrink @ self._one**2 + own_rest
        own = shrink**2 @ self._one**2 + own_rest
        return total, shrink @ by_one + rest, shrink**2 @ by_one + rest, own

    def _offset(self, shrink: np.ndarray) -> np.ndarray:
        if not self.intercept:
            return np.zeros(self._Y.shape[1])
        total, dot, _, _ = self._intercept_sums(shrink[None])
        return dot[0] / total[0]

    def _solved(self, shrink: np.ndarray) -> np.ndarray:
        """P y, (n, t)."""
        alpha = self._U @ (shrink[:, None] * self._y) + self._y_rest
        if not self.intercept:
            return alpha
        g = self._U @ (shrink * self._one) + self._one_rest
        return alpha - np.outer(g, self._offset(shrink))
