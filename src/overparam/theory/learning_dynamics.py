"""Train and test error of linear regression by gradient descent, at every time (arXiv 1710.03667).

Teacher y = wbar X + eps, X (N x P, columns are examples) with independent N(0, 1/N) entries,
wbar ~ N(0, s_w^2), eps ~ N(0, s_e^2), SNR = s_w^2 / s_e^2. Student w X with w(0) ~ N(0, s_w0^2),
INR = s_w0^2 / s_w^2, full batches, half the summed squared error: tau dw/dt = y X^T - w X X^T.
With rho the eigenvalues l of X X^T for alpha = P / N (`covariance_spectrum`) and z their mass at 0,

    A = int rho e^{-2lt}     M = int rho l e^{-2lt}     B = int rho (1 - e^{-lt})^2 / l
    C = int rho (1 - e^{-lt})^2

    test   = (1 + INR) (A + z) + (B + 1) / SNR                                             (1)
    train  = [(1 + INR) M + A / SNR] / alpha + (1 - mass of rho / alpha) / SNR             (2)
    norm   = INR (A + z) + C + B / SNR                       |w|^2 per weight              (3)

in units of s_w^2, time in units of tau. Directions without data, the mass z, never move: a frozen
subspace. A mode alone is best at t = log(1 + SNR (1 + INR) l) / l, which falls in l: the best time
for all lies between those of the largest and the least l, where

    SNR (1 + INR) M = int rho e^{-lt} (1 - e^{-lt}).                                       (4)

The integrals do not depend on SNR and INR: one product for each alpha serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.theory.covariance_spectrum import (
    Array,
    Spectrum,
    as_spectrum,
    marchenko_pastur,
)
from overparam.theory.deep_linear_dynamics import deep_linear
from overparam.theory.norm_bounds import Bounds, generalization_bound

__all__ = [
    "Bounds",
    "Dynamics",
    "Spectrum",
    "deep_linear",
    "generalization_bound",
    "marchenko_pastur",
    "optimal_stopping",
    "predict",
    "ridge_mse",
    "worst_size",
]

FEWEST, MOST = 400, 20_000  # nodes
BLOCK = 1 << 18  # exponentials held at once (2 MB)
PLACES = 601  # log-spaced times among which the best is sought before Newton
NEWTON = 6  # from a cell 1 to 5 % wide it squares the error each time
SIZES = np.geomspace(0.02, 50, 69)


@dataclass(frozen=True)
class Dynamics:
    """Errors in units of the teacher's weight variance; times in units of tau.

    Attributes
    ----------
    train_mse, test_mse, weight_norm : ndarray (..., T)
        At each time, over the shape to which alpha, snr and init_variance broadcast; the test
        error includes the noise of new labels. `weight_norm` is the mean square of a weight.
    ridge_mse : ndarray (...) or float
        Test error of the best ridge, 1/SNR, from initial weights of zero: no time beats it.
    optimal_time, optimal_mse : ndarray (...) or float
        When to stop, and the test error then.
    """

    train_mse: Any
    test_mse: Any
    ridge_mse: Any
    optimal_time: Any
    optimal_mse: Any
    weight_norm: Any


def predict(alpha: Any, snr: Any, init_variance: Any, times: Any, spectrum: Any = None) -> Dynamics:
    """Predict train and test error over time.

    Parameters
    ----------
    alpha : float or array
        Samples per parameter, P / N > 0.
    snr : float or array
        Variance of the teacher's weights over that of the label noise, > 0.
    init_variance : float or array
        Variance of the initial weights over that of the teacher's, >= 0.
    times : float or array (T,)
        Increasing, >= 0, in units of tau: learning rate times steps on half the summed squared
        error. `numpy.inf` is the end of training.
    spectrum : (values, weights, zero_mass), optional
        Eigenvalues of one's own X X^T in place of Marchenko and Pastur's.

    Returns
    -------
    Dynamics

    Raises
    ------
    ValueError
        If an argument is outside what is accepted.

    Notes
    -----
    O(T n) for each distinct alpha, with n = 400 nodes, more near alpha = 1; a million points of
    (alpha, snr, time) take about a second. At alpha = 1 times beyond 1e6 are not resolved, except
    the end itself. Exact for N, P -> infinity; at N = 300 a few per cent, more at alpha = 1.

    Examples
    --------
    >>> curve = predict(0.5, 5.0, 0.0, [0, 1, np.inf])
    >>> curve.test_mse.round(3)
    array([1.2  , 0.866, 0.9  ])
    >>> print(f"stop at {curve.optimal_time:.2f}: {curve.optimal_mse:.4f}")
    stop at 2.71: 0.8261
    """
    alpha, snr, inr, shape = _arguments(alpha, snr, init_variance)
    shaped = np.asarray(times, dtype=float)
    t = np.atleast_1d(shaped)
    if shaped.ndim > 1 or not (t >= 0).all() or not (t[1:] >= t[:-1]).all():
        raise ValueError(f"times must be increasing numbers >= 0; got {times!r}.")
    own = None if spectrum is None else as_spectrum(spectrum)
    train, test, norm = np.empty((3, len(alpha), len(t)))
    best = np.empty((3, len(alpha)))  # time, test error, ridge's test error
    for value in np.unique(alpha):
        rows = np.flatnonzero(alpha == value)
        law = own or _law(value)
        A, M, B, C = _integrals(law, t, None if own else value)
        frozen, s, i = law.zero_mass, snr[rows, None], inr[rows, None]
        unfitted = max(0.0, 1 - (law.weights.sum() if own else min(1.0, value)) / value)
        test[rows] = (1 + i) * (A + frozen) + (B + 1) / s
        train[rows] = ((1 + i) * M + A / s) / value + unfitted / s
        norm[rows] = i * (A + frozen) + C + B / s
        best[:2, rows] = _optimum(law, snr[rows], inr[rows])
        best[2, rows] = _ridge(value, snr[rows], own)
    full = shape + shaped.shape
    time, least, ridge = (row.reshape(shape)[()] for row in best)
    train, test, norm = (part.reshape(full)[()] for part in (train, test, norm))
    return Dynamics(train, test, ridge, time, least, norm)


def optimal_stopping(alpha: Any, snr: Any, init_variance: Any = 0.0) -> tuple[Any, Any]:
    """When gradient descent has its least test error, and that error.

    Parameters
    ----------
    alpha, snr, init_variance
        As in `predict`.

    Returns
    -------
    time, mse : ndarray or float
        Of the shape to which the arguments broadcast.

    Examples
    --------
    >>> time, mse = optimal_stopping(1.0, 5.0)
    >>> print(f"{time:.3f} {mse:.4f}")
    3.067 0.5675
    """
    found = predict(alpha, snr, init_variance, np.empty(0))
    return found.optimal_time, found.optimal_mse


def ridge_mse(alpha: Any, snr: Any) -> Any:
    """Test error of ridge regression at its best penalty, 1/SNR.

    Parameters
    ----------
    alpha, snr
        As in `predict`.

    Examples
    --------
    >>> print(f"{ridge_mse(1.0, 5.0):.4f}")
    0.5583
    """
    alpha, snr, _, shape = _arguments(alpha, snr, 0.0)
    return _ridge(alpha, snr, None).reshape(shape)[()]


def worst_size(snr: float, time: float, init_variance: float = 0.0) -> float:
    """Samples per parameter at which training until `time` costs most against stopping in time.

    Parameters
    ----------
    snr, init_variance : float
        As in `predict`.
    time : float
        > 0; at the end of training the answer is 1: as many parameters as samples.

    Returns
    -------
    float
        alpha, to about 0.1 %.

    Examples
    --------
    >>> print(f"{worst_size(5.0, 1e4):.2f}")
    1.00
    """
    if not time > 0:
        raise ValueError(f"time must be a number > 0; got {time!r}.")
    if np.isinf(time):
        _arguments(1.0, snr, init_variance)
        return 1.0
    places = SIZES
    for _ in range(4):
        found = predict(places, snr, init_variance, [time])
        late = np.where(found.optimal_time < time, found.test_mse[:, 0] - found.optimal_mse, 0.0)
        top = int(late.argmax())
        worst = float(places[top])
        around = places[max(top - 1, 0)], places[min(top + 1, len(places) - 1)]
        places = np.geomspace(*around, 11)
    return worst


def _arguments(
    alpha: Any, snr: Any, init_variance: Any
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """The three as vectors, and the shape to which they broadcast."""
    named = {"alpha": alpha, "snr": snr, "init_variance": init_variance}
    arrays = [np.asarray(value, dtype=float) for value in named.values()]
    for name, array in zip(named, arrays, strict=True):
        good = np.isfinite(array) & (array >= 0 if name == "init_variance" else array > 0)
        if not good.all():
            least = ">= 0" if name == "init_variance" else "> 0"
            raise ValueError(f"{name} must be finite and {least}; got {array[~good].flat[0]:g}.")
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    a, s, i = (np.broadcast_to(array, shape).ravel() for array in arrays)
    return a, s, i, shape


def _law(alpha: float) -> Spectrum:
    """With the nodes that the pole of the integrand at l = 0 asks for; at alpha = 1 it has none."""
    if alpha == 1:
        return marchenko_pastur(alpha)
    return marchenko_pastur(alpha, int(np.clip(40 / abs(np.log(alpha)), FEWEST, MOST)))


def _integrals(law: Spectrum, t: Array, alpha: float | None) -> Array:
    """A, M, B and C at each time, (4, T); with alpha the end is in closed form."""
    lam, rho = law.values, law.weights
    found = np.empty((4, len(t)))
    size = max(1, BLOCK // len(lam))
    for first in range(0, len(t), size):
        part = slice(first, first + size)
        decay = np.exp(-t[part, None] * lam)
        rest = (1 - decay) ** 2
        decay *= decay
        found[0, part], found[1, part] = decay @ rho, decay @ (rho * lam)
        found[2, part], found[3, part] = rest @ (rho / lam), rest @ rho
    if alpha is not None:
        with np.errstate(divide="ignore"):
            found[2, np.isinf(t)] = min(1.0, alpha) / np.abs(np.float64(alpha) - 1)
    return found


def _optimum(law: Spectrum, snr: Array, inr: Array) -> tuple[Array, Array]:
    """Best time and its test error for each pair: the best of a grid, then Newton on (4)."""
    lam, rho = law.values, law.weights
    ratio = snr * (1 + inr)
    ends = (
        np.log1p(ratio.min() * lam.max()) / lam.max(),
        np.log1p(ratio.max() * lam.min()) / lam.min(),
    )
    u = np.log(ends[0]) + np.linspace(0, 1, PLACES) * np.log(ends[1] / ends[0])
    A, _, B, _ = _integrals(law, np.exp(u), None)
    place = np.array([(r * A + B).argmin() for r in ratio])
    low, high = u[np.maximum(place - 1, 0)], u[np.minimum(place + 1, PLACES - 1)]
    at = u[place]
    for _ in range(NEWTON):
        at = np.clip(at + _newton_step(lam, rho, np.exp(at), ratio), low, high)
    time = np.exp(at)
    A, _, B, _ = _integrals(law, time, None)
    return time, (1 + inr) * (A + law.zero_mass) + (B + 1) / snr


def _newton_step(lam: Array, rho: Array, t: Array, ratio: Array) -> Array:
    """Step of log t towards log(S / M) = log(ratio), S the right side of (4)."""
    step = np.empty_like(t)
    size = max(1, BLOCK // len(lam))
    for first in range(0, len(t), size):
        part = slice(first, first + size)
        decay = np.exp(-t[part, None] * lam)
        linear = decay @ np.stack([rho, rho * lam], 1)
        decay *= decay
        square = decay @ np.stack([rho, rho * lam, rho * lam**2], 1)
        S, M = linear[:, 0] - square[:, 0], square[:, 1]
        slope = t[part] * ((2 * square[:, 1] - linear[:, 1]) / S + 2 * square[:, 2] / M)
        step[part] = (np.log(ratio[part]) - np.log(S / M)) / slope
    return step


def _ridge(alpha: Any, snr: Array, own: Spectrum | None) -> Array:
    """int rho / (1 + SNR l) + z + 1/SNR; in closed form for Marchenko and Pastur's law.

    There g m, with g = 1/SNR and m the Stieltjes transform, solves g m^2 + (g + alpha - 1) m = 1.
    """
    if own is not None:
        return (own.weights / (1 + snr[:, None] * own.values)).sum(axis=1) + own.zero_mass + 1 / snr
    g = 1 / snr
    b = g + alpha - 1
    root = np.sqrt(b**2 + 4 * g)
    # The positive root of x^2 + b x - g, x = g m, in the form without cancellation.
    x = np.where(b > 0, 2 * g / (b + root), (root - b) / 2)
    return x + g
