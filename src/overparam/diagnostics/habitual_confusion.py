"""Classes that predictors take for each other by habit: a matrix on their logits, and its price.

    logits += M g,      M[t, j] ~ N(0, 1 / precision)

g are a row's mean features, one a class. A predictor that says 3 for every other 5 disagrees with
right labels as often as with wrong ones; but the surer it is, the less, and M lets the slope differ
from pair to pair. What disagrees where predictions are surest is not explained by it.

So many numbers would explain wrong labels too, and Laplace's evidence charges for them. The
curvature at the fit is taken as a Kronecker product A x B, with A = sum_n diag(pi) - pi pi' and B
the mean of g g', where a row counts by how unsure it is: then the step and the determinant need two
eigenproblems of size k. Sources: Guo et al. 2017 (matrix scaling), Kull et al. 2019 (of log
probabilities, with a penalty), Martens and Grosse 2015 (the product).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LONGEST_STEP = 1.0  # of an entry in one round


@dataclass(frozen=True)
class Curvature:
    """Eigenvalues (k, k) of the product, and the eigenvectors of its two sides."""

    values: np.ndarray
    left: np.ndarray
    right: np.ndarray


def curvature(pi: np.ndarray, g: np.ndarray) -> Curvature:
    """Of the cross-entropy in M, at probabilities pi (n, k) and features g (n, k)."""
    unsure = 1 - np.einsum("nk,nk->n", pi, pi)  # the trace of a row's part of A
    A = np.diag(np.ones(len(pi)) @ pi) - pi.T @ pi
    B = (g * unsure[:, None]).T @ g / max(float(unsure.sum()), 1e-12)
    a, left = np.linalg.eigh(A)
    b, right = np.linalg.eigh(B)
    return Curvature(np.outer(a.clip(0), b.clip(0)), left, right)


def charge(at: Curvature, M: np.ndarray, precision: float) -> float:
    """Nats that the freedom of M costs: distance from the prior, and volume lost to the fit."""
    return 0.5 * float(precision * (M**2).sum() + np.log1p(at.values / precision).sum())


def step(
    at: Curvature, error: np.ndarray, g: np.ndarray, M: np.ndarray, precision: float
) -> np.ndarray:
    """M after a Newton step; `error` (n, k) is target minus probability."""
    gradient = error.T @ g - precision * M
    turned = (at.left.T @ gradient @ at.right) / (at.values + precision)
    change = at.left @ turned @ at.right.T
    return M + change * min(1.0, LONGEST_STEP / max(float(np.abs(change).max()), 1e-12))
