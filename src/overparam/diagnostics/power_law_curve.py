"""A learning curve as a power law with a floor: error(n) = floor + amplitude n^-exponent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.theory.scaling import search_exponent

EXPONENTS = (0.05, 1.5)
GRIDS = ((0.025, 29), (0.001, 25))  # spacing, points to either side
TOWARDS_HALF = 0.1  # weight of the usual rate against relative errors


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = floor + amplitude * n^-exponent; numbers, or arrays of one shape."""

    floor: Any
    amplitude: Any
    exponent: Any

    def __call__(self, n: Any) -> np.ndarray:
        """The error at n rows, (..., len(n))."""
        floor, amplitude, exponent = (
            np.asarray(v)[..., None] for v in (self.floor, self.amplitude, self.exponent)
        )
        return floor + amplitude * np.asarray(n, dtype=float) ** -exponent


def fit_power_law(n: Any, error: Any) -> PowerLaw:
    """Least squares on the relative error; floor and amplitude >= 0, exponent in [0.05, 1.5].

    The form of `theory.scaling.fit_power_law` for errors of a learning curve. Three parameters on
    few points: the exponent is drawn gently towards 1/2, the usual rate, which a curve of five
    well-measured points overrules.

    Parameters
    ----------
    n : array (sizes,)
        At least three, increasing.
    error : array (..., sizes)
        One curve or many, >= 0.
    """
    n, error = np.asarray(n, float), np.asarray(error, float)
    if n.ndim != 1 or len(n) < 3 or not (np.diff(n) > 0).all() or n[0] <= 0:
        raise ValueError(f"n must be at least three increasing sizes > 0; got {n.tolist()}.")
    if error.shape[-1:] != n.shape or not (error >= 0).all():
        raise ValueError(
            f"error must be numbers >= 0 of shape (..., {len(n)}); got shape {error.shape}."
        )
    # Where nearly all rows are right, a few of them decide: errors count as at least a twentieth of
    # the largest.
    scale = np.maximum(error, 0.05 * error.max(axis=-1, keepdims=True)).clip(1e-9)
    floor, at_top, exponent = search_exponent(
        n / n[-1], error, scale, GRIDS, EXPONENTS, lambda e: (TOWARDS_HALF * (e - 0.5)) ** 2
    )
    return PowerLaw(floor[()], (at_top * n[-1] ** exponent)[()], exponent[()])


def resampled_curves(errors: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples, sizes) curves from resampled subsets and rows, rows shared by all sizes.

    Parameters
    ----------
    errors : ndarray (sizes, subsets) or (sizes, subsets, rows)
        Of each subset, or of each row on which all subsets were scored.
    resamples : int
    rng : Generator
    """
    sizes, subsets = errors.shape[:2]
    if errors.ndim == 3:
        rows = errors.shape[2]
        weight = rng.multinomial(rows, np.full(rows, 1 / rows), size=resamples) / rows
        by_subset = np.einsum("sur,br->bsu", errors, weight, optimize=True)
    else:
        by_subset = np.broadcast_to(errors, (resamples, *errors.shape))
    pick = rng.integers(0, subsets, (resamples, sizes, subsets))
    return np.take_along_axis(by_subset, pick, axis=2).mean(axis=2)
