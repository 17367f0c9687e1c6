"""Train and test error of (random-feature) kernel ridge regression, from a spectrum alone.

With kernel eigenvalues lambda_i, target coefficients v_i, noise variance sigma^2, n samples, k
random features and ridge delta (added to the kernel matrix: no factor n), kappa and gamma solve

    n = sum_i lambda_i / (lambda_i + gamma) + delta / kappa                                (1)
    k = sum_i lambda_i / (lambda_i + gamma) + k kappa / gamma                              (2)

and with L_i = lambda_i / (lambda_i + gamma), z = sum_i L_i, q = sum_i L_i^2

    test  = [sum_i (1 - L_i - kappa lambda_i / (lambda_i + gamma)^2 k / (k - q)) v_i^2 + sigma^2]
            / (1 - (q (k - 2 z) + z^2) / (n (k - q)))                                      (3)
    train = (delta / (n kappa))^2 test                                                     (4)

(arXiv 2311.14646; k = inf is kernel ridge regression, where gamma = kappa).

How it is solved. Let a = n - z, b = k - z, p = z - q. (1) and (2) say a b = k delta / gamma, where
a - b = n - k is known, so that the smaller of the two, t = min(n, k) - z, is a function of gamma:

    t (t + |n - k|) = k delta / gamma,            z(gamma) + t(gamma) = min(n, k).         (5)

The left side of (5) falls monotonically in gamma: one root, for every ridge from 0 to infinity, and
a and b come out without cancellation. In the same letters (3) is

    test = n (b + p) / (a b + p (a + b)) [sum_i (1 - L_i) (1 - b / (b + p) L_i) v_i^2 + sigma^2]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

GRID = 256  # places of log gamma at which z is tabulated, to start from
MOST_STEPS = 120  # bisection alone needs about 60 from a cell of the grid
STEP = 2e-15  # a relative step of log gamma below this is rounding
BLOCK = 1 << 17  # numbers of a block (1 MB): it stays in cache
REFINEMENTS = 7  # tenfold each: down to where the error is flat to rounding
RIDGES = 400  # places on which the best ridge is sought before it is refined


@dataclass(frozen=True)
class RiskPrediction:
    """What the eigenframework says; arrays of the shape to which n, k, ridge and noise broadcast.

    Attributes
    ----------
    test_mse, train_mse : ndarray or float
        Mean squared errors on new and on training rows, noise included; `test_mse` is infinite at
        n = k without a ridge.
    kappa, gamma : ndarray or float
        The two effective regularisations.
    eigenvalues : ndarray (M,)
        The spectrum they belong to.
    """

    test_mse: Any
    train_mse: Any
    kappa: Any
    gamma: Any
    eigenvalues: np.ndarray

    @property
    def learnability(self) -> np.ndarray:
        """lambda_i / (lambda_i + gamma), (..., M): the share of mode i that is learnt."""
        return self.eigenvalues / (self.eigenvalues + np.asarray(self.gamma)[..., None])


def predict(
    eigenvalues: Any,
    coefficients2: Any,
    noise: Any,
    n: Any,
    k: Any = np.inf,
    ridge: Any = 0.0,
) -> RiskPrediction:
    """Predict the errors of ridge regression with k random features on n samples.

    Parameters
    ----------
    eigenvalues : array (M,)
        Eigenvalues of the kernel under the data distribution, > 0.
    coefficients2 : array (M,)
        Squared coefficients of the target in the eigenfunctions, >= 0; for several outputs their
        sum, and then `noise` is a sum too.
    noise : float or array
        Variance of the noise on the targets, >= 0; part of both errors.
    n, k : float or array
        Samples and random features, >= 1; k = inf is kernel ridge regression.
    ridge : float or array
        What is added to the diagonal of the kernel matrix, >= 0.

    Notes
    -----
    O(M) a point and iteration; 1,000 points with M = 10,000 take well below a second. Exact in the
    limit of large n, k under a Gaussian-like universality of the eigenfunctions; expect a few per
    cent at n = 100. The population is the distribution: where eigenvalues come from a finite pool
    that holds the training rows, see `unseen_error`.

    Examples
    --------
    >>> modes = np.arange(1, 1501)
    >>> risk = predict(modes**-1.5, modes**-1.6, noise=0.05, n=300, ridge=0.1)
    >>> print(f"{risk.test_mse:.4f} {risk.train_mse:.4f}")
    0.1535 0.0187
    """
    lam, v2 = _spectrum(eigenvalues, coefficients2)
    checked = [
        _checked("noise", noise, 0),
        _checked("n", n, 1),
        _checked("k", k, 1, infinite=True),
        _checked("ridge", ridge, 0),
    ]
    shape = np.broadcast_shapes(*(v.shape for v in checked))
    noise, n, k, ridge = (np.broadcast_to(v, shape).ravel() for v in checked)
    gamma = _gamma(lam, n, k, ridge)
    t, a, b = _distances(gamma, n, k, ridge)
    z, q, bias = np.empty_like(t), np.empty_like(t), np.empty_like(t)
    for part in _blocks(len(gamma), len(lam)):
        learnt = _learnt(lam, gamma[part])
        z[part], q[part] = _sums(learnt)
        share = _bias_share(b[part], z[part] - q[part])
        bias[part] = (1 - learnt) @ v2 - share * ((learnt * (1 - learnt)) @ v2)
    # Without a ridge and with fewer modes than min(n, k) nothing is left to shrink: z = M.
    saturated = (ridge == 0) & (gamma == 0)
    a, b = np.where(saturated, n - len(lam), a), np.where(saturated, k - len(lam), b)
    p = np.where(saturated, 0.0, z - q)
    test = _amplified(bias + noise, n, a, b, p)
    with np.errstate(invalid="ignore"):
        train = np.where(a == 0, 0.0, (a / n) ** 2 * test)
        kappa = np.where(n <= k, gamma * np.where(np.isinf(k), 1.0, b / k), ridge / a)
    test, train, kappa, gamma = (v.reshape(shape)[()] for v in (test, train, kappa, gamma))
    return RiskPrediction(test, train, kappa, gamma, lam)


def learning_curve(
    eigenvalues: Any,
    coefficients2: Any,
    noise: float,
    sizes: Any,
    k: Any = np.inf,
    ridge: Any = "optimal",
) -> RiskPrediction:
    """Predict the errors at several sample sizes, by default each at its best ridge.

    Parameters
    ----------
    eigenvalues, coefficients2, noise, k
        As in `predict`.
    sizes : array (s,)
        Sample sizes.
    ridge : float, array (s,) or "optimal"
    """
    sizes = np.asarray(sizes, dtype=float)
    if isinstance(ridge, str):
        if ridge != "optimal":
            raise ValueError(f"ridge must be a number >= 0 or 'optimal'; got {ridge!r}.")
        ridge = optimal_ridge(eigenvalues, coefficients2, noise, sizes, k)
    return predict(eigenvalues, coefficients2, noise, sizes, k, ridge)


def optimal_ridge(
    eigenvalues: Any, coefficients2: Any, noise: Any, n: Any, k: Any = np.inf
) -> np.ndarray | float:
    """Return the ridge of least predicted test error, of the broadcast shape of noise, n and k.

    0 where interpolation is best. Where nothing can be learnt it is the largest ridge looked at,
    which shrinks the largest mode a millionfold.

    Notes
    -----
    Given gamma the ridge is a b gamma / k, so the error is known along the whole path without
    solving for anything: a grid of log gamma, refined around its least point.
    """
    lam, v2 = _spectrum(eigenvalues, coefficients2)
    checked = [
        _checked("noise", noise, 0),
        _checked("n", n, 1),
        _checked("k", k, 1, infinite=True),
    ]
    shape = np.broadcast_shapes(*(v.shape for v in checked))
    points = zip(*(np.broadcast_to(v, shape).ravel() for v in checked), strict=True)
    found = [_best_ridge(lam, v2, float(s), float(n), float(k)) for s, n, k in points]
    return np.reshape(found, shape)[()]


def optimal_fitting_ratio(alpha: float, beta: float, noise_to_signal: float) -> float:
    """Return the best r = delta / (n kappa) for power laws; train / test error is r^2.

    For lambda_i ~ i^-alpha and v_i^2 ~ i^-beta at k = inf, r is the root in [0, 1) of

        alpha - beta - (alpha - 1) beta r + alpha (alpha - 1) (1 - r)^beta noise_to_signal = 0

    and 0, interpolation, where the left side is not positive at r = 0.

    Parameters
    ----------
    alpha : float
        > 1.
    beta : float
        In (1, 2 alpha + 1).
    noise_to_signal : float
        Noise variance over the noise-free test error at zero ridge and the same n; >= 0.

    Examples
    --------
    >>> optimal_fitting_ratio(1.5, 1.8, 0.3)
    0.0
    >>> round(optimal_fitting_ratio(1.5, 1.8, 1.0), 3)
    0.211
    """
    if not 1 < alpha < np.inf:
        raise ValueError(f"alpha must be a number > 1; got {alpha!r}.")
    if not 1 < beta < 2 * alpha + 1:
        raise ValueError(
            f"beta must lie in (1, 2 alpha + 1) = (1, {2 * alpha + 1:g}); got {beta!r}."
        )
    noise = float(_checked("noise_to_signal", noise_to_signal, 0))

    def slope(r: float) -> float:  # falls in r, and is negative at 1
        bend = alpha * (alpha - 1) * (1 - r) ** beta * noise
        return float(alpha - beta - (alpha - 1) * beta * r + bend)

    return 0.0 if slope(0.0) <= 0 else float(brentq(slope, 0.0, 1.0, xtol=1e-14))


def unseen_error(risk: RiskPrediction, n: Any, pool: int) -> Any:
    """Return the test error on the rows of a pool that were not trained on.

    A pool of N rows as the population, lambda = eig(K) / N, counts training rows as test rows:
    `test` is an average over all N, of which n have the training error. What is left,
    (test - (n / N) train) / (1 - n / N), is that of the other N - n.
    """
    share = np.asarray(n, dtype=float) / pool
    if not np.all((share > 0) & (share < 1)):
        raise ValueError(f"n must lie between 0 and the pool of {pool} rows; got {n!r}.")
    return (risk.test_mse - share * risk.train_mse) / (1 - share)


def _checked(name: str, value: Any, least: float, *, infinite: bool = False) -> np.ndarray:
    number = np.asarray(value, dtype=float)
    good = (number >= least) & (infinite | np.isfinite(number))
    if not good.all():
        wrong = number[~good].ravel()[0]
        kind = "a number" if infinite else "a finite number"
        raise ValueError(f"{name} must be {kind} >= {least}; got {wrong:g}.")
    return number


def _spectrum(eigenvalues: Any, coefficients2: Any) -> tuple[np.ndarray, np.ndarray]:
    lam, v2 = np.asarray(eigenvalues, dtype=float), np.asarray(coefficients2, dtype=float)
    if lam.ndim != 1 or len(lam) == 0:
        raise ValueError(f"eigenvalues must be a vector; got shape {lam.shape}.")
    if v2.shape != lam.shape:
        raise ValueError(
            f"coefficients2 must have one entry per eigenvalue, {lam.shape}; got shape {v2.shape}."
        )
    for name, values, good, kind in (
        ("eigenvalues", lam, (lam > 0) & np.isfinite(lam), "> 0"),
        ("coefficients2", v2, (v2 >= 0) & np.isfinite(v2), ">= 0"),
    ):
        if not good.all():
            raise ValueError(f"{name} must be finite and {kind}; got {values[~good][0]:g}.")
    return lam, v2


def _blocks(points: int, modes: int) -> list[slice]:
    size = max(1, BLOCK // modes)
    return [slice(start, start + size) for start in range(0, points, size)]


def _learnt(lam: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    return lam / (lam + gamma[:, None])


def _sums(learnt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return learnt.sum(axis=1), np.einsum("pm,pm->p", learnt, learnt)


def _moments(lam: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z and q at every gamma."""
    z, q = np.empty_like(gamma), np.empty_like(gamma)
    for part in _blocks(len(gamma), len(lam)):
        z[part], q[part] = _sums(_learnt(lam, gamma[part]))
    return z, q


def _product(gamma: Any, n: Any, k: Any, ridge: Any) -> tuple[Any, Any]:
    """|n - k| and k delta / gamma; for k = inf both over k, that is 1 and delta / gamma."""
    wide = np.isinf(k)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(wide, 1.0, k)
        return np.where(wide, 1.0, np.abs(n - k)), np.where(ridge > 0, scale * ridge / gamma, 0.0)


def _distances(
    gamma: Any, n: np.ndarray, k: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t, a and b of (5) at any gamma, whether or not it is the root."""
    gap, product = _product(gamma, n, k, ridge)
    # The positive root of t^2 + gap t - product, in the form without cancellation.
    with np.errstate(invalid="ignore"):
        root = 2 * product / (gap + np.sqrt(gap**2 + 4 * product))
    t = np.where(np.isinf(k), product, np.where(product > 0, root, 0.0))
    with np.errstate(invalid="ignore"):
        return t, t + np.maximum(n - k, 0), t + np.maximum(k - n, 0)


def _gamma(lam: np.ndarray, n: np.ndarray, k: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """The root of (5) for every point, by Newton's method on log-log axes inside a bracket."""
    m = np.minimum(n, k)
    gamma = np.zeros(len(n))
    solve = (ridge > 0) | (m < len(lam))  # else z cannot reach m: gamma = 0
    n, k, ridge, m = n[solve], k[solve], ridge[solve], m[solve]
    if not len(n):
        return gamma
    low, high = _bracket(lam, n, k, ridge, m)
    places = np.linspace(low.min(), high.max(), GRID)
    z, _ = _moments(lam, np.exp(places))
    columns = (n[:, None], k[:, None], ridge[:, None])
    above = np.log(z + _distances(np.exp(places), *columns)[0]) - np.log(m)[:, None]
    cell = np.clip((above > 0).sum(axis=1) - 1, 0, GRID - 2)
    rows = np.arange(len(n))
    left, right = above[rows, cell], above[rows, cell + 1]
    low = np.where(left > 0, np.maximum(low, places[cell]), low)
    high = np.where(right <= 0, np.minimum(high, places[cell + 1]), high)
    with np.errstate(invalid="ignore", divide="ignore"):
        u = places[cell] + (places[1] - places[0]) * left / (left - right)
    u = np.where((u > low) & (u < high), u, (low + high) / 2)
    gamma[solve] = np.exp(_newton(lam, n, k, ridge, m, u, low, high))
    return gamma


def _bracket(
    lam: np.ndarray, n: np.ndarray, k: np.ndarray, ridge: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of log gamma from z <= sum(lambda) / gamma and z >= M least / (least + gamma)."""
    gap, product = _product(1.0, n, k, ridge)
    half = np.where(np.isinf(k), m / 2, m / 2 * (m / 2 + gap))  # t <= m / 2 there
    high = np.maximum(2 * lam.sum() / m, product / half)
    spare = np.maximum(len(lam) / m - 1, 0)
    low = np.maximum(ridge / n, lam.min() * spare)
    return np.log(low) - 1e-9, np.log(high) + 1e-9


def _newton(
    lam: np.ndarray,
    n: np.ndarray,
    k: np.ndarray,
    ridge: np.ndarray,
    m: np.ndarray,
    u: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Roots of log(z + t) - log m in u = log gamma; only points that still move are evaluated."""
    u, low, high = u.copy(), low.copy(), high.copy()
    going = np.arange(len(u))
    for _ in range(MOST_STEPS):
        at, gamma = u[going], np.exp(u[going])
        z, q = _moments(lam, gamma)
        point = (n[going], k[going], ridge[going])
        t = _distances(gamma, *point)[0]
        gap, product = _product(gamma, *point)
        steepness = np.where(np.isinf(point[1]), t, product / np.maximum(2 * t + gap, 1e-300))
        value = np.log(z + t) - np.log(m[going])
        low[going] = np.where(value > 0, at, low[going])
        high[going] = np.where(value > 0, high[going], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            to = at + value * (z + t) / (z - q + steepness)
        inside = (to >= low[going]) & (to <= high[going])
        u[going] = np.where(inside, to, (low[going] + high[going]) / 2)
        moved = np.abs(u[going] - at) > STEP * np.maximum(np.abs(at), 1)
        going = going[moved & (value != 0)]
        if not len(going):
            break
    return u


def _bias_share(b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """b / (b + p), which is 1 at k = inf and 1/2 where both vanish together."""
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(b), 1.0, b / np.where(b + p > 0, b + p, 1.0))
    return np.where(b + p > 0, share, 0.5)


def _amplified(error: Any, n: Any, a: Any, b: Any, p: Any) -> np.ndarray:
    """`error` times n (b + p) / (a b + p (a + b)): infinite where a and b vanish together."""
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = n / (a + p)
        factor = n * (b + p) / (a * b + p * (a + b))
        factor = np.where(np.isinf(b), wide, np.where(b + p > 0, factor, n / a))
        return np.where(error > 0, error * factor, 0.0)


def _best_ridge(lam: np.ndarray, v2: np.ndarray, noise: float, n: float, k: float) -> float:
    def along(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Test error and ridge at gamma = exp(u)."""
        gamma = np.exp(u)
        test, z = np.empty_like(u), np.empty_like(u)
        for part in _blocks(len(u), len(lam)):
            learnt = _learnt(lam, gamma[part])
            z[part], q = _sums(learnt)
            a, b, p = n - z[part], k - z[part], z[part] - q
            bias = (1 - learnt) @ v2 - _bias_share(b, p) * ((learnt * (1 - learnt)) @ v2)
            test[part] = _amplified(bias + noise, n, a, b, p)
        return test, (n - z) * gamma * (1.0 if np.isinf(k) else (k - z) / k)

    bare = float(_gamma(lam, np.array([n]), np.array([k]), np.zeros(1))[0])
    # Without a lower end (fewer modes than samples) a millionth of the least mode is no ridge.
    low = np.log(bare) if bare > 0 else np.log(lam.min() * 1e-6)
    high = np.log(lam.max() * 1e6)
    places = np.linspace(low, max(high, low + 1), RIDGES)
    places[0] += 1e-9  # at the end itself n - z or k - z is rounding
    for _ in range(REFINEMENTS):
        test, ridge = along(places)
        best = int(test.argmin())
        around = places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)]
        found = float(max(ridge[best], 0.0)), float(test[best])
        places = np.linspace(*around, 21)
    bare_test = predict(lam, v2, noise, n, k, 0.0).test_mse
    return 0.0 if bare_test <= found[1] * (1 + 1e-12) else found[0]
