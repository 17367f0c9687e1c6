"""Scaling laws with an asymptote: L(x) = A / x^alpha + E, of losses that were measured.

x may be parameters, members of an ensemble, or examples. Given alpha, the least-squares A and E
are linear; what is left is one dimension, which is searched as a whole, so that no start matters:
it is the minimum over log A, log alpha and E (arXiv 2509.14786 judges a recipe by its E).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.evidence.intervals import Interval

EXPONENTS = (0.01, 8.0)
# (spacing, half the number of points) of ever finer grids around the best exponent so far
_ZOOM = ((0.02, 200), (1e-3, 25), (5e-5, 25), (2.5e-6, 25), (1.25e-7, 25), (6e-9, 25))


@dataclass(frozen=True)
class PowerLaw:
    """L(x) = A / x^alpha + asymptote; numbers, or arrays of one shape for many laws.

    Attributes
    ----------
    A, alpha, asymptote : float or ndarray
    cov_ : ndarray (3, 3)
        Covariance of A, alpha and the asymptote, from the residuals of the fit: infinite where
        points leave no freedom, NaN for many laws.
    """

    A: Any
    alpha: Any
    asymptote: Any
    cov_: np.ndarray = field(default_factory=lambda: np.full((3, 3), np.nan), compare=False)

    def predict(self, x: Any) -> np.ndarray:
        """The loss at x (h,): shape (..., h)."""
        A, alpha, asymptote = (
            np.asarray(v, dtype=float)[..., None] for v in (self.A, self.alpha, self.asymptote)
        )
        return A * np.asarray(x, dtype=float) ** -alpha + asymptote

    def invert(self, loss: Any) -> np.ndarray:
        """The x at which the law has this loss; infinite at or below the asymptote."""
        above = np.asarray(loss, dtype=float) - self.asymptote
        with np.errstate(divide="ignore"):
            x = (self.A / np.maximum(above, 0.0)) ** (1 / np.asarray(self.alpha))
        return np.where(above > 0, x, np.inf)[()]


@dataclass(frozen=True)
class Bootstrap:
    """A law and the laws of resampled seeds.

    Attributes
    ----------
    law : PowerLaw
        Of the mean losses.
    draws : PowerLaw
        One a resample, as arrays (resamples,).
    spread : float
        Largest minus smallest mean loss.
    points : int
        Distinct x.
    """

    law: PowerLaw
    draws: PowerLaw
    spread: float
    points: int

    def interval(self, name: str = "asymptote", level: float = 0.95) -> Interval:
        """Percentile interval of "A", "alpha" or "asymptote"."""
        ends = np.quantile(getattr(self.draws, name), [(1 - level) / 2, (1 + level) / 2])
        return Interval(float(ends[0]), float(ends[1]), level, "bootstrap of seeds")

    @property
    def identified(self) -> bool:
        """Whether the asymptote's interval is narrower than the range of the losses.

        Never by three points: a law goes through any that fall and flatten, right or wrong.
        """
        found = self.interval()
        return self.points > 3 and found.high - found.low < self.spread


def fit_power_law(x: Any, loss: Any) -> PowerLaw:
    """Least-squares power law with A >= 0, asymptote >= 0 and alpha in [0.01, 8].

    Parameters
    ----------
    x : array (n,)
        Parameters, members, examples, ...: > 0, at least three distinct values. Repeats (seeds)
        count as points of their own.
    loss : array (n,)

    Warns
    -----
    UserWarning
        If the points do not identify the asymptote: its 95 % interval from the residuals is wider
        than the range of the losses. Three points never do, and a straight line in log x does not.

    Raises
    ------
    ValueError
        If there are fewer than three distinct x, or a number is not finite.

    Examples
    --------
    >>> law = fit_power_law(range(1, 9), 2.5 + 0.1 / np.arange(1, 9))
    >>> round(law.A, 6), round(law.alpha, 6), round(law.asymptote, 6)
    (0.1, 1.0, 2.5)
    """
    x, loss = _checked(x, loss)
    A, alpha, asymptote = (float(v) for v in _least_squares(x, loss))
    cov = _covariance(x, loss, A, alpha, asymptote)
    law = PowerLaw(A, alpha, asymptote, cov)
    freedom = len(x) - 3
    reach = stdtrit(freedom, 0.975) * math.sqrt(cov[2, 2]) if freedom else math.inf
    if 2 * reach > np.ptp(loss) or np.ptp(loss) == 0:
        warnings.warn(
            f"asymptote is not identified by these {len(x)} points: {asymptote:.4g} +- {reach:.2g} "
            f"where losses range over {np.ptp(loss):.2g}. Measure at larger x, or more often.",
            stacklevel=2,
        )
    return law


def bootstrap(
    x: Any, losses: Sequence[Any], *, resamples: int = 1000, random_state: int = 0
) -> Bootstrap:
    """Fit the law to the mean loss over seeds, and again to resampled seeds.

    At each x its seeds are drawn with replacement; deviations from the mean are widened by
    sqrt(s / (s - 1)), without which s seeds seem to vary too little.

    Parameters
    ----------
    x : array (n,)
        At least three distinct values > 0.
    losses : sequence of n sequences
        The losses of each x, one a seed, at least two.
    resamples, random_state : int

    Raises
    ------
    ValueError
        As `fit_power_law`, or if an x has a single seed.
    """
    groups = [np.asarray(group, dtype=float) for group in losses]
    fewest = min((group.size for group in groups), default=0)
    if fewest < 2:
        raise ValueError(f"losses must hold at least two seeds at each x; got {fewest}.")
    places, means = _checked(x, [group.mean() for group in groups])
    rng = np.random.default_rng(random_state)
    columns = []
    for group, mean in zip(groups, means, strict=True):
        s = len(group)
        drawn = group[rng.integers(0, s, (resamples, s))].mean(axis=1)
        columns.append(mean + math.sqrt(s / (s - 1)) * (drawn - mean))
    draws = PowerLaw(*_least_squares(places, np.stack(columns, axis=1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `identified` tells
        law = fit_power_law(places, means)
    return Bootstrap(law, draws, float(np.ptp(means)), len(np.unique(places)))


def data_efficiency(loss: Any, law: PowerLaw, used: float = 1.0) -> np.ndarray:
    """How many times the data that were `used` a recipe of this law needs for the loss.

    Parameters
    ----------
    loss : float or array
        What another recipe reached with `used` examples.
    law : PowerLaw
        Of the reference recipe, tuned at every number of examples.
    used : float
        Examples, in the unit of the law's x.

    Returns
    -------
    float or ndarray
        Infinite where the law never comes so low.
    """
    if not used > 0:
        raise ValueError(f"used must be a number > 0; got {used!r}.")
    return law.invert(loss) / used


def search_exponent(
    x: np.ndarray,
    loss: np.ndarray,
    scale: np.ndarray,
    steps: Sequence[tuple[float, int]],
    bounds: tuple[float, float],
    penalty: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Asymptote, amplitude and exponent (...,) of curves (..., n), by ever finer grids.

    Parameters
    ----------
    x : ndarray (n,)
        Best near 1, where the amplitude is measured.
    loss : ndarray (..., n)
    scale : ndarray (..., n)
        What a residual of 1 weighs.
    steps : sequence of (spacing, half)
        Each grid has 2 half + 1 exponents around the best of the one before, the first around the
        middle of `bounds`.
    bounds : (float, float)
        Of the exponent.
    penalty : callable, optional
        Added to the cost, a function of the exponents.
    """
    best = np.full((*loss.shape[:-1], 1), sum(bounds) / 2)
    for spacing, half in steps:
        grid = np.clip(best + spacing * np.arange(-half, half + 1), *bounds)
        floor, amplitude, cost = asymptote_and_amplitude(x, loss, scale, grid)
        if penalty is not None:
            cost = cost + penalty(grid)
        place = cost.argmin(axis=-1)[..., None]
        best = np.take_along_axis(grid, place, axis=-1)
    floor = np.take_along_axis(floor, place, axis=-1)[..., 0]
    return floor, np.take_along_axis(amplitude, place, axis=-1)[..., 0], best[..., 0]


def asymptote_and_amplitude(
    x: np.ndarray, loss: np.ndarray, scale: np.ndarray, exponents: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best curves of given exponents (..., e): asymptote and amplitude, both >= 0, and cost.

    Weighted least squares: `scale` (..., n) is what a residual of 1 weighs.
    """
    w = 1 / scale[..., None, :] ** 2
    e = loss[..., None, :]
    shape = x ** -exponents[..., None]
    total = w.sum(axis=-1)
    mean = (w * shape).sum(axis=-1) / total
    level = (w * e).sum(axis=-1) / total
    centred = shape - mean[..., None]
    slope = np.clip((w * centred * e).sum(axis=-1) / (w * centred**2).sum(axis=-1), 0, None)
    floor = level - slope * mean
    through_zero = (w * shape * e).sum(axis=-1) / (w * shape**2).sum(axis=-1)
    slope = np.where(floor < 0, through_zero, slope)
    floor = np.clip(floor, 0, None)
    residual = (floor[..., None] + slope[..., None] * shape - e) ** 2 * w
    return floor, slope, residual.sum(axis=-1)


def _checked(x: Any, loss: Any) -> tuple[np.ndarray, np.ndarray]:
    x, loss = np.asarray(x, dtype=float), np.asarray(loss, dtype=float)
    if x.ndim != 1 or x.shape != loss.shape:
        raise ValueError(
            f"x and loss must be vectors of one length; got shapes {x.shape} and {loss.shape}."
        )
    if not (np.isfinite(x).all() and np.isfinite(loss).all()):
        raise ValueError("x and loss must be finite; got NaN or infinity.")
    distinct = len(np.unique(x))
    if distinct < 3 or x.min() <= 0:
        raise ValueError(
            f"x must have at least three distinct values > 0; got {np.unique(x).tolist()}."
        )
    return x, loss


def _least_squares(x: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, alpha and asymptote (...,) of losses (..., n)."""
    middle = np.exp(np.log(x).mean())
    floor, amplitude, alpha = search_exponent(
        x / middle, loss, np.ones_like(loss), _ZOOM, EXPONENTS
    )
    return amplitude * middle**alpha, alpha, floor


def _covariance(
    x: np.ndarray, loss: np.ndarray, A: float, alpha: float, asymptote: float
) -> np.ndarray:
    shape = x**-alpha
    slopes = np.stack([shape, -A * np.log(x) * shape, np.ones_like(x)], axis=1)
    freedom = len(x) - 3
    if freedom < 1 or np.linalg.matrix_rank(slopes) < 3:
        return np.full((3, 3), np.inf)
    residual = A * shape + asymptote - loss
    return residual @ residual / freedom * np.linalg.inv(slopes.T @ slopes)
