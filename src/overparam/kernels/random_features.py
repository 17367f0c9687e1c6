"""Random-feature ridge regression: a wide shallow network whose last layer alone is trained.

    K_hat(x, x') = (1/k) sum_j g(w_j, x) g(w_j, x'),   w_j ~ N(0, I),      arXiv 2311.14646

With g = sqrt(2) relu(w.x) the limit k = inf is the arc-cosine kernel of first order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from overparam.kernels.kernel_ridge import choose_ridge
from overparam.kernels.ridge_estimators import RidgeClassification, RidgeRegression
from overparam.kernels.ridge_path import RidgePath

FeatureMap = Callable[[np.ndarray, np.ndarray], np.ndarray]


def relu_features(X: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return sqrt(2) relu(w_j.x), (n, k), of rows X (n, d) and weights W (k, d)."""
    features = X @ W.T
    np.maximum(features, 0, out=features)
    features *= np.sqrt(2)
    return features


class _RandomFeatures(BaseEstimator):
    """What regressor and classifier share: the features, the path, the predicted targets."""

    def __init__(
        self,
        n_features: int = 1000,
        ridge: str | float = "auto",
        kernel: str | FeatureMap = "relu",
        random_state: Any = None,
        *,
        ridges: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        self.n_features = n_features
        self.ridge = ridge
        self.kernel = kernel
        self.random_state = random_state
        self.ridges = ridges
        self.fit_intercept = fit_intercept

    def _fit(self, X: np.ndarray, targets: np.ndarray) -> None:
        """Fit targets (n, t)."""
        if self.n_features != int(self.n_features) or self.n_features < 1:
            raise ValueError(f"n_features must be an integer >= 1; got {self.n_features!r}.")
        rng = check_random_state(self.random_state)
        self.weights_ = rng.standard_normal((int(self.n_features), X.shape[1]))
        features = self._features(X)
        path = RidgePath.from_features(features, targets, intercept=self.fit_intercept)
        choose_ridge(self, path, ("auto", "loo"))
        self.loo_residuals_ = path.loo_residuals(self.ridge_)
        self.coef_, self.intercept_ = path.primal(features, self.ridge_)

    def _targets(self, X: Any) -> np.ndarray:
        """Predicted targets (n, t)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._features(X) @ self.coef_ + self.intercept_

    def _features(self, X: np.ndarray) -> np.ndarray:
        """(n, k) features over sqrt(k)."""
        if not callable(self.kernel) and self.kernel != "relu":
            raise ValueError(f"kernel must be 'relu' or a feature map; got {self.kernel!r}.")
        feature_map = self.kernel if callable(self.kernel) else relu_features
        features = np.asarray(feature_map(X, self.weights_), dtype=np.float64)
        shape = (len(X), len(self.weights_))
        if features.shape != shape:
            raise ValueError(f"kernel must return features {shape}; got shape {features.shape}.")
        return features / np.sqrt(shape[1])


class RandomFeatureRidge(RidgeRegression, _RandomFeatures):
    """Ridge regression on random features.

    Parameters
    ----------
    n_features : int
        Features k; more are never worse where the ridge is tuned.
    ridge : {"auto", "loo"} or float
        Chosen by GCV or by exact leave-one-out, or given, >= 0. It is added to the kernel matrix
        of the features, whose diagonal is about |x|^2 for ReLU features.
    kernel : "relu" or callable
        ``sqrt(2) relu(w.x)``, or a feature map g(X (n, d), W (k, d)) -> (n, k).
    random_state : int, RandomState or None
        Of the weights W ~ N(0, I).
    ridges : array (R,), optional
        Ridges to choose from; by default 1e-8 to 100 times the mean of the kernel's diagonal.
    fit_intercept : bool
        Fit a constant that is not penalised.

    Attributes
    ----------
    weights_ : ndarray (k, d); coef_ : ndarray (k, t); intercept_ : ndarray (t,)
    ridge_, at_bound_, ridges_, gcv_, loo_, loo_residuals_
        As in `KernelRidgeCV`.

    Notes
    -----
    O(n k min(n, k)) once. Near k = n without a ridge the error explodes: choose the ridge.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(300, random_state=0).fit(20 * X[:300], y[:300])
    >>> model.score(20 * X[300:], y[300:]) > 0.4
    True
    """


class RandomFeatureClassifier(RidgeClassification, _RandomFeatures):
    """Ridge regression on random features and one-hot targets; see `RandomFeatureRidge`.

    Attributes
    ----------
    classes_ : ndarray (k,)
    """
