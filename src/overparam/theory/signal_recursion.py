"""How signals, gradients and fluctuations go through the layers at initialisation.

One input, K0 = |x|^2 / n_0, weights of variance C_W / fan_in, biases of variance C_b (arXiv
2106.10165). With z_l the preactivations of layer l:

    K_1 = C_b + C_W K0            K_{l+1} = C_b + C_W g(K_l)                      variance of z_l
    chi_par = C_W g'(K)           chi_perp = C_W <s'^2>_K
    H_1 = lambda_b + lambda_W K0  H_{l+1} = lambda_b + lambda_W g(K_l) + chi_perp(K_l) H_l
    V_1 = 0                       V_{l+1} = chi_par(K_l)^2 V_l + C_W^2 (<s^4> - <s^2>^2)

H is the neural tangent kernel when weights learn at rate lambda_W / fan_in and biases at lambda_b.
V is the four-point vertex: for two neurons E[z_i^2 z_j^2] - E[z_i^2] E[z_j^2] = V / n to leading
order, and the excess kurtosis of one neuron is 3 V / (n K^2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.interpolate import CubicSpline

from overparam.theory.elementwise import Activation, elementwise
from overparam.theory.gaussian_moments import gaussian_moments

_LOG_RANGE = (-35.0, 30.0)  # of log K in the tables of `criticality_map`
_LOG_STEP = 0.05  # a cubic spline is then good to 1e-8


def signal_propagation(
    activation: Activation,
    C_W: float,
    C_b: float,
    depth: int,
    K0: float,
    lambda_W: float | Sequence[float] = 1.0,
    lambda_b: float | Sequence[float] = 1.0,
) -> pl.DataFrame:
    """Follow one input through the layers of an infinitely wide net.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    C_W, C_b : float
        Variances: of a weight times its fan-in (> 0), of a bias (>= 0).
    depth : int
        Layers of weights, >= 1.
    K0 : float
        |x|^2 / n_0 >= 0, the mean square of the input's entries.
    lambda_W, lambda_b : float or sequence of `depth` floats
        Learning rates of weights (times fan-in) and biases, of all layers or of each.

    Returns
    -------
    polars.DataFrame
        A row a layer: `layer` from 1; `K`, the variance of its preactivations; `chi_parallel` and
        `chi_perp` at that K, the factors of the step to the next layer; `ntk`; `four_point`, which
        is V (divide by the width).

    Raises
    ------
    ValueError
        If C_W <= 0, C_b < 0, depth < 1 or K0 < 0, or a sequence has not one rate a layer.

    Examples
    --------
    >>> table = signal_propagation("relu", 2.0, 0.0, depth=5, K0=1.0, lambda_b=0.0)
    >>> table["K"][-1], table["ntk"][-1], table["four_point"][-1] / table["K"][-1] ** 2
    (2.0, 5.0, 20.0)
    """
    check_recursion(C_W, C_b, depth)
    if not K0 >= 0:
        raise ValueError(f"K0 must be a number >= 0; got {K0!r}.")
    s = elementwise(activation)
    rates_W = layer_rates("lambda_W", lambda_W, depth)
    rates_b = layer_rates("lambda_b", lambda_b, depth)
    K, H, V = C_b + C_W * K0, rates_b[0] + rates_W[0] * K0, 0.0
    rows = []
    for layer in range(depth):
        at = gaussian_moments(s, K)
        parallel, perp = C_W * float(at.slope), C_W * float(at.derivative)
        rows.append((layer + 1, K, parallel, perp, H, V))
        if layer + 1 < depth:
            K = C_b + C_W * float(at.second)
            H = rates_b[layer + 1] + rates_W[layer + 1] * float(at.second) + perp * H
            V = parallel**2 * V + C_W**2 * float(at.fourth - at.second**2)
    names = ["layer", "K", "chi_parallel", "chi_perp", "ntk", "four_point"]
    return pl.DataFrame(rows, schema=names, orient="row")


class CriticalityMap(NamedTuple):
    """What becomes of signals and gradients at every (C_W, C_b).

    Attributes
    ----------
    K : ndarray of shape (n_W, n_b, depth)
        Variance of the preactivations of each layer.
    log_gradient : ndarray of shape (n_W, n_b, depth)
        Log of the squared gradient with respect to layer 1 over that with respect to layer l,
        the sum of log chi_perp over the layers between.
    """

    K: np.ndarray
    log_gradient: np.ndarray


def criticality_map(
    activation: Activation, C_W: Sequence[float], C_b: Sequence[float], depth: int, K0: float = 1.0
) -> CriticalityMap:
    """Run the recursion for every pair of variances at once.

    g and <s'^2> are tabulated once on a grid of log K and interpolated, so that a map of 200 x 200
    x 50 takes under a second; relative errors are below 1e-5, far below where K is of order 1.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    C_W, C_b : sequence of float
        The axes of the map: C_W > 0, C_b >= 0.
    depth : int
        Layers of weights, >= 1.
    K0 : float
        |x|^2 / n_0 > 0.
    """
    weights, biases = np.asarray(C_W, float)[:, None], np.asarray(C_b, float)[None, :]
    if not (weights.size and biases.size):
        raise ValueError("C_W and C_b must have at least one value each; got none.")
    check_recursion(weights.min(), biases.min(), depth)
    if not K0 > 0:
        raise ValueError(f"K0 must be a number > 0; got {K0!r}.")
    grid = np.arange(*_LOG_RANGE, _LOG_STEP)
    moments = gaussian_moments(activation, np.exp(grid))
    tables = [
        CubicSpline(grid, np.log(np.maximum(values, 1e-300)))
        for values in (moments.second, moments.derivative)
    ]
    K = np.empty((weights.size, biases.size, depth))
    growth = np.zeros_like(K)
    K[..., 0] = biases + weights * K0
    for layer in range(1, depth):
        log_K = np.log(K[..., layer - 1])
        inside = np.clip(log_K, grid[0], grid[-1])
        second, derivative = (table(inside) for table in tables)
        # Beyond the table g is a power of K; its exponent is the spline's slope at the end.
        outside = (log_K != inside).any()
        beyond = tables[0](inside, 1) * (log_K - inside) if outside else 0.0
        K[..., layer] = biases + weights * np.exp(second + beyond)
        growth[..., layer] = growth[..., layer - 1] + np.log(weights) + derivative
    return CriticalityMap(K, growth)


def check_recursion(C_W: float, C_b: float, depth: int) -> None:
    """Raise `ValueError` unless C_W > 0, C_b >= 0 and depth is an integer >= 1."""
    if not C_W > 0:
        raise ValueError(f"C_W must be a number > 0; got {C_W!r}.")
    if not C_b >= 0:
        raise ValueError(f"C_b must be a number >= 0; got {C_b!r}.")
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")


def layer_rates(name: str, rates: float | Sequence[float], depth: int) -> np.ndarray:
    """One rate a layer (depth,), from one for all or from `depth` of them."""
    values = np.asarray(rates, dtype=float)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != depth):
        raise ValueError(f"{name} must be one number or one a layer ({depth}); got {rates!r}.")
    return np.broadcast_to(values, (depth,))
