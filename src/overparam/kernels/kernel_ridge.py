"""Kernel ridge regression that chooses its ridge from the training rows, by one decomposition.

See `overparam.kernels.ridge_path` for the formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.utils.validation import check_is_fitted, validate_data

from overparam.kernels.ridge_estimators import RidgeClassification, RidgeRegression
from overparam.kernels.ridge_path import RidgePath

KernelFunction = Callable[..., np.ndarray]
SHARPNESS = (1e-2, 1e3)  # of probabilities; one-hot targets are 1 apart


class _KernelRidge(BaseEstimator):
    """What regressor and classifier share: the kernel, the path, the predicted targets."""

    def __init__(
        self,
        kernel: str | KernelFunction = "rbf",
        ridge: str | float = "gcv",
        *,
        gamma: float | None = None,
        ridges: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        self.kernel = kernel
        self.ridge = ridge
        self.gamma = gamma
        self.ridges = ridges
        self.fit_intercept = fit_intercept

    def _fit(self, X: np.ndarray, targets: np.ndarray) -> None:
        """Fit targets (n, t)."""
        if self.kernel == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(f"X must be a square kernel matrix (n, n); got shape {X.shape}.")
        path = RidgePath.from_kernel(
            np.array(self._matrix(X, None)), targets, intercept=self.fit_intercept
        )
        choose_ridge(self, path, ("gcv", "loo"))
        self.loo_residuals_ = path.loo_residuals(self.ridge_)
        self.dual_coef_, self.intercept_ = path.dual(self.ridge_)
        if self.kernel != "precomputed":
            self.X_fit_ = X

    def _targets(self, X: Any) -> np.ndarray:
        """Predicted targets (n, t)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        K = X if self.kernel == "precomputed" else self._matrix(X, self.X_fit_)
        return K @ self.dual_coef_ + self.intercept_

    def _matrix(self, X: np.ndarray, Z: np.ndarray | None) -> np.ndarray:
        if self.kernel == "precomputed":
            return X
        if callable(self.kernel):
            shape = (len(X), len(X if Z is None else Z))
            K = np.asarray(self.kernel(X) if Z is None else self.kernel(X, Z), dtype=np.float64)
            if K.shape != shape:
                raise ValueError(f"kernel must return a matrix {shape}; got shape {K.shape}.")
            return K
        if self.kernel not in PAIRWISE_KERNEL_FUNCTIONS:
            names = ", ".join(sorted(PAIRWISE_KERNEL_FUNCTIONS))
            raise ValueError(
                f"kernel must be a callable, 'precomputed' or one of {names}; got {self.kernel!r}."
            )
        return pairwise_kernels(X, Z, metric=self.kernel, filter_params=True, gamma=self.gamma)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags


class KernelRidgeCV(RidgeRegression, _KernelRidge):
    """Kernel ridge regression with its ridge chosen by exact leave-one-out or by GCV.

    Parameters
    ----------
    kernel : str or callable
        A name of scikit-learn's pairwise kernels, ``"precomputed"``, or a function of whole
        matrices: ``kernel(X)`` gives (n, n), ``kernel(X, Z)`` gives (n, m), such as
        `overparam.kernels.fully_connected`.
    ridge : {"gcv", "loo"} or float
        How the ridge is chosen, or the ridge itself, >= 0. It is added to the kernel matrix.
    gamma : float, optional
        Of the named kernels; their default is 1 / n_features.
    ridges : array (R,), optional
        Ridges to choose from; by default 1e-8 to 100 times the mean of the kernel's diagonal.
    fit_intercept : bool
        Fit a constant that is not penalised; the leave-one-out error counts it exactly.

    Attributes
    ----------
    ridge_ : float
        The chosen ridge; `at_bound_` tells whether it is the first or last of the path.
    ridges_, gcv_, loo_ : ndarray (R,)
        The path: ridges, and two estimates of the squared test error, summed over targets.
    loo_residuals_ : ndarray (n, t)
        Target minus the prediction of a fit without that row, at the chosen ridge.
    dual_coef_ : ndarray (n, t); intercept_ : ndarray (t,)

    Notes
    -----
    O(n^3) once (5 s on one core at n = 3,000), O(n^2) a ridge; 24 n^2 bytes. Leave-one-out over a
    table with equal rows is optimistic: a twin stays in the training part.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = KernelRidgeCV("rbf", gamma=10.0).fit(X[:300], y[:300])
    >>> bool(abs(model.loo_.min() / model.gcv_.min() - 1) < 0.05)
    True
    """


class KernelRidgeClassifierCV(RidgeClassification, _KernelRidge):
    """Kernel ridge regression on one-hot targets; parameters as in `KernelRidgeCV`.

    The ridge is chosen for the squared error, which is not the classification error. Probabilities
    are a softmax of the predicted targets times `sharpness_`, which makes the log loss of the
    leave-one-out predictions least.

    Attributes
    ----------
    classes_ : ndarray (k,)
    sharpness_ : float
    loo_error_ : float
        Share of training rows that the fit without them gets wrong: the exact leave-one-out
        classification error at the chosen ridge.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = KernelRidgeClassifierCV(gamma=5e-4).fit(X[:500], y[:500])
    >>> model.loo_error_ < 0.05
    True
    """

    def _fit(self, X: np.ndarray, targets: np.ndarray) -> None:
        super()._fit(X, targets)
        predicted, labels = targets - self.loo_residuals_, targets.argmax(axis=1)
        self.loo_error_ = float((predicted.argmax(axis=1) != labels).mean())
        self.sharpness_ = sharpness(predicted, labels)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (n, k), calibrated on the leave-one-out predictions."""
        targets = self._targets(X)
        return softmax(self.sharpness_ * targets, axis=1)


def sharpness(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Factor b for which softmax(b predicted (n, k)) has the least log loss for labels (n,).

    Labels count as certain up to 1 / (n + 2) only (Platt 1999): a few rows that are all right
    would otherwise ask for certainty.
    """
    n, k = predicted.shape
    wrong = 1 / (n + 2)
    share = np.full((n, k), wrong / (k - 1))
    share[np.arange(n), labels] = 1 - wrong

    def loss(log_factor: float) -> float:
        return -float((share * log_softmax(np.exp(log_factor) * predicted, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(SHARPNESS), method="bounded").x))


def choose_ridge(estimator: Any, path: RidgePath, rules: tuple[str, str]) -> None:
    """Set `ridges_`, `gcv_`, `loo_`, `ridge_` and `at_bound_` by the estimator's parameters.

    `rules` are the words for GCV and for leave-one-out.
    """
    ridge, ridges = estimator.ridge, estimator.ridges
    fixed = not isinstance(ridge, str)
    if (fixed and not 0 <= ridge < np.inf) or (not fixed and ridge not in rules):
        words = " or ".join(repr(rule) for rule in rules)
        raise ValueError(f"ridge must be {words} or a finite number >= 0; got {ridge!r}.")
    if fixed:
        found = np.array([ridge], dtype=float)
    elif ridges is None:
        found = path.default_ridges
    else:
        found = np.asarray(ridges, dtype=float)
        if found.ndim != 1 or not len(found) or not ((found >= 0) & np.isfinite(found)).all():
            raise ValueError(f"ridges must be a vector of finite numbers >= 0; got {ridges!r}.")
    estimator.ridges_, estimator.gcv_, estimator.loo_ = found, path.gcv(found), path.loo(found)
    best = int((estimator.loo_ if ridge == rules[1] else estimator.gcv_).argmin())
    estimator.ridge_ = float(found[best])
    estimator.at_bound_ = not fixed and found[best] in (found.min(), found.max())
