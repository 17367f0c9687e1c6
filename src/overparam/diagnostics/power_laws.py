"""Power laws of a kernel and a target, measured on training rows alone (arXiv 2311.14646).

With kernel eigenvalues lambda_i ~ i^-alpha, target coefficients v_i^2 ~ i^-beta, ridge regression
without a ridge on n rows has

    1 / tr(K_n^-1) ~ n^-alpha,          test(n) = alpha noise + c n^-(beta - 1)

(the framework's overfitting factor at zero ridge, 1 / (1 - q / n), is alpha for a power law). The
exponents are not read off the eigenvalues of K: those of a sample fall more slowly at the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import stdtrit

from overparam.evidence.intervals import Interval
from overparam.theory.scaling import asymptote_and_amplitude

SIZES = 5  # per order of rows: n/16 to n/2 in doublings
ORDERS = 8
FEWEST = 64  # rows: four at the smallest size
TWIN = 1e-10  # squared distance over the diagonal below which two rows are one
EXPONENTS = np.linspace(0.01, 3.0, 300)  # of the decay above a floor


@dataclass(frozen=True)
class PowerLaws:
    """Exponents of a kernel and a target.

    Attributes
    ----------
    alpha : float
        Decay of the eigenvalues.
    beta : float
        Decay of the squared target coefficients: 1 minus the slope of the test error, as the paper
        measures it. Noise flattens that slope, so that `beta` is then too low.
    noise : float
        Variance of the noise on the target, summed over outputs: the floor that a fit with a floor
        finds, over alpha. A slow decay looks like one, so that `noise` is rather too high.
    intervals : dict of str to Interval
        For each of the three, at 95 %, by a delete-half jackknife: every order of the rows uses a
        random half, and half samples vary as much as the estimate itself.
    rows : int
        Rows used: equal ones count once.
    """

    alpha: float
    beta: float
    noise: float
    intervals: dict[str, Interval]
    rows: int


def power_law_exponents(K: Any, y: Any, *, random_state: int = 0) -> PowerLaws:
    """Estimate alpha, beta and the noise by regressions on subsets of the rows.

    Parameters
    ----------
    K : array (n, n)
        Kernel matrix, positive definite; n >= 64.
    y : array (n,) or (n, c)
        Targets; their mean is taken off.
    random_state : int
        Of the orders of the rows.

    Notes
    -----
    Subsets of n/16 to n/2 rows in eight random orders, each fitted without a ridge and tested on
    the rows outside: O(n^3), about as long as one eigendecomposition (6 s at n = 3,000). Between
    noise and a slow decay five sizes can hardly tell: `beta` and `noise` are two readings of one
    curve, and the truth lies between (beta, no noise) and (a larger beta, noise).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> i = np.arange(1, 2001)
    >>> phi = rng.standard_normal((400, 2000))
    >>> K, y = (phi * i**-1.5) @ phi.T, phi @ i**-0.9
    >>> laws = power_law_exponents(K, y)
    >>> bool(abs(laws.alpha - 1.5) < 0.15), bool(abs(laws.beta - 1.8) < 0.25)
    (True, True)
    """
    K, Y = _checked(K, y)
    K, Y = _without_twins(K, Y)
    n = len(K)
    if n < FEWEST:
        raise ValueError(f"K must have at least {FEWEST} different rows; got {n}.")
    sizes = n // 2 // 2 ** np.arange(SIZES)[::-1]
    rng = np.random.default_rng(random_state)
    found = np.array([_one_order(K, Y, rng.permutation(n), sizes) for _ in range(ORDERS)])
    estimates = {"alpha": found[:, 0], "beta": found[:, 1], "noise": found[:, 2]}
    reach = stdtrit(ORDERS - 1, 0.975)
    intervals = {}
    for name, values in estimates.items():
        mean, spread = values.mean(), reach * values.std(ddof=1)
        low = max(mean - spread, 0.0) if name == "noise" else mean - spread
        intervals[name] = Interval(float(low), float(mean + spread), method="delete-half jackknife")
    means = {name: float(values.mean()) for name, values in estimates.items()}
    return PowerLaws(**means, intervals=intervals, rows=n)


def _checked(K: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    K, Y = np.asarray(K, dtype=float), np.asarray(y, dtype=float)
    if K.ndim != 2 or K.shape[0] != K.shape[1]:
        raise ValueError(f"K must be a square kernel matrix; got shape {K.shape}.")
    if len(Y) != len(K):
        raise ValueError(f"y must have one entry per row of K; got {len(Y)} for {len(K)} rows.")
    Y = Y.reshape(len(Y), -1)
    return K, Y - Y.mean(axis=0)


def _without_twins(K: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that equal an earlier one left out: they make K singular, and 1 / tr(K^-1) zero."""
    diagonal = np.diag(K)
    if not (diagonal > 0).all():
        raise ValueError("K must be positive definite; got a diagonal entry <= 0.")
    distance = diagonal[:, None] + diagonal - 2 * K
    twin = np.tril(distance <= TWIN * diagonal[:, None], -1).any(axis=1)
    return K[np.ix_(~twin, ~twin)], Y[~twin]


def _one_order(
    K: np.ndarray, Y: np.ndarray, order: np.ndarray, sizes: np.ndarray
) -> tuple[float, float, float]:
    """alpha, beta and noise from the nested subsets of one order of the rows."""
    inside, outside = order[: sizes[-1]], order[sizes[-1] :]
    block = K[np.ix_(inside, inside)]
    # A Cholesky factor of the largest subset holds those of all: its leading blocks.
    block[np.diag_indices_from(block)] += len(block) * np.finfo(float).eps * np.diag(block)
    lower, _ = cho_factor(block, lower=True, check_finite=False)
    inverse = solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False)
    squares = np.cumsum((np.tril(inverse) ** 2).sum(axis=1))  # tr(K_n^-1) = sum of |L^-1|^2
    errors = []
    for size in sizes:
        weights = cho_solve((lower[:size, :size], True), Y[inside[:size]], check_finite=False)
        residual = Y[outside] - K[np.ix_(outside, inside[:size])] @ weights
        errors.append((residual**2).sum(axis=1).mean())
    alpha = float(np.polyfit(np.log(sizes), np.log(squares[sizes - 1]), 1)[0])
    slope = float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])
    return alpha, 1 - slope, _floor(sizes, np.array(errors)) / max(alpha, 1.0)


def _floor(sizes: np.ndarray, errors: np.ndarray) -> float:
    """The floor of errors = floor + c sizes^-exponent, by relative least squares."""
    floor, _, cost = asymptote_and_amplitude(sizes / sizes[-1], errors, errors, EXPONENTS)
    return float(floor[cost.argmin()])
