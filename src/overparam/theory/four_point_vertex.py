"""How much one wide net differs from the next: the slope of the four-point vertex.

At criticality V_l / K_l^2 = nu l in a deep net (arXiv 2106.10165); n neurons in a layer make it a
relative variance nu l / n of what an infinitely wide net has once and for all. Residual nets
z_{l+1} = xi z_l + W s(z_l) at criticality (C_W A_2 = 1 - xi^2) have

    nu(xi) = (1 - xi^2)^2 { 2 (1 + xi^2) / (1 - xi^2) + (B / A_2)^2 [3 + 2 sum_{k>=1} kappa(xi^k)] }
    kappa(rho) = (2 / pi) [(1 + 2 rho^2) arcsin rho + 3 rho sqrt(1 - rho^2)],

with B = (a_+^2 - a_-^2) / 2 and kappa the covariance of z|z| and z'|z'| at correlation rho. Layers
a and b of the stream are correlated by xi^|a-b|, so for few layers

    V_l / K^2 = sum_{a,b<l} c(|a - b|) + 2 sum_{k=1}^{l-1} 2 (1 - xi^2) xi^{2k},
    c(k) = (1 - xi^2)^2 [2 xi^{2k} + (B / A_2)^2 kappa(xi^k)].

The residual slope is derived here and checked by simulation.
"""

from __future__ import annotations

import numpy as np

from overparam.theory.elementwise import Activation, elementwise
from overparam.theory.gaussian_moments import slope_moments
from overparam.theory.initialization import criticality


def vertex_slope(activation: Activation, residual: float = 0.0) -> float:
    """Slope nu of V_l / K_l^2 over the layers, at criticality and large depth.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    residual : float
        xi^2 in [0, 1), the share of the variance that a skip connection carries; above 0 for
        scale-invariant activations only. It is the slope from 1 / (1 - xi^2) layers on; see
        `residual_vertex` for few.

    Raises
    ------
    ValueError
        If `residual` is outside [0, 1), or above 0 for an activation that is not
        scale-invariant, or the activation has no critical point.

    Examples
    --------
    >>> vertex_slope("relu"), round(vertex_slope("relu", residual=0.9), 3)
    (5.0, 1.403)
    """
    _check_residual(residual)
    if residual == 0:
        critical = criticality(activation)
        if critical.universality_class == "none":
            raise ValueError(
                f"activation must have a critical point; got {activation!r}: {critical.reason}."
            )
        return critical.nu
    asymmetry = _asymmetry(activation)
    xi = np.sqrt(residual)
    k = np.arange(1, int(np.ceil(np.log(1e-12) / np.log(xi))) + 1)
    fluctuation = 3 + 2 * float(_kappa(xi**k).sum())
    linear = 2 * (1 + residual) / (1 - residual)
    return float((1 - residual) ** 2 * (linear + asymmetry * fluctuation))


def residual_vertex(activation: Activation, depth: int, residual: float) -> np.ndarray:
    """V_l / K^2 of a critical residual net in each layer l = 1..depth, to leading order in 1 / n.

    Parameters
    ----------
    activation : str or callable
        Scale-invariant.
    depth : int
        Layers, >= 1.
    residual : float
        xi^2 in [0, 1).

    Returns
    -------
    ndarray of shape (depth,)
        The first entry is 0. Without residual it is (l - 1) (3 A_4 / A_2^2 - 1).
    """
    _check_residual(residual)
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")
    asymmetry = _asymmetry(activation)
    xi = np.sqrt(residual)
    k = np.arange(depth)
    c = (1 - residual) ** 2 * (2 * residual**k + asymmetry * _kappa(xi**k))
    skipped = 4 * (1 - residual) * residual**k
    # One layer more adds c(0) and twice the covariances with all layers before it.
    steps = np.concatenate([[0.0], c[0] + 2 * (np.cumsum(c) - c[0])[: depth - 1]])
    steps[1:] += skipped[1:]
    return np.cumsum(steps)


def _kappa(rho: np.ndarray) -> np.ndarray:
    rho = np.minimum(rho, 1.0)
    return (2 / np.pi) * (
        (1 + 2 * rho**2) * np.arcsin(rho) + 3 * rho * np.sqrt(np.maximum(1 - rho**2, 0))
    )


def _asymmetry(activation: Activation) -> float:
    """(B / A_2)^2 of a scale-invariant activation."""
    s = elementwise(activation)
    if s.slopes is None:
        raise ValueError(
            "activation must be linear on either side of 0 where residual is above 0; "
            f"got {activation!r}."
        )
    above, below = s.slopes
    return ((above**2 - below**2) / 2 / slope_moments(s.slopes)[0]) ** 2


def _check_residual(residual: float) -> None:
    if not 0 <= residual < 1:
        raise ValueError(f"residual must be xi^2 in [0, 1); got {residual!r}.")
