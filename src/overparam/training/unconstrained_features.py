"""Train free features and the linear layers above them: the model that theory of collapse solves.

Minimises, over W_1, ..., W_M (the last K x d, the others d x d), H (d, N) and a bias b (K,),

    fit(W_M ... W_1 H + b) + sum_m (l_m / 2) ||W_m||^2 + (l_H / 2) ||H||^2

where fit is 1/(2N) the squared distance to one-hot labels, or the mean cross-entropy. In double
precision by L-BFGS with strong Wolfe steps: collapse is a statement about exact minima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize

from overparam.theory.collapse import as_class_sizes

FitLoss = Literal["squared", "cross_entropy"]

_LBFGS: dict[str, Any] = {"maxcor": 10, "ftol": 0.0, "gtol": 1e-10}  # on until nothing moves


@dataclass(frozen=True)
class UnconstrainedFit:
    """Where a run ended.

    Attributes
    ----------
    features : ndarray of shape (N, d)
    labels : ndarray of shape (N,), int
        In the order of the classes.
    weights : tuple of M ndarrays
        From the features up; the last is (K, d).
    bias : ndarray of shape (K,)
        0 without a bias.
    loss : float
    gradient_norm : float
        Euclidean, with respect to variables times the root of their decay.
    iterations : int
    """

    features: np.ndarray
    labels: np.ndarray
    weights: tuple[np.ndarray, ...]
    bias: np.ndarray
    loss: float
    gradient_norm: float
    iterations: int

    @property
    def product(self) -> np.ndarray:
        """W_M ... W_1, (K, d)."""
        total = self.weights[0]
        for weight in self.weights[1:]:
            total = weight @ total
        return total


def fit_unconstrained_features(
    class_sizes: Sequence[int],
    weight_decays: Sequence[float] | np.ndarray,
    feature_decay: float,
    loss: FitLoss = "squared",
    bias: bool = False,
    seed: int = 0,
    *,
    width: int | None = None,
    starts: int = 1,
    start: tuple[Sequence[np.ndarray], np.ndarray] | None = None,
    max_iterations: int = 3000,
) -> UnconstrainedFit:
    """Minimise from random starts and keep the lowest.

    Parameters
    ----------
    class_sizes : sequence of K int
    weight_decays : sequence of M float
        > 0, from the features up.
    feature_decay : float
        > 0.
    loss : {"squared", "cross_entropy"}
    bias : bool
        Whether the outputs have a bias (without decay).
    seed : int
        Of the starts: weights N(0, a^2/d), features N(0, b^2) with a in [.6, 2] and b in [.3, 1].
    width : int, optional
        d >= K; 2 K by default.
    starts : int
        With three layers or more a class at 0 is a local minimum: take several.
    start : (weights, features), optional
        Begin there: M arrays as in `UnconstrainedFit.weights`, and features (N, d).
    max_iterations : int

    Returns
    -------
    UnconstrainedFit

    Raises
    ------
    ValueError
        If a class is empty, a decay is not positive, the width is below K (orthogonal frames would
        not fit), the loss is unknown, or a start's shapes disagree.
    """
    sizes = as_class_sizes(class_sizes).astype(int)
    k = len(sizes)
    d = 2 * k if width is None else width
    decays = np.array([*weight_decays, feature_decay], dtype=float)
    if len(decays) < 2 or not (decays > 0).all():
        raise ValueError(
            f"weight_decays must be one decay > 0 a layer, feature_decay > 0; "
            f"got {list(weight_decays)} and {feature_decay}."
        )
    if d < k:
        raise ValueError(f"width must be >= {k}, the number of classes; got {d}.")
    if loss not in ("squared", "cross_entropy"):
        raise ValueError(f"loss must be 'squared' or 'cross_entropy'; got {loss!r}.")
    problem = _Problem(sizes, decays, d, loss, bias)
    rng = np.random.default_rng(seed)
    points = [problem.draw(rng) for _ in range(starts)]
    if start is not None:
        points = [problem.pack(*start)]
    options = {"maxiter": max_iterations, "maxfun": 10 * max_iterations, **_LBFGS}
    found = [
        minimize(problem, point, jac=True, method="L-BFGS-B", options=options) for point in points
    ]
    best = min(found, key=lambda result: result.fun)
    weights, features, offset = problem.unpack(best.x)
    return UnconstrainedFit(
        features=features.T.copy(),
        labels=problem.labels,
        weights=tuple(weights),
        bias=offset,
        loss=float(best.fun),
        gradient_norm=float(np.linalg.norm(best.jac)),
        iterations=int(best.nit),
    )


class _Problem:
    """The objective and its gradient, as functions of one vector: weights, features, bias.

    Weights and features stand in it times the root of their decay: the penalty is then half the
    vector's square, and at the minimum all factors have the same singular values. Without that
    the features, whose decay is far smaller, cost L-BFGS ten times as many steps.
    """

    def __init__(
        self, sizes: np.ndarray, decays: np.ndarray, d: int, loss: FitLoss, bias: bool
    ) -> None:
        k, n, depth = len(sizes), int(sizes.sum()), len(decays) - 1
        self.labels = np.repeat(np.arange(k), sizes)
        self._target = np.eye(k)[:, self.labels]
        self._loss, self._bias = loss, bias
        self._shapes = [*[(d, d)] * (depth - 1), (k, d), (d, n)]
        counts = [rows * columns for rows, columns in self._shapes]
        self._ends = np.cumsum(counts)
        self._size = int(self._ends[-1]) + (k if bias else 0)
        self._root = np.ones(self._size)
        self._root[: self._ends[-1]] = np.repeat(np.sqrt(decays), counts)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        d = self._shapes[-1][0]
        scale, spread = rng.uniform(0.6, 2.0), rng.uniform(0.3, 1.0)
        point = np.zeros(self._size)
        first, last = self._ends[-2], self._ends[-1]
        point[:first] = rng.standard_normal(first) * scale / np.sqrt(d)
        point[first:last] = rng.standard_normal(last - first) * spread
        return point * self._root

    def pack(self, weights: Sequence[np.ndarray], features: np.ndarray) -> np.ndarray:
        given = [*weights, np.asarray(features).T]
        if [np.shape(each) for each in given] != self._shapes:
            raise ValueError(
                f"start must have weights of shapes {self._shapes[:-1]} and features of shape "
                f"{self._shapes[-1][::-1]}; got {[np.shape(w) for w in weights]} and "
                f"{np.shape(features)}."
            )
        point = np.zeros(self._size)
        point[: self._ends[-1]] = np.concatenate([np.ravel(each) for each in given])
        return point * self._root

    def unpack(self, point: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Weights, features (d, N) and bias (K,)."""
        parts = np.split(point / self._root, self._ends)
        *weights, features = (
            part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=False)
        )
        return weights, features, parts[-1] if self._bias else np.zeros(len(self._target))

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        weights, features, offset = self.unpack(point)
        trace = [features]
        for weight in weights:
            trace.append(weight @ trace[-1])
        fit, slope = self._fit(trace[-1] + offset[:, None])
        gradient = np.zeros_like(point)
        parts = np.split(gradient, self._ends)
        if self._bias:
            parts[-1][:] = slope.sum(1)
        for place in reversed(range(len(weights))):
            parts[place][:] = (slope @ trace[place].T).ravel()
            slope = weights[place].T @ slope
        parts[len(weights)][:] = slope.ravel()
        gradient /= self._root
        decayed = point[: self._ends[-1]]
        gradient[: self._ends[-1]] += decayed
        return fit + decayed @ decayed / 2, gradient

    def _fit(self, outputs: np.ndarray) -> tuple[float, np.ndarray]:
        """The fit and its slope at the outputs (K, N)."""
        n = outputs.shape[1]
        if self._loss == "squared":
            error = outputs - self._target
            return (error**2).sum() / (2 * n), error / n
        shifted = outputs - outputs.max(0)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(0)
        value = (np.log(sums) - shifted[self.labels, np.arange(n)]).mean()
        return value, (exponentials / sums - self._target) / n
