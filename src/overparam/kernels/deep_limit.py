"""The classifier that infinitely wide networks become as their depth grows (arXiv 2204.14126).

    m(x) = sign( sum_i y_i w_i ),    w_i = psi(<x, x_i>)     on the unit sphere,
    psi(phi_check(xi)) = a psi(xi),  psi(xi) = R / |x - x_i|^alpha near xi = 1,  R bounded.

For alpha = d, the dimension of the data, this is a Hilbert kernel rule: its error tends to the
Bayes error for every distribution with a density (Devroye, Gyorfi and Krzyzak 1998). alpha < d
smooths too much, alpha > d tends to the nearest neighbour. The other limits of depth are the
nearest neighbour itself and the majority vote; `kernels.dual` tells which activation has which.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from overparam.kernels.deep_recursion import log_psi
from overparam.kernels.dual import (
    Activation,
    DualActivation,
    classify_activation,
    dual_activation,
    optimal_coefficients,
)
from overparam.kernels.ridge_estimators import class_codes
from overparam.kernels.sphere_distances import EQUAL, SphereDistances, to_sphere

KNOTS = 4096  # at which psi is iterated
FINE = 2**16  # at which the spline through them is tabulated, to be read off linearly
SMALLEST = 1e-12  # of xi: below it rounding of the inner product has a say
OPPOSITE = 1e-6  # an inner product below minus this is negative by more than rounding
SAME = 1e-9  # relative, of distances that are tied
ROUNDED = 1e-4  # relative, of distances that float32 may have confused


class DeepLimitClassifier(ClassifierMixin, BaseEstimator):
    """Infinitely wide and deep network: a parameter-free weighting of all training rows.

    Every training row votes for its class with a weight that depends on its distance on the unit
    sphere. Nothing is fitted.

    Parameters
    ----------
    activation : str, callable or sequence of float
        ``optimal`` (the activation of `kernels.optimal_coefficients` for the dimension of the
        data), or whatever `kernels.dual_activation` accepts.
    alpha : float, optional
        Weights dist^-alpha; `activation` is ignored.
    intrinsic_dim : float, optional
        Dimension d of the data on the sphere, for ``optimal``: 1, or a number >= 2. By default
        max(1, number of features - 1). Above 30 or so the rule is the nearest neighbour in all but
        name: for images and wide tables give the intrinsic dimension
        (`diagnostics.two_nn_dimension`).
    normalize : {"sphere", "orthant", None}
        Divide each row by its norm, or demand that it be 1 (within 1e-6). ``orthant`` is for
        features of any sign and unit: it takes each from the range of the training rows to [0, 1],
        adds a column of ones, so that no row is zero and lengths count too, and then divides; the
        default of `intrinsic_dim` is then the number of features.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    limit_ : DeepLimit or None
        What the activation tends to; None where `alpha` was given.
    alpha_ : float or None
        The exponent; None for the nearest neighbour and the majority vote.
    class_prior_ : ndarray of shape (k,)
        Shares of the classes in the training rows.

    Notes
    -----
    The theory wants features that are not negative, such as min-max scaled ones: for a negative
    inner product the network's weight follows its activation, by which opposite rows may look alike
    or vote against each other, and a warning is given. (A negative weight counts as a vote for the
    other classes, in equal parts.) A test row that equals training rows, up to its length, gets
    their label shares; one at a right angle to all of them the class prior.

    O(n m p) time for m test rows, one matrix product a block, and O(n p) memory: the (m, n)
    matrix is never held whole. With more than 64 features the product is in float32.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0, 0.1], [0.9, 0.3, 0.0], [0.1, 1.0, 0.0], [0.0, 0.8, 0.4]])
    >>> model = DeepLimitClassifier().fit(X, ["low", "low", "high", "high"])
    >>> model.predict([[1.0, 0.2, 0.2], [0.2, 1.0, 0.2]])
    array(['low', 'high'], dtype='<U4')
    >>> model.alpha_                                                  # two dimensions
    2.0
    """

    def __init__(
        self,
        activation: Activation = "optimal",
        alpha: float | None = None,
        intrinsic_dim: float | None = None,
        normalize: str | None = "sphere",
    ) -> None:
        self.activation = activation
        self.alpha = alpha
        self.intrinsic_dim = intrinsic_dim
        self.normalize = normalize

    def fit(self, X: Any, y: Any) -> DeepLimitClassifier:
        """Keep X (n, p) and labels y (n,).

        Raises
        ------
        ValueError
            For one class only, a row of zeros, `alpha` <= 0, or an activation whose limit is not a
            weighting of the training rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self._scaler = MinMaxScaler(clip=True).fit(X) if self.normalize == "orthant" else None
        rows, self.classes_, codes = training_rows(*self._scaled(X), y)
        self._resolve(rows.shape[1])
        self.class_prior_ = np.bincount(codes) / len(codes)
        self._distances = SphereDistances(rows)
        self._onehot = np.eye(len(self.classes_), dtype=self._distances.dtype)[codes]
        return self

    def _scaled(self, X: np.ndarray) -> tuple[np.ndarray, str | None]:
        """Rows on their way to the sphere, and how they get there."""
        if self._scaler is None:
            return X, self.normalize
        return np.hstack([self._scaler.transform(X), np.ones((len(X), 1))]), "sphere"

    def _resolve(self, n_features: int) -> None:
        """Decide which rule it is: `_psi` is set for a singular kernel of an activation."""
        self.limit_, self.alpha_, self._psi = None, None, None
        if self.alpha is not None:
            if not (isinstance(self.alpha, Real) and 0 < self.alpha < np.inf):
                raise ValueError(f"alpha must be a number > 0; got {self.alpha!r}.")
            self.alpha_ = float(self.alpha)
            return
        dual = resolve_dual(self.activation, self.intrinsic_dim, n_features)
        self.limit_ = classify_activation(dual)
        self.alpha_ = self.limit_.alpha
        if self.limit_.kind == "ordered":
            raise ValueError(
                "activation must tend to a weighting of the training rows; got one that tends to "
                f"kriging (b = {dual.b:.3g} < 1). NTKClassifier computes it at any finite depth."
            )
        if self.limit_.kind == "singular-kernel":
            self._psi = PsiTable(dual)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Shares (m, k) of the weight that the classes have; rows sum to 1."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        rows = to_sphere(*self._scaled(X))
        shares = np.empty((len(rows), len(self.classes_)))
        if self.limit_ is not None and self.limit_.kind == "majority-vote":
            shares[:] = self.class_prior_
            return shares
        opposite = False
        for part, t in self._distances.blocks(rows):
            opposite |= self._psi is not None and bool(t.max() > 1 + OPPOSITE)
            shares[part] = self._block_shares(rows[part], t)
        if opposite:
            warnings.warn(
                "X has rows whose inner product with a training row is negative; the theory wants "
                "features >= 0: normalize='orthant' scales them to [0, 1] first.",
                stacklevel=2,
            )
        return shares

    def _block_shares(self, rows: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Class shares (m, k) of a block with distances t (m, n), which is written over."""
        nearest = t.min(axis=1, keepdims=True)
        equal = nearest[:, 0] <= EQUAL
        same = t[equal] <= EQUAL
        np.maximum(t, EQUAL, out=t)
        weights, sign = self._weights(rows, t)
        weights[equal] = same
        if sign is None:
            shares = weights @ self._onehot
        else:
            # A vote against a class is one for each other class, in equal parts.
            sign[equal] = 1
            against = weights * (sign < 0)
            shares = (weights * (sign > 0)) @ self._onehot
            others = against.sum(axis=1, keepdims=True) - against @ self._onehot
            shares += others / (len(self.classes_) - 1)
        shares = shares.astype(np.float64)
        return shares / shares.sum(axis=1, keepdims=True)

    def _weights(self, rows: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights (m, n), the largest of a row 1, and their signs where some are negative."""
        sign = None
        if self._psi is not None:
            log_weights, sign = self._psi(t)
        elif self.alpha_ is not None:
            log_weights = np.log(t, out=t)
            log_weights *= -self.alpha_ / 2
        else:
            near = t <= t.min(axis=1, keepdims=True) * (1 + ROUNDED)
            self._distances.correct(t, rows, near)
            t[~near] = np.inf
            return (t <= t.min(axis=1, keepdims=True) * (1 + SAME)).astype(t.dtype), None
        log_weights -= log_weights.max(axis=1, keepdims=True)
        return np.exp(log_weights, out=log_weights), sign

    def decision_function(self, X: Any) -> np.ndarray:
        """Class shares (m, k); for two classes sum_i y_i w_i / sum_i |w_i|, (m,), in [-1, 1]."""
        shares = self.predict_proba(X)
        return shares[:, 1] - shares[:, 0] if shares.shape[1] == 2 else shares

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest share for each row, (m,); the first of those that tie."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


def training_rows(
    X: np.ndarray, normalize: str | None, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit rows, classes and codes of training data; one class only is a ValueError."""
    classes, codes = class_codes(y)
    return to_sphere(X, normalize), classes, codes


def resolve_dual(
    activation: Activation, intrinsic_dim: float | None, n_features: int
) -> DualActivation:
    """The dual of an activation, ``optimal`` being that of the dimension of the data."""
    if not (isinstance(activation, str) and activation == "optimal"):
        return dual_activation(activation)
    d = max(1, n_features - 1) if intrinsic_dim is None else intrinsic_dim
    if not (isinstance(d, Real) and (d == 1 or 2 <= d <= 2000)):  # beyond, a would underflow
        if intrinsic_dim is not None:
            raise ValueError(
                f"intrinsic_dim must be 1, or a number from 2 to 2000; got {intrinsic_dim!r}. "
                "alpha= takes any exponent."
            )
        d = 2000
    return dual_activation(optimal_coefficients(float(d)))


class PsiTable:
    """log psi as a function of t: a spline through exact values, read off a fine grid.

    The grid is uniform in u = log(t / (1 - t)), in which both ends are straight lines: for t -> 0
    of slope -alpha / 2, for xi = 1 - t -> 0 of slope -1.
    """

    def __init__(self, dual: DualActivation) -> None:
        self.dual = dual
        self.odd = not dual.squares[::2].any()
        knots = np.linspace(np.log(EQUAL), -np.log(SMALLEST), KNOTS)
        t = np.exp(-np.logaddexp(0, -knots))
        values, _ = log_psi(dual, np.minimum(t, 1 - SMALLEST))
        self.start = knots[0]
        self.step = (knots[-1] - knots[0]) / (FINE - 1)
        fine = CubicSpline(knots, values)(self.start + self.step * np.arange(FINE))
        self.values, self.rises = fine, np.append(np.diff(fine), 0.0)

    def __call__(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """log |psi| (of the shape and type of t) and its sign; None where no xi is negative."""
        log_weights = self._read(t)
        negative = t > 1 + OPPOSITE
        if not negative.any():
            return log_weights, None
        sign = np.ones(t.shape, dtype=np.int8)
        log_weights[negative], sign[negative] = self._opposite(1 - t[negative].astype(float))
        return log_weights, sign

    def _read(self, t: np.ndarray) -> np.ndarray:
        u = np.subtract(1, t)
        np.maximum(u, SMALLEST, out=u)
        np.divide(t, u, out=u)
        np.log(u, out=u)
        u -= u.dtype.type(self.start)
        u /= u.dtype.type(self.step)
        np.clip(u, 0, FINE - 1, out=u)
        place = u.astype(np.int32)
        u -= place
        u *= self.rises.astype(u.dtype)[place]
        u += self.values.astype(u.dtype)[place]
        return u

    def _opposite(self, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for xi < 0, by psi(xi) = psi(phi_check(xi)) / a."""
        if self.odd:
            return self._read(np.maximum(1 + xi, EQUAL)), np.full(xi.shape, -1)
        after = self.dual(xi)
        positive = after > 0
        size, sign = np.empty_like(xi), np.ones_like(xi)
        size[positive] = self._read(np.maximum(1 - after[positive], EQUAL))
        size[~positive], sign[~positive] = log_psi(self.dual, 1 - after[~positive])
        return size - np.log(self.dual.a), sign
