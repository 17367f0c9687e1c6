"""The error of a model on more rows, forecast from two sources.

The first is the model's own learning curve on subsets, continued as a power law with a floor. The
second is the spectrum of a kernel on the same rows (`predict_learning_curve`): it knows nothing of
the model, but says how fast this target gives in to data. Its squared error is turned into the
model's error by a regression of logarithms over the measured sizes,

    log error(n) = a + s log mse(n),        s drawn towards 1.

The forecast is the geometric mean of the two. Its interval holds the forecasts of both from
resampled rows, subsets and kernel curves: where the sources disagree it is wide. Both believe that
what was seen goes on; for the rest it widens with the square of the doublings beyond what was
measured, as a curve does that bends otherwise than expected, and in proportion from 2.5 of them on.
No forecast is worse than the largest error that was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.diagnostics.kernel_learning_curve import (
    KernelLearningCurve,
    predict_learning_curve,
)
from overparam.diagnostics.power_law_curve import PowerLaw, fit_power_law, resampled_curves

RESAMPLES = 1000
SLOPE_SPREAD = 0.3  # of s around 1
POINT_SPREAD = 0.1  # relative, of a measured point around the regression
BEYOND = 0.04  # relative spread, times the squared doublings: what neither source can know
FAR = 2.5  # doublings from which it grows in proportion to them


@dataclass(frozen=True)
class ErrorForecast:
    """A forecast and what it rests on.

    Attributes
    ----------
    points : list of dict
        For each asked number of rows: ``rows``, ``error``, its interval ``low`` and ``high`` at
        95 %, and what each source says: ``from_curve``, ``from_kernel``.
    gain : ndarray (resamples, rows)
        Error saved against the largest measured size, by resample: for intervals of a gain.
    curve : PowerLaw
        Fitted to the measured means.
    kernel : KernelLearningCurve
        With the best ridge and whether interpolation is (near) optimal on these rows.
    slope : float
        s: how the model's error follows the kernel's squared error.
    """

    points: list[dict[str, float]]
    gain: np.ndarray
    curve: PowerLaw
    kernel: KernelLearningCurve
    slope: float


def forecast_error(
    sizes: Any,
    errors: Any,
    X: Any,
    y: Any,
    rows: Any,
    *,
    kernel: Callable[..., np.ndarray] | None = None,
    test_rows: int | None = None,
    random_state: int = 0,
) -> ErrorForecast:
    """Forecast the error of a model at other numbers of training rows.

    Parameters
    ----------
    sizes : array (s,)
        Training rows at which the error was measured: at least three, increasing.
    errors : array (s, r) or (s, r, m)
        Errors of r >= 2 subsets of each size; with a third axis the errors of each of the m rows
        on which all were scored (1 or 0, or squares), which are then resampled too.
    X : array (n, d)
        Training rows, features on comparable scales; n >= 16.
    y : array (n,) or (n, t)
        Numbers, or one-hot targets of a classification.
    rows : array (h,)
        Training rows to forecast for.
    kernel : callable, optional
        As in `predict_learning_curve`.
    test_rows : int, optional
        Widen the interval to hold an error *measured* on so many new rows, rather than the error
        itself.
    random_state : int
        Of resampling.

    Notes
    -----
    About three eigendecompositions of min(n, 2,000) rows: 1 s at n = 500, 10 to 15 s at 2,000.
    It assumes that new rows are like the old ones and that the model is tuned alike at every size.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 5))
    >>> y = np.tanh(X[:, 0]) + 0.1 * rng.standard_normal(200)
    >>> sizes = np.array([25, 50, 100, 200])
    >>> errors = 0.01 + sizes[:, None] ** -0.7 * (1 + 0.05 * rng.standard_normal((4, 4)))
    >>> (point,) = forecast_error(sizes, errors, X, y, [800]).points
    >>> point["low"] < 0.01 + 800**-0.7 < point["high"]
    True
    """
    n, measured, ahead = _checked(sizes, errors, rows, test_rows)
    rng = np.random.default_rng(random_state)
    curves = resampled_curves(measured, RESAMPLES, rng)  # (resamples, sizes)
    mean = measured.mean(axis=tuple(range(1, measured.ndim)))
    least = _least(measured)
    law = fit_power_law(n, mean)
    prediction = predict_learning_curve(X, y, np.r_[n, ahead], kernel, random_state=random_state)
    log_mse = np.log(prediction.draws[rng.integers(0, len(prediction.draws), RESAMPLES)])
    central_mse = np.log(prediction.mse)
    from_curve = np.maximum(fit_power_law(n, curves)(ahead), least)
    from_kernel, _ = _through_kernel(np.maximum(curves, least), log_mse, len(n))
    said, slope = _through_kernel(np.maximum(mean, least)[None], central_mse[None], len(n))
    ours = np.maximum(law(ahead), least)
    central = np.sqrt(ours * said[0])
    draws = np.concatenate([from_curve, from_kernel])
    beyond = np.maximum(np.log2(ahead / n[-1]), 0)
    spread = BEYOND * beyond * np.minimum(beyond, FAR)
    draws = draws * np.exp(spread * rng.standard_normal((len(draws), 1)))
    draws = np.minimum(draws, max(float(mean.max()), least))
    gain = np.concatenate([curves, curves])[:, -1:] - draws
    if test_rows is not None:
        draws = _as_measured(draws, test_rows, measured, rng)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    points = [
        {
            "rows": float(ahead[i]),
            "error": float(np.clip(central[i], low[i], high[i])),
            "low": float(low[i]),
            "high": float(high[i]),
            "from_curve": float(ours[i]),
            "from_kernel": float(said[0, i]),
        }
        for i in range(len(ahead))
    ]
    return ErrorForecast(points, gain, law, prediction, float(slope[0]))


def _checked(
    sizes: Any, errors: Any, rows: Any, test_rows: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, measured, ahead = (np.asarray(v, dtype=float) for v in (sizes, errors, rows))
    if n.ndim != 1 or len(n) < 3 or not (np.diff(n) > 0).all() or n[0] < 4:
        raise ValueError(f"sizes must be at least three increasing numbers >= 4; got {sizes!r}.")
    if measured.ndim not in (2, 3) or len(measured) != len(n) or measured.shape[1] < 2:
        raise ValueError(
            f"errors must have shape ({len(n)}, subsets >= 2) or ({len(n)}, subsets, rows); got "
            f"shape {measured.shape}."
        )
    if not ((measured >= 0) & np.isfinite(measured)).all():
        raise ValueError("errors must be finite numbers >= 0.")
    if ahead.ndim != 1 or not len(ahead) or not (ahead >= 4).all():
        raise ValueError(f"rows must be a vector of numbers >= 4; got {rows!r}.")
    if test_rows is not None and test_rows < 1:
        raise ValueError(f"test_rows must be an integer >= 1; got {test_rows!r}.")
    return n, measured, ahead


def _least(measured: np.ndarray) -> float:
    """No error counts as less: half a row of those scored, or a twentieth of the largest."""
    if measured.ndim == 3 and np.isin(measured, (0, 1)).all():
        return 0.5 / measured.shape[2]
    means = measured.mean(axis=tuple(range(1, measured.ndim)))
    return max(0.05 * float(means.max()), 1e-12)


def _through_kernel(
    curves: np.ndarray, log_mse: np.ndarray, sizes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors (b, h) ahead and slopes (b,), of curves (b, s) and log kernel errors (b, s + h).

    The line runs through the mean of the measured points; its slope is a mean of the fitted one
    and 1, each by its precision.
    """
    log_error = np.log(curves)
    x = log_mse[:, :sizes]
    centre = x.mean(axis=1, keepdims=True)
    level = log_error.mean(axis=1, keepdims=True)
    xx = ((x - centre) ** 2).sum(axis=1) / POINT_SPREAD**2
    xy = ((x - centre) * (log_error - level)).sum(axis=1) / POINT_SPREAD**2
    slope = np.maximum((xy + SLOPE_SPREAD**-2) / (xx + SLOPE_SPREAD**-2), 0)
    return np.exp(level + slope[:, None] * (log_mse[:, sizes:] - centre)), slope


def _as_measured(
    draws: np.ndarray, test_rows: int, measured: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws as they would be measured on so many rows."""
    if measured.ndim == 3 and np.isin(measured, (0, 1)).all():
        return rng.binomial(test_rows, np.clip(draws, 0, 1)) / test_rows
    # Squares of normal errors: a chi-squared variable with as many degrees of freedom as rows.
    return draws * rng.chisquare(test_rows, draws.shape) / test_rows
