"""Hermite coefficients of activations.

The normalised probabilists' Hermite polynomials are orthonormal under the standard normal law:

    h_0 = 1,   h_1 = x,   h_{k+1} = (x h_k - sqrt(k) h_{k-1}) / sqrt(k + 1),
    phi = sum_k a_k h_k,   a_k = E[phi(z) h_k(z)],   z ~ N(0, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[Any], Any]

TERMS = 40
NODES = 300  # on each side of 0; the integrand oscillates 20 times at most
REACH = 18.0  # in standard deviations; the last turning point of h_39 is at 12.5
STEP = 1e-6  # of differentiation; the nodes next to 0 are 1e-4 away from it, so that no kink is hit


def hermite_values(x: Any, terms: int) -> np.ndarray:
    """Values of h_0 .. h_{terms-1} at x (...), as (terms, ...)."""
    x = np.asarray(x, dtype=float)
    h = np.empty((terms, *x.shape))
    h[0] = 1.0
    if terms > 1:
        h[1] = x
    for k in range(1, terms - 1):
        h[k + 1] = (x * h[k] - np.sqrt(k) * h[k - 1]) / np.sqrt(k + 1)
    return h


def normal_rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E[f(z)] for f that is smooth on each side of 0.

    Gauss-Legendre on either side, so that a kink at 0 (ReLU and its relatives) costs nothing.
    """
    x, w = np.polynomial.legendre.leggauss(NODES)
    z = REACH * (x + 1) / 2
    w = w * REACH / 2 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.concatenate([-z[::-1], z]), np.concatenate([w[::-1], w])


def hermite_expansion(activation: Function, terms: int = TERMS) -> tuple[np.ndarray, float]:
    """Expand an elementwise function of an array, scaled so that E[phi(z)^2] = 1.

    Parameters
    ----------
    activation : callable
        Elementwise; smooth but for a possible kink at 0.
    terms : int
        Number of coefficients.

    Returns
    -------
    coefficients : ndarray of shape (terms,)
        a_k of the scaled function; their squares sum to less than 1 if more terms are needed.
    slope : float
        b = E[phi'(z)^2] of the scaled function, by differentiation rather than from the
        coefficients: with a kink the sum over k a_k^2 converges like terms^-1/2.

    Raises
    ------
    ValueError
        If the values are not finite, not elementwise, or 0 everywhere.
    """
    z, w = normal_rule()
    values = np.asarray(activation(z), dtype=float)
    if values.shape != z.shape or not np.isfinite(values).all():
        raise ValueError(
            "activation must be elementwise and finite; got "
            + ("values that are not finite." if values.shape == z.shape else f"{values.shape} ")
            + ("" if values.shape == z.shape else f"values for {z.shape} arguments.")
        )
    power = float(w @ values**2)
    if power < 1e-24:
        raise ValueError("activation must not be 0 everywhere; got a function that is.")
    rise = np.asarray(activation(z + STEP), dtype=float) - np.asarray(activation(z - STEP), float)
    slope = float(w @ (rise / (2 * STEP)) ** 2) / power
    return hermite_values(z, terms) @ (w * values) / np.sqrt(power), slope
