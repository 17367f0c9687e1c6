"""Exact ensembles of finite nets at initialisation, without drawing a weight.

Given layer l, the preactivations of layer l + 1 are independent Gaussians whose covariance over the
inputs is the metric

    G_{l+1} = C_b + (C_W / n) sum_i s(z_i) s(z_i)^T                  (arXiv 2106.10165)

so a net of width n costs O(n m^2) a layer for m inputs, not O(n^2 m). For scale-invariant
activations without biases, at any width,

    E G_l^2 / (E G_l)^2 = (1 + nu / n)^(l - 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from overparam.theory.elementwise import Activation, Elementwise, elementwise
from overparam.theory.signal_recursion import check_recursion

_BLOCK = 500_000  # preactivations of a block of nets: 4 MB, which stay in the cache


class ResidualMoments(NamedTuple):
    """Moments of a residual net's stream, each (n_nets, depth).

    Attributes
    ----------
    mean_square : ndarray
        m = mean_i z_i^2.
    pair : ndarray
        Mean of z_i^2 z_j^2 over i != j; V / (n K^2) = E pair / (E m)^2 - 1.
    """

    mean_square: np.ndarray
    pair: np.ndarray


def sample_preactivations(
    activation: Activation,
    C_W: float,
    C_b: float,
    width: int,
    depth: int,
    n_nets: int,
    X: np.ndarray | None = None,
    K0: float | None = None,
    residual: float = 0.0,
    random_state: int = 0,
) -> np.ndarray | ResidualMoments:
    """Metrics of `n_nets` random nets, layer by layer.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    C_W, C_b : float
        Variances: of a weight times its fan-in (> 0), of a bias (>= 0).
    width, depth, n_nets : int
        Neurons of every layer, layers, independent nets.
    X : array of shape (m, n_0), optional
        Inputs; instead of `K0`.
    K0 : float, optional
        |x|^2 / n_0 of one input; instead of `X`.
    residual : float
        xi^2 in [0, 1) of a net z_{l+1} = xi z_l + W s(z_l), one input only. At criticality C_W is
        (1 - xi^2) times that without skips.
    random_state : int
        Seed >= 0. The nets of a block depend on it and on the block's number, so the first nets of
        a larger ensemble are those of a smaller one, up to the last block.

    Returns
    -------
    ndarray or ResidualMoments
        G_l, the variance of layer l's preactivations given layer l - 1: (n_nets, depth), or with
        `X` (n_nets, depth, m, m). With `residual` above 0: `ResidualMoments`.

    Raises
    ------
    ValueError
        If an argument is outside what is accepted, or not exactly one of `X` and `K0` is given.

    Notes
    -----
    100,000 nets of width 100 and depth 30, one input: some 5 s on one core. Averages over nets
    are dominated by rare ones when nu depth / width is near 1: they need more nets than that.

    Examples
    --------
    >>> G = sample_preactivations("linear", 1.0, 0.0, width=50, depth=6, n_nets=4000, K0=1.0)
    >>> spread = (G[:, -1] ** 2).mean() / G[:, -1].mean() ** 2
    >>> bool(abs(spread / (1 + 2 / 50) ** 5 - 1) < 0.05)
    True
    """
    check_recursion(C_W, C_b, depth)
    for name, value in (("width", width), ("n_nets", n_nets)):
        if value != int(value) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")
    if (X is None) == (K0 is None):
        raise ValueError("X or K0 must be given, one of them; got " + _given(X, K0))
    if not 0 <= residual < 1:
        raise ValueError(f"residual must be xi^2 in [0, 1); got {residual!r}.")
    if K0 is not None and not K0 >= 0:
        raise ValueError(f"K0 must be a number >= 0; got {K0!r}.")
    s = elementwise(activation)
    if X is not None:
        if residual:
            raise ValueError("residual must be 0 where X is given; give K0 for one input.")
        return _many_inputs(s, C_W, C_b, width, depth, n_nets, X, random_state)
    if residual and width < 2:
        raise ValueError(f"width must be at least 2 where residual is above 0; got {width}.")
    start = C_b + C_W * float(K0 or 0.0)
    blocks = _blocks(n_nets, max(1, _BLOCK // width), random_state)
    if residual:
        shape = (n_nets, depth)
        moments = ResidualMoments(np.empty(shape), np.empty(shape))
        for rows, rng in blocks:
            _residual_block(s, (C_W, C_b, residual), width, start, rows, rng, moments)
        return moments
    G = np.empty((n_nets, depth))
    for rows, rng in blocks:
        G[rows, 0] = start
        z = np.empty((rows.stop - rows.start, width), dtype=np.float32)
        for layer in range(1, depth):
            _draw(rng, z, G[rows, layer - 1])
            G[rows, layer] = C_b + C_W * _mean_square(s, z)
    return G


def _given(X: np.ndarray | None, K0: float | None) -> str:
    return "neither." if X is None and K0 is None else "both."


def _blocks(n_nets: int, size: int, random_state: int) -> list[tuple[slice, np.random.Generator]]:
    starts = range(0, n_nets, size)
    seeds = np.random.SeedSequence(random_state).spawn(len(starts))
    return [
        (slice(first, min(first + size, n_nets)), np.random.default_rng(seed))
        for first, seed in zip(starts, seeds, strict=True)
    ]


def _draw(rng: np.random.Generator, z: np.ndarray, variance: np.ndarray) -> None:
    """Fill `z` (nets, n) in place. float32: a mean over n of 24-bit numbers is good to 1e-7."""
    rng.standard_normal(out=z, dtype=np.float32)
    z *= np.sqrt(variance)[:, None].astype(np.float32)


def _mean_square(s: Elementwise, z: np.ndarray) -> np.ndarray:
    """Mean of s(z)^2 over the neurons (nets,)."""
    if s.slopes is None:
        a = s.function(z).astype(np.float32, copy=False)
        return np.einsum("ij,ij->i", a, a) / z.shape[1]
    above, below = s.slopes
    whole = np.einsum("ij,ij->i", z, z)
    if above == below:
        return above**2 * whole / z.shape[1]
    positive = np.maximum(z, 0)
    kept = np.einsum("ij,ij->i", positive, positive)
    return (above**2 * kept + below**2 * (whole - kept)) / z.shape[1]


def _residual_block(
    s: Elementwise,
    variances: tuple[float, float, float],
    width: int,
    start: float,
    rows: slice,
    rng: np.random.Generator,
    moments: ResidualMoments,
) -> None:
    C_W, C_b, residual = variances
    nets = rows.stop - rows.start
    z = np.empty((nets, width), dtype=np.float32)
    noise = np.empty_like(z)
    _draw(rng, z, np.full(nets, start))
    for layer in range(moments.pair.shape[1]):
        if layer:
            G = C_b + C_W * _mean_square(s, z)
            z *= np.float32(np.sqrt(residual))
            _draw(rng, noise, G)
            z += noise
        square = z * z
        total = np.einsum("ij->i", square).astype(float)
        fourth = np.einsum("ij,ij->i", square, square).astype(float)
        moments.mean_square[rows, layer] = total / width
        moments.pair[rows, layer] = (total**2 - fourth) / (width * (width - 1))


def _many_inputs(
    s: Elementwise,
    C_W: float,
    C_b: float,
    width: int,
    depth: int,
    n_nets: int,
    X: np.ndarray,
    random_state: int,
) -> np.ndarray:
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (m, n_0), both >= 1; got {X.shape}.")
    m = len(X)
    G = np.empty((n_nets, depth, m, m))
    G[:, 0] = C_b + C_W * (X @ X.T) / X.shape[1]
    for rows, rng in _blocks(n_nets, max(1, _BLOCK // (width * m)), random_state):
        for layer in range(1, depth):
            # Inputs may repeat or outnumber the neurons: a root of a singular matrix is needed.
            values, vectors = np.linalg.eigh(G[rows, layer - 1])
            root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
            z = root @ rng.standard_normal((rows.stop - rows.start, m, width))
            a = s.function(z)
            G[rows, layer] = C_b + C_W / width * (a @ a.transpose(0, 2, 1))
    return G
