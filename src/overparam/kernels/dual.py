"""Dual activations on the sphere, and what infinite depth makes of them (arXiv 2204.14126).

For (u, v) standard normal with correlation xi and phi = sum_k a_k h_k with E[phi(z)^2] = 1,

    phi_check(xi) = E[phi(u) phi(v)] = sum_k a_k^2 xi^k,        phi_check(1) = 1,

and the dual of phi' is the derivative of phi_check. Three numbers decide the limit of depth:

    A = E[phi], A^2 = phi_check(0);  a = phi_check'(0) = E[phi']^2;  b = phi_check'(1) = E[phi'^2].

    A = 0, a = 0     nearest-neighbor   0 attracts so fast that the nearest row alone counts
    A = 0, a > 0     singular-kernel    weights dist^-alpha with alpha = -2 log a / log b
    A != 0, b >= 1   majority-vote      every row counts alike
    A != 0, b < 1    ordered            kriging: the kernel tends to a constant, its shape remains

The paper calls A != 0 a majority vote whatever b; for b < 1 the differences of the kernel's entries
keep a shape, and the limit is interpolation with a free constant.

What is needed at great depth is exact where a plain evaluation is not: `complement` is
1 - phi_check(1 - t) for small t, and `advance` works with log |xi|, which falls like depth * log a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.polynomial.polynomial import polyder, polyval
from scipy.special import comb, erf, expit, ndtr

from overparam.kernels.hermite import Function, hermite_expansion

Kind = Literal["nearest-neighbor", "majority-vote", "singular-kernel", "ordered"]
Activation = str | Function | Sequence[float] | np.ndarray

NEGLIGIBLE = 1e-12  # of a squared coefficient: what quadrature leaves of a mean that is 0
CRITICAL = 1e-6  # b this close to 1 is 1
NEAR = 0.01  # below this t = 1 - xi is what is iterated, not xi


@dataclass(frozen=True, eq=False)
class DualActivation:
    """phi_check, the dual of an activation: `dual(xi)` for xi in [-1, 1].

    Attributes
    ----------
    squares : ndarray of shape (K,)
        Squared Hermite coefficients, sum 1.
    b : float
        Slope at 1. With a kink it is more than what `K` terms have, see `dual_activation`.
    """

    squares: np.ndarray
    b: float

    def __call__(self, xi: Any) -> np.ndarray:
        """phi_check(xi), elementwise."""
        return polyval(np.asarray(xi, dtype=float), self.squares)

    def derivative(self, xi: Any) -> np.ndarray:
        """phi_check'(xi), elementwise."""
        return polyval(np.asarray(xi, dtype=float), self._slopes)

    @property
    def constant(self) -> float:
        """A^2 = phi_check(0)."""
        return float(self.squares[0])

    @property
    def a(self) -> float:
        """Slope at 0."""
        return float(self.squares[1]) if len(self.squares) > 1 else 0.0

    @property
    def slope_at_one(self) -> float:
        """The slope at 1 of what is iterated."""
        return float(self._near_one[1])

    @property
    def curvature_at_one(self) -> float:
        """phi_check''(1)."""
        return float(-2 * self._near_one[2]) if len(self._near_one) > 2 else 0.0

    @cached_property
    def _slopes(self) -> np.ndarray:
        return polyder(self.squares)

    @cached_property
    def _near_one(self) -> np.ndarray:
        """c_j of 1 - phi_check(1 - t) = sum_j c_j t^j, of use for t < 0.01: its signs alternate."""
        K = len(self.squares)
        j = np.arange(K)
        c = -((-1.0) ** j) * (comb(np.arange(K)[:, None], j) * self.squares[:, None]).sum(axis=0)
        c[0] = 0.0
        return c

    def complement(self, t: np.ndarray) -> np.ndarray:
        """1 - phi_check(1 - t) for 0 <= t <= 0.01, to full relative precision."""
        return polyval(t, self._near_one)

    def log_magnitude(self, log_size: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, ...]:
        """log |phi_check(xi)| and its sign for xi = sign * exp(log_size), however small."""
        return _log_polynomial(self.squares, log_size, sign)

    def log_slope(self, log_size: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, ...]:
        """log |phi_check'(xi)| and its sign, likewise."""
        return _log_polynomial(self._slopes, log_size, sign)

    def slope_and_gap(self, t: np.ndarray, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """phi_check'(xi) and b - phi_check'(xi), both precise; t = 1 - xi."""
        slope = self.derivative(xi)
        gap = self.slope_at_one - slope
        near = t < NEAR
        if near.any():
            curve = polyder(self._near_one)
            gap[near] = -polyval(t[near], np.concatenate([[0.0], curve[1:]]))
        return slope, gap


class ReluDual(DualActivation):
    """The dual of ReLU in closed form (the arc-cosine kernel of order 1)."""

    def __init__(self) -> None:
        super().__init__(np.array([1 / np.pi, 0.5]), 1.0)

    def __call__(self, xi: Any) -> np.ndarray:
        """phi_check(xi), elementwise."""
        xi = np.asarray(xi, dtype=float)
        return (np.sqrt(1 - xi**2) + xi * (np.pi - np.arccos(xi))) / np.pi

    def derivative(self, xi: Any) -> np.ndarray:
        """phi_check'(xi), elementwise."""
        return 1 - np.arccos(np.asarray(xi, dtype=float)) / np.pi

    @property
    def slope_at_one(self) -> float:
        """The slope at 1."""
        return 1.0

    def complement(self, t: np.ndarray) -> np.ndarray:
        """1 - phi_check(1 - t), precise for small t."""
        angle = 2 * np.arcsin(np.sqrt(t / 2))
        return t - (np.sin(angle) - angle * np.cos(angle)) / np.pi

    def log_magnitude(self, log_size: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, ...]:
        """log |phi_check(xi)| and its sign."""
        value = self(sign * np.exp(log_size))
        return np.log(value), np.sign(value)

    def log_slope(self, log_size: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, ...]:
        """log |phi_check'(xi)| and its sign."""
        value = self.derivative(sign * np.exp(log_size))
        return np.log(value), np.sign(value)

    def slope_and_gap(self, t: np.ndarray, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """phi_check'(xi) and 1 - phi_check'(xi)."""
        gap = 2 * np.arcsin(np.sqrt(np.clip(t, 0, 2) / 2)) / np.pi
        return 1 - gap, gap


def _log_polynomial(
    coefficients: np.ndarray, log_size: np.ndarray, sign: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log and sign of a polynomial; its lowest power is factored out, lest xi underflows."""
    lowest = int(np.flatnonzero(coefficients)[0])
    rest = polyval(sign * np.exp(log_size), coefficients[lowest:])
    size = np.log(np.abs(rest))
    if lowest:
        size = size + lowest * log_size
    return size, np.sign(rest) * sign**lowest


NAMED: dict[str, Function] = {
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "erf": erf,
    "gelu": lambda z: z * ndtr(z),
    "sigmoid": expit,
    "silu": lambda z: z * expit(z),
    "sin": np.sin,
    "softplus": lambda z: np.logaddexp(0, z),
    "tanh": np.tanh,
}
ACTIVATIONS = ("relu", *sorted(NAMED))


def dual_activation(activation: Activation) -> DualActivation:
    """Return phi_check of an activation.

    Parameters
    ----------
    activation : str, callable, sequence of float or DualActivation
        One of ``relu``, ``elu``, ``erf``, ``gelu``, ``sigmoid``, ``silu``, ``sin``, ``softplus``,
        ``tanh``; an elementwise function of an array; or Hermite coefficients a_0, a_1, ... They
        are scaled so that E[phi(z)^2] = 1.

    Returns
    -------
    DualActivation
        Callable; `.derivative(xi)`, `.a`, `.b`.

    Notes
    -----
    Functions are expanded to 40 terms by quadrature that allows a kink at 0; squares below 1e-12
    are 0, and the rest is scaled to sum 1. With a kink the missing terms are of size 1e-3 near
    xi = 1; `b` is exact, and ReLU by name is in closed form throughout.

    Raises
    ------
    ValueError
        For an unknown name, or coefficients that are all 0 or not finite.

    Examples
    --------
    >>> dual = dual_activation([0, 0, 1])      # h_2
    >>> float(dual(0.5)), dual.a, dual.b
    (0.25, 0.0, 2.0)
    """
    if isinstance(activation, DualActivation):
        return activation
    if isinstance(activation, str):
        if activation == "relu":
            return ReluDual()
        if activation not in NAMED:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, a function or Hermite "
                f"coefficients; got {activation!r}."
            )
        activation = NAMED[activation]
    if callable(activation):
        coefficients, b = hermite_expansion(activation)
        squares = coefficients**2
        squares[squares < NEGLIGIBLE] = 0.0
        return DualActivation(np.trim_zeros(squares / squares.sum(), "b"), b)
    coefficients = np.asarray(activation, dtype=float)
    if coefficients.ndim != 1 or not np.isfinite(coefficients).all() or not coefficients.any():
        raise ValueError(
            "activation must be a sequence of finite Hermite coefficients, not all 0; "
            f"got {activation!r}."
        )
    squares = np.trim_zeros(coefficients**2 / (coefficients @ coefficients), "b")
    return DualActivation(squares, float(np.arange(len(squares)) @ squares))


def optimal_coefficients(d: float) -> np.ndarray:
    """Hermite coefficients of an activation whose deep limit is Bayes consistent on S^d.

        d >= 2:  phi = 2^(-d/4) h_1 + sqrt(1 - 2 * 2^(-d/2)) h_2 + 2^(-d/4) h_3,
        d  = 1:  phi = (h_1 + h_7) / sqrt 2.

    Parameters
    ----------
    d : float
        Dimension of the sphere that the data lie on: 1, or any number >= 2.

    Returns
    -------
    ndarray
        a_0, a_1, ...: a = 2^(-d/2) and b = 2 (for d = 1: 1/2 and 4), hence alpha = d.

    Raises
    ------
    ValueError
        For another d.
    """
    if d == 1:
        return np.sqrt([0, 0.5, 0, 0, 0, 0, 0, 0.5])
    if not d >= 2:
        raise ValueError(f"d must be 1 or a number >= 2; got {d!r}.")
    a = 2.0 ** (-d / 2)
    return np.sqrt([0.0, a, 1 - 2 * a, a])


@dataclass(frozen=True)
class DeepLimit:
    """What an infinitely wide network tends to as its depth grows.

    Attributes
    ----------
    kind : str
        ``nearest-neighbor``, ``majority-vote``, ``singular-kernel`` or ``ordered``.
    alpha : float or None
        Exponent of the weights dist^-alpha; None unless the kernel is singular. The classifier is
        Bayes consistent for every distribution with a density when alpha is the dimension.
    a, b : float
        Slopes of phi_check at 0 and at 1.
    """

    kind: Kind
    alpha: float | None
    a: float
    b: float


def classify_activation(activation: Activation) -> DeepLimit:
    """Say what depth makes of an activation in infinitely wide networks.

    Parameters
    ----------
    activation : str, callable or sequence of float
        As in `dual_activation`.

    Returns
    -------
    DeepLimit

    Raises
    ------
    ValueError
        If the activation is linear (depth changes nothing) or constant.

    Examples
    --------
    >>> classify_activation("relu").kind
    'majority-vote'
    >>> limit = classify_activation("tanh")
    >>> limit.kind, round(limit.alpha, 2)
    ('singular-kernel', 0.88)
    """
    dual = dual_activation(activation)
    if not dual.squares[2:].any() and not isinstance(dual, ReluDual):
        raise ValueError(
            "activation must not be linear: depth changes nothing then; got one whose Hermite "
            "coefficients beyond the second are all 0."
        )
    a, b = dual.a, dual.b
    if dual.constant > 0:
        kind: Kind = "majority-vote" if b >= 1 - CRITICAL else "ordered"
        return DeepLimit(kind, None, a, b)
    if a == 0:
        return DeepLimit("nearest-neighbor", None, a, b)
    return DeepLimit("singular-kernel", float(-2 * np.log(a) / np.log(b)), a, b)
