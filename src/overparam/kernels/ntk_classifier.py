"""The infinitely wide network of a finite depth, trained to the end: one linear system.

    f(x) = K_L(x, X) K_L(X, X)^{-1} y          squared loss, output at initialisation subtracted

(arXiv 2204.14126.) With D = K_L / k_L, whose diagonal is 1, the system is D beta = y. Where D tends
to a constant (b < 1, `ordered`), D = 11' - E with entries of E as small as b^L; for any eps,

    [ -E / eps   1  ] [eps beta]   [y]
    [    1'     -eps] [   mu   ] = [0],         f(x) = mu - E(x, X) beta,

is the same system, and remains regular for eps = max E -> 0: ordinary kriging.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from overparam.kernels.deep_limit import resolve_dual, training_rows
from overparam.kernels.deep_recursion import DeepKernel, deep_kernel
from overparam.kernels.dual import Activation, DualActivation
from overparam.kernels.sphere_distances import EQUAL, SphereDistances, to_sphere

JITTER = 1e-10  # added to the diagonal of 1
KNOTS = 2**14  # at which the kernel is computed where there are more pairs than that
SMALLEST = 1e-12  # of xi, in the table


class NTKClassifier(ClassifierMixin, BaseEstimator):
    """Infinitely wide fully connected network of a finite depth, as kernel regression on +-1.

    Parameters
    ----------
    activation : str, callable or sequence of float
        As for `kernels.DeepLimitClassifier`: ``optimal`` is the activation for the dimension of
        the data.
    depth : int
        Number of hidden layers, from 1 to 10,000 and more: nothing overflows.
    intrinsic_dim : float, optional
        For ``optimal``; by default max(1, number of features - 1).
    normalize : {"sphere", None}
        Divide each row by its norm, or demand that it be 1 (within 1e-6).

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    dual_ : DualActivation
        The dual activation of every layer.
    beta_ : ndarray of shape (n, k) or (n, 1)
        Coefficients of the training rows; one column for two classes.

    Notes
    -----
    1e-10 is added to the diagonal, which is 1: with few layers on data of a low dimension the
    matrix is singular to rounding. Rows of an equal direction share their coefficients by it.

    O(n^3) time and 16 n^2 bytes to fit.

    `decision_function` is the network's output times a positive number of each row (in deep
    networks the output itself falls below the smallest float).

    Examples
    --------
    >>> X = [[1.0, 0.1], [0.9, 0.3], [0.1, 1.0], [0.0, 0.8]]
    >>> NTKClassifier("relu", depth=3).fit(X, [0, 0, 1, 1]).predict([[1.0, 0.2], [0.2, 1.0]])
    array([0, 1])
    """

    def __init__(
        self,
        activation: Activation = "relu",
        depth: int = 3,
        *,
        intrinsic_dim: float | None = None,
        normalize: str | None = "sphere",
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.intrinsic_dim = intrinsic_dim
        self.normalize = normalize

    def fit(self, X: Any, y: Any) -> NTKClassifier:
        """Solve for the coefficients on X (n, p) and labels y (n,).

        Raises
        ------
        ValueError
            For one class only, a row of zeros, or a depth that is not an integer >= 1.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        if self.depth != int(self.depth) or self.depth < 1:
            raise ValueError(f"depth must be an integer >= 1; got {self.depth!r}.")
        rows, self.classes_, codes = training_rows(X, self.normalize, y)
        self.dual_ = resolve_dual(self.activation, self.intrinsic_dim, X.shape[1])
        self._distances = SphereDistances(rows, np.float64)  # the system is badly conditioned
        targets = 2.0 * np.eye(len(self.classes_))[codes] - 1
        targets = targets[:, 1:] if len(self.classes_) == 2 else targets
        kernel = self._kernel(self._distances.between(rows))
        self._kriging = self.dual_.constant > 0 and self.dual_.slope_at_one < 1
        if self._kriging:
            self._fit_gaps(kernel.log_gap, targets)
        else:
            D = kernel.value
            D[np.diag_indices_from(D)] = 1 + JITTER
            self.beta_ = np.linalg.solve(D, targets)
        return self

    def _kernel(self, t: np.ndarray) -> DeepKernel:
        """The kernel of pairs, with t = 0 where rows are equal."""
        return tabulated_kernel(self.dual_, np.where(t <= EQUAL, 0.0, t), int(self.depth))

    def _fit_gaps(self, log_gap: np.ndarray, targets: np.ndarray) -> None:
        """The bordered system of the module's docstring."""
        n = len(log_gap)
        self._log_eps = float(log_gap.max())
        system = np.ones((n + 1, n + 1))
        system[:n, :n] = -np.exp(log_gap - self._log_eps)
        system[:n, :n][np.diag_indices(n)] = JITTER
        system[n, n] = -np.exp(self._log_eps)
        solution = np.linalg.solve(system, np.vstack([targets, np.zeros_like(targets[:1])]))
        self.beta_, self._mean = solution[:n], solution[n]

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (m, k), one against the rest; (m,) for two classes, positive for the second."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        rows = to_sphere(X, self.normalize)
        scores = np.empty((len(rows), self.beta_.shape[1]))
        for part, t in self._distances.blocks(rows):
            kernel = self._kernel(t)
            if self._kriging:
                gaps = np.exp(kernel.log_gap - self._log_eps)
                scores[part] = self._mean - gaps @ self.beta_
            else:
                top = kernel.log_size.max(axis=1, keepdims=True)
                with np.errstate(invalid="ignore"):
                    weights = kernel.sign * np.exp(kernel.log_size - top)
                scores[part] = np.nan_to_num(weights) @ self.beta_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest score for each row, (m,)."""
        scores = self.decision_function(X)
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        return self.classes_[best]


def tabulated_kernel(dual: DualActivation, t: np.ndarray, depth: int) -> DeepKernel:
    """`deep_recursion.deep_kernel`, for many pairs by cubic splines.

    The kernel is a function of one variable: it is computed at 16,384 places, uniform in
    log(t / (1 - t)), which costs ten times less than a layer for each of a million pairs. Pairs
    with xi < 1e-12, or equal, are computed as they are.
    """
    if t.size <= KNOTS:
        return deep_kernel(dual, t, depth)
    knots = np.linspace(np.log(EQUAL), -np.log(SMALLEST), KNOTS)
    at = deep_kernel(dual, np.exp(-np.logaddexp(0, -knots)), depth)
    inside = (t > EQUAL) & (t < 1 - SMALLEST)
    size, sign, gap = np.empty(t.shape), np.ones(t.shape), np.empty(t.shape)
    u = np.log(t[inside] / (1 - t[inside]))
    size[inside], gap[inside] = CubicSpline(knots, np.stack([at.log_size, at.log_gap], 1))(u).T
    rest = deep_kernel(dual, t[~inside], depth)
    size[~inside], sign[~inside], gap[~inside] = rest.log_size, rest.sign, rest.log_gap
    return DeepKernel(size, sign, gap)
