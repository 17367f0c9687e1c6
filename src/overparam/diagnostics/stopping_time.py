"""What overtraining costs on one's own regression data, and when to stop.

Signal and noise are fitted by marginal likelihood (`kernels.variance_components`); with the
eigenvalues l of the centred X X^T, n rows, they give the error of gradient flow at the training
inputs, under new noise,

    (1/n) sum_k l_k [s_w^2 e^{-2 l_k t} + (s_e^2 / l_k) (1 - e^{-l_k t})^2] + s_e^2.

Its minimiser is a good stopping time. Its value is too low for new inputs, which also have parts
outside the directions that were seen: held-out rows tell what stopping is worth. The paper
(arXiv 1710.03667) has the curve for a known teacher; the estimator from data is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.kernels.linear_flow import LinearFlow
from overparam.kernels.variance_components import variance_components
from overparam.theory.learning_dynamics import predict

PLACES = 400
FIRST, LAST = 1e-3, 1e8  # times the slowest unit, 1 / largest eigenvalue
WORTH = 0.01  # of the variance of y, a point of R2: less is no reason to stop


@dataclass(frozen=True)
class Overtraining:
    """Errors in units of the variance of y, times in learning rate x steps.

    The loss is half the summed squared error; of a mean over n rows, t = 2 x rate x steps / n.

    Attributes
    ----------
    times : ndarray (T,)
    predicted_mse : ndarray (T,)
        At the training inputs, from the training rows alone. Trust its minimiser, not its value.
    held_out_mse : ndarray (T,)
        Of gradient flow from zero on the held-out rows.
    predicted_time, best_time : float
        The least of each.
    at_predicted_time, best_mse, end_mse, ridge_mse : float
        Held-out errors: stopped as predicted, at the best time, at the end of training, and by the
        ridge.
    ridge : float
        Noise variance over weight variance, the penalty on the squared weights.
    weight_variance, noise_variance : float
        Their estimates.
    noise_free : bool
        The likelihood found no noise; the predicted time is then too late.
    eigenvalues : ndarray (rank,)
        Of the centred X X^T.
    """

    times: np.ndarray
    predicted_mse: np.ndarray
    held_out_mse: np.ndarray
    predicted_time: float
    best_time: float
    at_predicted_time: float
    best_mse: float
    end_mse: float
    ridge_mse: float
    ridge: float
    weight_variance: float
    noise_variance: float
    noise_free: bool
    eigenvalues: np.ndarray

    @property
    def cost(self) -> float:
        """Held-out error at the end of training over the best: 1 means no overtraining."""
        return self.end_mse / self.best_mse

    @property
    def regret(self) -> float:
        """Held-out error at the predicted time over the best, minus 1."""
        return self.at_predicted_time / self.best_mse - 1

    @property
    def headline(self) -> str:
        """What to do, in a sentence."""
        if self.end_mse - self.best_mse < WORTH:
            return (
                f"Training to the end costs next to nothing ({self.end_mse:.3g} of the variance of "
                f"y, at best {self.best_mse:.3g}): there is no need to stop early."
            )
        return (
            f"Training to the end costs {self.cost:.3g} times the best error: stop at "
            f"t = {self.predicted_time:.3g} ({self.at_predicted_time / self.best_mse:.2f} times), "
            f"or use ridge {self.ridge:.3g} ({self.ridge_mse / self.best_mse:.2f} times)."
        )


def overtraining(X: Any, y: Any, *, held_out: Any = 0.25, random_state: int = 0) -> Overtraining:
    """Predict when to stop gradient descent on a linear model of X, and check it on other rows.

    Parameters
    ----------
    X : array (n, d)
        Rows, or features of them (random ones, the last layer of a network); n >= 3. Columns are
        centred, not scaled.
    y : array (n,) or (n, k)
        Numbers, or one-hot labels; centred and brought to a variance of 1 (the mean over columns).
    held_out : float or (X, y)
        Share of the rows to hold out, in (0, 1), or other rows to compare on.
    random_state : int
        Of the held-out rows.

    Returns
    -------
    Overtraining

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 3 rows to train on, or y or X is constant.

    Notes
    -----
    One eigendecomposition of the smaller of X X^T and X^T X: 0.1 s at n = 300 rows and 3,000
    features. For networks that learn features the time does not carry over: measure it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((800, 300))
    >>> y = X @ rng.standard_normal(300) + 10 * rng.standard_normal(800)
    >>> found = overtraining(X[:300], y[:300], held_out=(X[300:], y[300:]))
    >>> found.cost > 10, found.regret < 0.02
    (True, True)
    """
    X, y = _rows("X", "y", X, y)
    if len(X) < 3:
        raise ValueError(f"X must have at least 3 rows; got {len(X)}.")
    if isinstance(held_out, tuple):
        Z, target = _rows("held_out X", "held_out y", *held_out)
        if Z.shape[1:] != X.shape[1:] or target.shape[1:] != y.shape[1:]:
            raise ValueError(
                f"held_out must have the columns of X and y; got {Z.shape} and {target.shape} "
                f"beside {X.shape} and {y.shape}."
            )
    else:
        if not 0 < held_out < 1:
            raise ValueError(f"held_out must be a share in (0, 1) or (X, y); got {held_out!r}.")
        order = np.random.default_rng(random_state).permutation(len(X))
        apart, kept = np.split(order, [min(max(1, round(held_out * len(X))), len(X) - 2)])
        Z, target, X, y = X[apart], y[apart], X[kept], y[kept]
    return _compared(X, y, Z, target)


def _compared(X: np.ndarray, y: np.ndarray, Z: np.ndarray, target: np.ndarray) -> Overtraining:
    n = len(X)
    mean, level = X.mean(axis=0), y.mean(axis=0)
    spread = np.sqrt(((y - level) ** 2).mean())
    if spread == 0 or not (X - mean).any():
        raise ValueError("X and y must vary over the training rows; got constants.")
    y, target = (y - level) / spread, (target - level) / spread
    flow = LinearFlow(X - mean)
    lam = flow.eigenvalues
    squares = (flow.along(y) ** 2).mean(axis=1)
    rest = max(float((y**2).sum() / y.shape[1] - squares.sum()), 0.0)
    found = variance_components(lam, squares, rest, n - 1)
    times = np.geomspace(FIRST, LAST, PLACES) / lam.max()
    # The error at the training inputs weighs a mode by its eigenvalue: rho = l / n.
    snr = found.weight / found.noise
    curve = predict(len(lam) / n, snr, 0.0, times, (lam, lam / n, 0.0))
    asked = np.append(times, [curve.optimal_time, np.inf])

    def error(predicted: np.ndarray) -> np.ndarray:
        return ((predicted - target[:, None]) ** 2).mean(axis=(0, 2))

    held = error(flow.predict(Z - mean, y, asked))
    *on_way, at_predicted, at_end = held
    best = int(held.argmin())
    return Overtraining(
        times=times,
        predicted_mse=found.weight * curve.test_mse,
        held_out_mse=np.array(on_way),
        predicted_time=float(curve.optimal_time),
        best_time=float(asked[best]),
        at_predicted_time=float(at_predicted),
        best_mse=float(held[best]),
        end_mse=float(at_end),
        ridge_mse=float(error(flow.ridge(Z - mean, y, [found.ridge]))[0]),
        ridge=found.ridge,
        weight_variance=found.weight,
        noise_variance=found.noise,
        noise_free=found.noise_free,
        eigenvalues=lam,
    )


def _rows(of_x: str, of_y: str, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and targets (n, k), checked."""
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if X.ndim != 2 or not np.isfinite(X).all():
        raise ValueError(f"{of_x} must be a finite matrix (n, d); got shape {X.shape}.")
    if y.ndim not in (1, 2) or not np.isfinite(y).all():
        raise ValueError(f"{of_y} must be finite, (n,) or (n, k); got shape {y.shape}.")
    if len(X) != len(y):
        raise ValueError(
            f"{of_y} must have one entry per row of {of_x}; got {len(y)} for {len(X)} rows."
        )
    return X, y.reshape(len(y), -1)
