"""Preconditioned conjugate gradients for many right-hand sides that share each product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]
Operator = Callable[[Array], Array]


@dataclass(frozen=True)
class Solution:
    """What came out: `x` (n, k), the relative residual of each column, and the iterations."""

    x: Array
    residuals: Array
    iterations: int
    converged: bool


def conjugate_gradients(
    multiply: Operator,
    b: Array,
    *,
    precondition: Operator = lambda r: r,
    start: Array | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
    callback: Callable[[int, Array, Array], None] | None = None,
) -> Solution:
    """Solve A x = b for symmetric positive definite A.

    Each column has its own step lengths (it is the method for one column, bit for bit but for
    the shared products); all columns go through one product with A an iteration.

    Parameters
    ----------
    multiply, precondition : callable
        (n, k) -> (n, k): the product with A, and with an approximate inverse of A.
    b : ndarray of shape (n, k)
        Right-hand sides.
    start : ndarray of shape (n, k), optional
        Where to begin; zeros by default.
    tolerance : float
        Stop when every column's |b - A x| <= tolerance |b|, by the recursion's residual.
    max_iterations : int
        Stop here at the latest.
    callback : callable, optional
        `callback(iteration, x, residuals)` after each iteration.

    Returns
    -------
    Solution
        With `converged` False where `max_iterations` came first.
    """
    norm = np.linalg.norm(b, axis=0)
    norm[norm == 0] = 1.0
    x = np.zeros_like(b) if start is None else start.copy()
    r = b - multiply(x) if start is not None else b.copy()
    residuals = np.linalg.norm(r, axis=0) / norm
    z = precondition(r)
    p = z.copy()
    rho = np.einsum("ij,ij->j", r, z)
    iteration = 0
    while residuals.max() > tolerance and iteration < max_iterations:
        q = multiply(p)
        step = _ratio(rho, np.einsum("ij,ij->j", p, q))
        x += step * p
        r -= step * q
        z = precondition(r)
        rho, previous = np.einsum("ij,ij->j", r, z), rho
        p = z + _ratio(rho, previous) * p
        residuals = np.linalg.norm(r, axis=0) / norm
        iteration += 1
        if callback is not None:
            callback(iteration, x, residuals)
    return Solution(x, residuals, iteration, bool(residuals.max() <= tolerance))


def _ratio(a: Array, b: Array) -> Array:
    """a / b, 0 where b is 0: a column that is solved exactly stands still."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def low_rank_inverse(factor: Array, shift: float) -> Operator:
    """Return r -> (F F^T + shift I)^-1 r for F of shape (n, k), by Woodbury's identity."""
    inner = cho_factor(factor.T @ factor + shift * np.eye(factor.shape[1]))
    return lambda r: (r - factor @ cho_solve(inner, factor.T @ r)) / shift
