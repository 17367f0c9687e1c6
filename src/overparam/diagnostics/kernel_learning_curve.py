"""What more rows would give kernel ridge regression, from the training rows alone.

The eigenframework (arXiv 2311.14646) turns a spectrum into the error at any number of rows. Of the
population's spectrum N rows show the head only. Beyond mode N/10 we continue it by power laws:
lambda_i ~ i^-alpha, with alpha from 1 / tr(K_n^-1) over subsets, and v_i^2 ~ i^-beta. What variance
the head leaves is split between that tail and noise. beta and the split are not read off the sample
(its last eigenvectors hold whatever is left), but weighed by how well each pair reproduces the
errors measured by leave-one-out on subsets of up to N rows. The interval is that of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.diagnostics.power_laws import power_law_exponents
from overparam.evidence.intervals import Interval
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.ridge_path import RidgePath

KernelFunction = Callable[..., np.ndarray]

MOST_ROWS = 2000  # of the kernel matrix: 10 to 15 s on one core
FRACTIONS = (0.125, 0.25, 0.5, 1.0)
ORDERS = 6
HEAD = 0.1  # of the modes of a sample; with more of them it explains itself too well
BETAS = np.linspace(1.05, 3.0, 14)
# Of what the head leaves; closer near none, where a share decides what many rows bring.
NOISE_SHARES = np.r_[0.0, np.geomspace(0.01, 1.0, 20)]
LEAST_SPREAD = 0.03  # relative; the framework itself is no better
OFFSET_SPREAD = 0.1  # relative; of a level that framework and sample do not share
GAMMAS = 300
TAIL = 8  # modes of the tail reach this many times the largest size
RESAMPLES = 500


@dataclass(frozen=True)
class KernelLearningCurve:
    """Tuned test error of kernel ridge regression against rows.

    Attributes
    ----------
    sizes : ndarray (s,)
    mse, low, high : ndarray (s,)
        Predicted squared error, summed over outputs, with its 95 % interval.
    draws : ndarray (d, s)
        Curves drawn by their weights, of which the interval is made.
    measured : list of dict
        ``rows`` and leave-one-out ``mse`` on subsets of the training rows.
    ridge : float
        The ridge of least leave-one-out error on all rows.
    fitting_ratio : float
        Train error over leave-one-out error there: near 0 interpolation is (near) optimal, 1 means
        that nothing can be learnt.
    fitting_ratio_interval : Interval
        From resampled rows.
    interpolation_cost : float
        What the smallest ridge costs: relative rise of the leave-one-out error.
    interpolation_cost_interval : Interval
    """

    sizes: np.ndarray
    mse: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: np.ndarray
    measured: list[dict[str, float]]
    ridge: float
    fitting_ratio: float
    fitting_ratio_interval: Interval
    interpolation_cost: float
    interpolation_cost_interval: Interval


def predict_learning_curve(
    X: Any,
    y: Any,
    sizes: Any,
    kernel: KernelFunction | None = None,
    *,
    random_state: int = 0,
) -> KernelLearningCurve:
    """Predict the squared error of tuned kernel ridge regression at other numbers of rows.

    Parameters
    ----------
    X : array (n, d)
        Training rows, features on comparable scales; n >= 16. Beyond 2,000 a random part is used.
    y : array (n,) or (n, t)
        Numbers, or one-hot targets; the mean is taken off.
    sizes : array (s,)
        Rows, below or above n.
    kernel : callable, optional
        ``kernel(X) -> (n, n)``; by default the NTK of a ReLU net with two hidden layers.
    random_state : int
        Of subsets and draws.

    Notes
    -----
    About three eigendecompositions of n rows. It assumes that new rows are like these. Squared
    error is not classification error: see `forecast_error`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> images, digits = load_digits(return_X_y=True)
    >>> curve = predict_learning_curve(images[:200] / 16, np.eye(10)[digits[:200]], [200, 800])
    >>> curve.mse[1] < curve.mse[0]
    np.True_
    """
    X, Y, sizes = _checked(X, y, sizes)
    rng = np.random.default_rng(random_state)
    if len(X) > MOST_ROWS:
        part = rng.permutation(len(X))[:MOST_ROWS]
        X, Y = X[part], Y[part]
    n = len(X)
    K = np.array((kernel or default_kernel())(X), dtype=float)
    if K.shape != (n, n):
        raise ValueError(f"kernel must return a matrix {(n, n)}; got shape {K.shape}.")
    rows, measured = _measured(K, Y, rng)
    alpha = _tail_exponent(K, Y, random_state)
    path = RidgePath.from_kernel(K.copy(), Y, intercept=True)
    lam, v2, noise = _population(K, Y, alpha, max(float(sizes.max()), float(n)))
    curves = _tuned(lam, v2, noise, np.r_[rows, sizes])  # (candidates, rows and sizes)
    log_curves, log_measured = np.log(curves), np.log(measured)
    spread = np.maximum(log_measured.std(axis=1, ddof=1) / np.sqrt(ORDERS), LEAST_SPREAD)
    gap = log_measured.mean(axis=1) - log_curves[:, : len(rows)]
    precision = 1 / spread**2
    offset = (gap * precision).sum(axis=1) / (precision.sum() + OFFSET_SPREAD**-2)
    cost = ((gap - offset[:, None]) ** 2 * precision).sum(axis=1) + (offset / OFFSET_SPREAD) ** 2
    weight = np.exp(-(cost - cost.min()) / 2)
    chosen = rng.choice(len(cost), RESAMPLES, p=weight / weight.sum())
    level_error = 1 / np.sqrt(precision.sum() + OFFSET_SPREAD**-2)
    level = offset[chosen] + level_error * rng.standard_normal(RESAMPLES)
    draws = np.exp(log_curves[chosen, len(rows) :] + level[:, None])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return KernelLearningCurve(
        sizes,
        np.exp(np.log(draws).mean(axis=0)),
        low,
        high,
        draws,
        [
            {"rows": float(r), "mse": float(m)}
            for r, m in zip(rows, measured.mean(axis=1), strict=True)
        ],
        **_interpolation(path, Y, rng),
    )


def default_kernel() -> KernelFunction:
    """NTK of a ReLU net with two hidden layers and small biases."""
    return fully_connected("relu", 2, 2.0, 0.1)


def _checked(X: Any, y: Any, sizes: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, Y, sizes = np.asarray(X), np.asarray(y, dtype=float), np.asarray(sizes, dtype=float)
    if X.ndim < 2 or len(X) < 16:
        raise ValueError(f"X must be rows of features, at least 16 of them; got shape {X.shape}.")
    if len(Y) != len(X):
        raise ValueError(f"y must have one entry per row of X; got {len(Y)} for {len(X)} rows.")
    if sizes.ndim != 1 or not len(sizes) or not (sizes >= 4).all():
        raise ValueError(f"sizes must be a vector of numbers >= 4; got {sizes.tolist()}.")
    Y = Y.reshape(len(Y), -1)
    Y = Y - Y.mean(axis=0)
    if not Y.any():
        raise ValueError("y must not be constant: there is nothing to learn.")
    return X, Y, sizes


def _measured(
    K: np.ndarray, Y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sizes, and the tuned leave-one-out errors (sizes, orders) of random subsets of them."""
    n = len(K)
    rows = np.unique([max(8, round(f * n)) for f in FRACTIONS])
    found = np.empty((len(rows), ORDERS))
    for order in range(ORDERS):
        shuffled = rng.permutation(n)
        for i, size in enumerate(rows):
            if size == n and order:
                found[i, order] = found[i, 0]  # all rows are all rows
                continue
            part = shuffled[:size]
            path = RidgePath.from_kernel(K[np.ix_(part, part)], Y[part], intercept=True)
            found[i, order] = path.loo(path.default_ridges[::2]).min()
    return rows.astype(float), np.maximum(found, 1e-12)


def _tail_exponent(K: np.ndarray, Y: np.ndarray, random_state: int) -> float:
    """alpha, kept where the trace converges; a sample too small to tell gets the usual 1.5."""
    try:
        alpha = power_law_exponents(K, Y, random_state=random_state).alpha
    except (ValueError, np.linalg.LinAlgError):
        return 1.5
    return float(np.clip(alpha, 1.05, 4.0))


def _population(
    K: np.ndarray, Y: np.ndarray, alpha: float, largest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues (M,), coefficients (M, B) and noises (B,) of every candidate (beta, split)."""
    n = len(K)
    values, vectors = np.linalg.eigh(K)
    head = max(4, round(HEAD * n))
    lam = np.maximum(values[::-1][:head], 1e-12 * values[-1]) / n
    v2 = ((vectors[:, ::-1][:, :head].T @ Y) ** 2).sum(axis=1) / n
    left = max(float((Y**2).sum() / n - v2.sum()), 1e-12)
    # Modes of the tail in bins that grow: a bin of w modes is w modes of its middle.
    edges = np.unique(np.geomspace(head + 1, TAIL * largest, 400).astype(int))
    middle, width = (edges[:-1] + edges[1:] - 1) / 2, np.diff(edges)
    lam_tail = lam[-1] * (middle / head) ** -alpha
    candidates, noises = [], []
    for beta in BETAS:
        mass = width * (middle / head) ** -beta
        for share in NOISE_SHARES:
            shaken = np.maximum(v2 - share * left / n, 0)  # noise lies in every mode of a sample
            candidates.append(np.r_[shaken, (1 - share) * left * mass / mass.sum()])
            noises.append(share * left)
    multiplicity = np.r_[np.ones(head), width]
    return (
        np.stack([np.r_[lam, lam_tail], multiplicity]),
        np.array(candidates).T,
        np.array(noises),
    )


def _tuned(lam: np.ndarray, v2: np.ndarray, noise: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Least error over the ridge, (candidates, sizes), of the framework at k = inf.

    Given gamma the error is [sum_i (1 - L_i)^2 v_i^2 + noise] / (1 - q / n), whatever n is: one
    table over gamma serves all sizes and candidates. `lam` is eigenvalues and multiplicities.
    """
    values, times = lam
    gamma = np.geomspace(values[-1] * 1e-3, values[0] * 1e3, GAMMAS)
    learnt = values / (values + gamma[:, None])
    z, q = learnt @ times, learnt**2 @ times
    bias = (1 - learnt) ** 2 @ v2 + noise  # (gammas, candidates)
    found = np.empty((v2.shape[1], len(sizes)))
    for j, n in enumerate(sizes):
        possible = z < n
        found[:, j] = (bias[possible] / (1 - q[possible] / n)[:, None]).min(axis=0)
    return found


def _interpolation(path: RidgePath, Y: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Best ridge, its fitting ratio and the cost of interpolating, over resampled rows."""
    ridges = path.default_ridges
    square = np.stack([(path.loo_residuals(r) ** 2).sum(axis=1) for r in ridges])
    train = np.array([((r * path.dual(r)[0]) ** 2).sum(axis=1).mean() for r in ridges])
    loo = square.mean(axis=1)
    best = int(loo.argmin())
    n = len(Y)
    weight = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    resampled = weight @ square.T  # (resamples, ridges)
    places = resampled.argmin(axis=1)
    ratios = train[places] / resampled[np.arange(RESAMPLES), places]
    costs = resampled[:, 0] / resampled[:, best] - 1  # the ridge stays: a paired difference
    ends = [np.quantile(v, [0.025, 0.975]) for v in (ratios, costs)]
    intervals = [Interval(float(a), float(b), method="bootstrap over rows") for a, b in ends]
    return {
        "ridge": float(ridges[best]),
        "fitting_ratio": float(train[best] / loo[best]),
        "fitting_ratio_interval": intervals[0],
        "interpolation_cost": float(loo[0] / loo[best] - 1),
        "interpolation_cost_interval": intervals[1],
    }
