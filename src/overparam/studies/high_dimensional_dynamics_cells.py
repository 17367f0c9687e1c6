"""What the claims of `high_dimensional_dynamics` rest on: simulations in closed form.

Linear teachers, random features and real regressions are gradient flow on a last layer: one
decomposition gives every time. Trained networks stand in `high_dimensional_dynamics_nets`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.data.loading import load
from overparam.diagnostics.stopping_time import overtraining
from overparam.kernels.linear_flow import LinearFlow
from overparam.theory.learning_dynamics import optimal_stopping
from overparam.theory.norm_bounds import bounds_of

TEACHERS = 8  # a draw of inputs: decompositions are what costs
STOPPING_TIMES = np.geomspace(0.1, 30, 241)
FLIPPED = 0.2  # of the training labels
DESCENT_STEPS = 300


def linear_errors(
    alpha: float, snr: float, inr: float, seed: int, n: int, draws: int, times: tuple[float, ...]
) -> dict[str, Any]:
    """C1: mean test and train error at each time over draws of inputs, teachers and starts.

    Also the standard error of the means, over draws of inputs.
    """
    rng = np.random.default_rng([seed, n, round(100 * alpha), round(100 * snr), round(100 * inr)])
    found = np.array([linear_draw(rng, n, alpha, snr, inr, times) for _ in range(draws)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(draws)
    return {"test": mean[0], "train": mean[1], "test_se": error[0], "train_se": error[1]}


def linear_draw(
    rng: np.random.Generator, n: int, alpha: float, snr: float, inr: float, times: Any
) -> np.ndarray:
    """Test and train errors (2, T) of one draw of inputs, over some teachers."""
    rows = round(alpha * n)
    X = rng.standard_normal((rows, n)) / np.sqrt(n)
    teacher = rng.standard_normal((n, TEACHERS))
    start = np.sqrt(inr) * rng.standard_normal((n, TEACHERS))
    y = X @ teacher + rng.standard_normal((rows, TEACHERS)) / np.sqrt(snr)
    weights = LinearFlow(X).predict(np.eye(n), y, times, start)  # (n, T, teachers)
    test = ((weights - teacher[:, None]) ** 2).sum(axis=0).mean(axis=1) / n + 1 / snr
    fitted = (X @ weights.reshape(n, -1)).reshape(rows, *weights.shape[1:])
    return np.array([test, ((fitted - y[:, None]) ** 2).mean(axis=(0, 2))])


def stopping_times(alpha: float, snr: float, seed: int, n: int, draws: int) -> dict[str, float]:
    """C5: the minimum of the mean simulated curve, and what the theory's time costs there."""
    rng = np.random.default_rng([seed, 5, n, round(100 * alpha), round(100 * snr)])
    predicted = float(optimal_stopping(alpha, snr)[0])
    times = np.append(STOPPING_TIMES, predicted)
    curve = np.mean([linear_draw(rng, n, alpha, snr, 0.0, times)[0] for _ in range(draws)], axis=0)
    *on_grid, at_predicted = curve
    best = int(np.argmin(on_grid))
    return {
        "simulated_time": float(times[best]),
        "time_ratio": predicted / float(times[best]),
        "cost": at_predicted / min(curve) - 1,
    }


def random_features(
    ratio: list[float],
    seed: int,
    source: str,
    pair: tuple[str, str],
    rows: int,
    test_rows: int,
    start: float,
) -> dict[str, Any]:
    """C2 to C4 and C6 to C8: a fixed random ReLU layer of N1 = ratio x rows units.

    Its last layer is trained to the end, by gradient flow from N(0, start^2), on labels of which
    some are flipped; the test labels are clean. Widths share the same directions (a prefix).
    """
    X, y, Z, target = image_pair(source, pair, rows, test_rows, seed)
    rng = np.random.default_rng([seed, 7])
    widths = [max(1, round(r * rows)) for r in ratio]
    W = rng.standard_normal((X.shape[1], max(widths)))
    w = start * rng.standard_normal(max(widths))
    found = [last_layer(X, y, Z, target, W[:, :k], w[:k]) for k in widths]
    return {name: [one[name] for one in found] for name in found[0]}


def last_layer(
    X: np.ndarray, y: np.ndarray, Z: np.ndarray, target: np.ndarray, W: np.ndarray, w0: np.ndarray
) -> dict[str, Any]:
    """Errors, bounds and conditioning of one width."""
    H, G = (np.maximum(part @ W, 0) * np.sqrt(2 / W.shape[1]) for part in (X, Z))
    flow = LinearFlow(H)
    times = np.append(np.geomspace(1e-2, 1e9, 200) / flow.eigenvalues[-1], np.inf)
    predicted = flow.predict(G, y, times, w0)
    mse = ((predicted - target[:, None]) ** 2).mean(axis=0)
    bounds = bounds_of(flow, y, w0)
    return {
        "width": W.shape[1],
        "late_mse": mse[-1],
        "best_mse": mse.min(),
        "late_error": np.mean(np.sign(predicted[:, -1]) != target),
        "lambda_min": bounds.lambda_min,
        "frozen_share": 1 - bounds.rank / W.shape[1],
        "naive": bounds.naive,
        "effective": bounds.effective,
        "alternative": bounds.alternative,
        "parameter_count": bounds.parameter_count,
    }


def frozen_motion(
    seed: int, source: str, pair: tuple[str, str], rows: int, ratio: float
) -> dict[str, float]:
    """C6: how far weights move outside the span of the data, relative to how far they move.

    In closed form and by explicit descent in double precision; the span by an SVD of its own.
    """
    X, y, _, _ = image_pair(source, pair, rows, 2, seed)
    rng = np.random.default_rng([seed, 6])
    k = round(ratio * rows)
    H = np.maximum(X @ rng.standard_normal((X.shape[1], k)), 0) * np.sqrt(2 / k)
    w0 = rng.standard_normal(k)
    span = np.linalg.svd(H, full_matrices=False)[2]
    flow = LinearFlow(H)
    w, rate = w0.copy(), 1 / flow.eigenvalues[-1]
    for _ in range(DESCENT_STEPS):
        w += rate * H.T @ (y - H @ w)
    moved = {"flow": flow.weights(y, [np.inf], w0)[:, 0] - w0, "descent": w - w0}
    return {
        name: float(np.linalg.norm(way - span.T @ (span @ way)) / np.linalg.norm(way))
        for name, way in moved.items()
    } | {"frozen_share": 1 - len(flow.eigenvalues) / k}


def image_pair(
    source: str, pair: tuple[str, str], rows: int, test_rows: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows with flipped labels, test rows with clean ones, both labelled +-1.

    Pixels are centred by the training mean and scaled to rows of norm 1 on average.
    """
    images = load(source)
    assert images.array is not None
    codes = [images.classes.index(name) for name in pair]
    rng = np.random.default_rng([seed, 1])
    chosen = rng.permutation(np.flatnonzero(np.isin(images.y, codes)))[: rows + test_rows]
    X = images.array[chosen].reshape(len(chosen), -1).astype(float)
    y = np.where(images.y[chosen] == codes[0], 1.0, -1.0)
    X -= X[:rows].mean(axis=0)
    X /= np.linalg.norm(X[:rows], axis=1).mean()
    noisy = np.where(rng.random(rows) < FLIPPED, -y[:rows], y[:rows])
    return X[:rows], noisy, X[rows:], y[rows:]


def real_regression(
    source: str, features: int, rows: int, seed: int, splits: int
) -> dict[str, list[float]]:
    """C9: stopping as predicted against the best, the end and the ridges, a list over splits.

    `features` random ReLU units, 0 for the columns themselves. Errors in units of var(y).
    """
    data = load(source, task="regression")
    raw = data.array if data.array is not None else data.frame.to_numpy()  # type: ignore[union-attr]
    X, y = np.asarray(raw, dtype=float).reshape(data.n, -1), data.y.astype(float)
    rng = np.random.default_rng([seed, 9, features, rows])
    columns = ("predicted", "best", "end", "ridge", "regret", "least_predicted_value", "time_ratio")
    found: dict[str, list[float]] = {name: [] for name in columns}
    for _ in range(splits):
        order = rng.permutation(len(X))
        fit, apart = order[:rows], order[rows:]
        Z = X - X[fit].mean(axis=0)
        if data.array is None:  # columns in different units
            Z = Z / Z[fit].std(axis=0)
        Z /= np.linalg.norm(Z[fit], axis=1).mean()
        if features:
            Z = np.maximum(Z @ rng.standard_normal((X.shape[1], features)), 0)
            Z *= np.sqrt(2 / features)
        one = overtraining(Z[fit], y[fit], held_out=(Z[apart], y[apart]))
        figures = (
            one.at_predicted_time,
            one.best_mse,
            one.end_mse,
            one.ridge_mse,
            one.regret,
            one.predicted_mse.min(),
            one.predicted_time / one.best_time,
        )
        for name, value in zip(columns, figures, strict=True):
            found[name].append(float(value))
    return found
