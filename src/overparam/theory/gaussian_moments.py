"""Gaussian integrals of an activation, vectorised over the variance K.

    <f>_K = E f(z),  z ~ N(0, K)
    g(K)          = <s^2>_K                               second moment
    g'(K)         = <s^2 (z^2 - K)>_K / (2 K^2)           its slope: chi_par = C_W g'
    <s'^2>_K                                              chi_perp = C_W <s'^2>
    <s^4>_K                                               drives the four-point vertex

The rule is composite Gauss-Legendre in u = z / sqrt(K) with panels that shrink towards 0: a kink at
0 falls on an edge, and whatever an activation does at |z| ~ 1 is resolved at any K. (Gauss-Hermite
with 201 nodes is too sparse there from K = 30 on, and shows critical points that do not exist.)
Activations that are linear on either side of 0 have closed forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from overparam.theory.elementwise import Activation, Elementwise, elementwise

_REACH = 10.0  # standard deviations; what lies beyond weighs 1e-23
_WIDEST = 0.4  # of a panel; towards 0 each is 1 / sqrt(2) of the one outside it, down to 1e-5
_NODES = 12  # a panel
_SMALLEST = 1e-10  # stands for K = 0 in slopes, which are limits there
_BLOCK = 2_000_000  # function values held at once


@cache
def gaussian_rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes u and weights w (sum 1) such that E f(u) = sum w f(u) for a standard normal u."""
    edges = np.concatenate(
        [[0.0], 2.0 ** (-np.arange(33, 0, -1) / 2), np.arange(1.0, _REACH + _WIDEST, _WIDEST)]
    )
    x, weight = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges) / 2
    middle = (edges[1:] + edges[:-1]) / 2
    u = (middle[:, None] + half[:, None] * x).ravel()
    w = (half[:, None] * weight).ravel() * np.exp(-(u**2) / 2)
    u, w = np.concatenate([-u[::-1], u]), np.concatenate([w[::-1], w])
    return u, w / w.sum()


@dataclass(frozen=True)
class GaussianMoments:
    """The four integrals at every K, each of the shape of K.

    Attributes
    ----------
    second : ndarray
        g(K) = <s^2>.
    slope : ndarray
        g'(K).
    derivative : ndarray
        <s'^2>.
    fourth : ndarray
        <s^4>.
    """

    second: np.ndarray
    slope: np.ndarray
    derivative: np.ndarray
    fourth: np.ndarray


def gaussian_moments(activation: Activation, K: npt.ArrayLike) -> GaussianMoments:
    """Return g, g', <s'^2> and <s^4> at variances `K`.

    Parameters
    ----------
    activation : str or callable
        See `theory.elementwise.elementwise`. An activation with a kink anywhere but at 0 is
        integrated to about 4 digits.
    K : array-like
        Variances >= 0; about 1,000 values of s and s' are taken at each.

    Raises
    ------
    ValueError
        If a variance is negative.
    """
    s = elementwise(activation)
    K = np.asarray(K, dtype=float)
    if (K < 0).any():
        raise ValueError(f"K must be variances >= 0; got {K.min()}.")
    if s.slopes is not None:
        second, fourth = slope_moments(s.slopes)
        level = np.full(K.shape, second)
        return GaussianMoments(second * K, level, level, 3 * fourth * K**2)
    flat = K.ravel()
    step = _BLOCK // gaussian_rule()[0].size
    blocks = [_integrated(s, flat[i : i + step]) for i in range(0, flat.size, step)]
    joined = (np.concatenate(column).reshape(K.shape) for column in zip(*blocks, strict=True))
    return GaussianMoments(*joined)


def slope_moments(slopes: tuple[float, float]) -> tuple[float, float]:
    """A_2 = (a_+^2 + a_-^2) / 2 and A_4 = (a_+^4 + a_-^4) / 2."""
    above, below = slopes
    return (above**2 + below**2) / 2, (above**4 + below**4) / 2


def _integrated(s: Elementwise, K: np.ndarray) -> tuple[np.ndarray, ...]:
    u, w = gaussian_rule()
    z = np.sqrt(K)[:, None] * u
    square = s.function(z) ** 2
    second, fourth = square @ w, square**2 @ w
    small = K < _SMALLEST
    if small.any():
        K = np.where(small, _SMALLEST, K)
        z[small] = np.sqrt(_SMALLEST) * u
        square[small] = s.function(z[small]) ** 2
    slope = (square @ (w * (u**2 - 1))) / (2 * K)
    return second, slope, s.derivative(z) ** 2 @ w, fourth
