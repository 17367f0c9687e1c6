"""Critical initialisation of an activation (arXiv 2106.10165).

With weights of variance C_W / fan_in and biases of variance C_b the variance of the preactivations
goes from layer to layer by K' = C_b + C_W g(K), a small change of it by chi_par(K) = C_W g'(K), and
the squared gradient by chi_perp(K) = C_W <s'^2>_K. Signals and gradients neither explode nor vanish
at a fixed point K* with

    chi_par(K*) = chi_perp(K*) = 1.

- scale-invariant: s = a_+ z above 0 and a_- z below. C_b = 0, C_W = 1 / A_2, every K is fixed.
- K*=0: s(0) = 0 and g(K) / K falls from K = 0 on: g = A_2 K (1 - c K^q + ...). C_b = 0,
  C_W = 1 / A_2, K_l falls like l^(-1/q) and chi_perp = 1 - p / l. For a smooth s these are
  q = 1, c = -a_1, a_1 = s_3/s_1 + (3/4) (s_2/s_1)^2, p = b_1 / a_1, b_1 = s_3/s_1 + (s_2/s_1)^2.
- half-stable: the smallest K* > 0 with g'(K*) = <s'^2>_{K*}; C_W and C_b follow.

The book has K*=0 for smooth s only. That any q will do (ELU: q = 1/2) is our extension.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.optimize import brentq

from overparam.theory.elementwise import Activation, Elementwise, elementwise
from overparam.theory.gaussian_moments import gaussian_moments, slope_moments

UniversalityClass = Literal["scale-invariant", "K*=0", "half-stable", "none"]

_LARGEST = 400.0  # no known activation has its critical point beyond
_NEAR_ZERO = np.array([1e-5, 1e-4])  # variances at which the way g leaves 0 is read


@dataclass(frozen=True)
class Criticality:
    """The critical initialisation of an activation.

    Attributes
    ----------
    C_W, C_b : float
        Critical variances: of a weight times its fan-in, and of a bias. NaN without one.
    K_star : float
        The variance of preactivations that stays: 0, positive, or NaN for the scale-invariant
        class (every one stays) and without a critical point.
    universality_class : {"scale-invariant", "K*=0", "half-stable", "none"}
    nu : float
        Slope of the four-point vertex: at large depth l, V_l / K_l^2 = nu l.
    p : float
        Squared gradients change by the factor 1 - p / l in layer l: 0 but for "K*=0".
    reason : str
        Why there is no critical point; empty where there is one.
    """

    C_W: float
    C_b: float
    K_star: float
    universality_class: UniversalityClass
    nu: float
    p: float
    reason: str = ""


def criticality(activation: Activation) -> Criticality:
    """Find the critical initialisation of an activation.

    Parameters
    ----------
    activation : str or callable
        A name ("relu", "leaky_relu", "linear", "tanh", "sin", "erf", "gelu", "swish" or "silu",
        "elu", "softplus", "sigmoid") or an elementwise function of NumPy arrays or torch tensors.

    Returns
    -------
    Criticality
        About 30 ms for a name; the answer is remembered.

    Raises
    ------
    ValueError
        If the name is unknown or the function is not elementwise.

    Examples
    --------
    >>> critical = criticality("gelu")
    >>> critical.universality_class, round(critical.C_W, 4), round(critical.C_b, 4)
    ('half-stable', 1.9831, 0.1729)
    >>> criticality("softplus").reason
    'softplus(0) is 0.693, not 0, and no K > 0 has equal slopes for the signal and the gradient'
    """
    return _criticality(activation)


@lru_cache(maxsize=128)
def _criticality(activation: Activation) -> Criticality:
    s = elementwise(activation)
    if s.slopes is not None:
        second, fourth = slope_moments(s.slopes)
        nu = 3 * fourth / second**2 - 1
        return Criticality(1 / second, 0.0, np.nan, "scale-invariant", nu, 0.0)
    origin = float(s.function(np.zeros(1))[0])
    at_zero = abs(origin) < 1e-12
    if at_zero and (found := _falling_to_zero(s)):
        return found
    if found := _half_stable(s):
        return found
    if at_zero:
        start = f"g(K) / K does not fall at K = 0 for {s.name}"
    else:
        start = f"{s.name}(0) is {origin:.3g}, not 0"
    reason = f"{start}, and no K > 0 has equal slopes for the signal and the gradient"
    return Criticality(np.nan, np.nan, np.nan, "none", np.nan, np.nan, reason)


def _falling_to_zero(s: Elementwise) -> Criticality | None:
    slopes = _slopes_at_zero(s)
    second, fourth = slope_moments(slopes)
    if second < 1e-12:
        return None
    moments = gaussian_moments(s, _NEAR_ZERO)
    fall = 1 - moments.second / (second * _NEAR_ZERO)  # c K^q
    if not (fall > 0).all():
        return None
    # Powers of sqrt(K) are all that a function with one-sided Taylor series can give.
    q = np.round(2 * np.log10(fall[1] / fall[0])) / 2
    p = float((1 - moments.derivative[0] / second) / fall[0] / q)
    # v = V / K^2 obeys v' = (1 - 2 / l) v + nu_0, with nu_0 the slope that these a_+ and a_- would
    # have alone: v = nu_0 l / 3, whatever q is.
    nu = (3 * fourth / second**2 - 1) / 3
    return Criticality(1 / second, 0.0, 0.0, "K*=0", nu, round(p, 4))


def _slopes_at_zero(s: Elementwise) -> tuple[float, float]:
    """One-sided slopes by a second-order difference, to 9 digits."""
    h = 1e-5
    near, far = s.function(np.array([h / 2, -h / 2])), s.function(np.array([h, -h]))
    above, below = np.round((4 * near - far) / np.array([h, -h]), 9)
    return float(above), float(below)


def _half_stable(s: Elementwise) -> Criticality | None:
    def difference(log_K: float) -> float:
        moments = gaussian_moments(s, np.exp(log_K))
        return float(moments.slope - moments.derivative)

    grid = np.linspace(np.log(1e-3), np.log(_LARGEST), 200)
    moments = gaussian_moments(s, np.exp(grid))
    sign = np.sign(moments.slope - moments.derivative)
    for i in np.flatnonzero(sign[1:] * sign[:-1] < 0):
        K = float(np.exp(brentq(difference, grid[i], grid[i + 1], xtol=1e-13)))
        at = gaussian_moments(s, K)
        C_W = float(1 / at.derivative)
        C_b = K - C_W * float(at.second)
        if C_b >= 0:
            nu = C_W**2 * float(at.fourth - at.second**2) / K**2
            return Criticality(C_W, C_b, K, "half-stable", nu, 0.0)
    return None
