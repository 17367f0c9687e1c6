"""Kernel and tangent kernel of an infinitely wide net between all pairs of inputs.

For inputs x, x' with covariance K_l(x, x') of the preactivations of layer l (arXiv 2106.10165):

    K_1     = C_b + C_W x.x' / n_0              H_1     = lambda_b + lambda_W x.x' / n_0
    K_{l+1} = C_b + C_W <s(z) s(z')>            H_{l+1} = lambda_b + lambda_W <s(z) s(z')>
                                                          + C_W <s'(z) s'(z')> H_l

Activations that are linear on either side of 0 have closed forms (arc-cosine kernels); others are
integrated by the trapezoid rule in two dimensions, which for analytic ones converges exponentially.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overparam.theory.elementwise import Activation, Elementwise, elementwise
from overparam.theory.signal_recursion import check_recursion, layer_rates

_REACH = 8.5  # standard deviations
_BLOCK = 4_000_000  # function values held at once


class InfiniteWidthKernels(NamedTuple):
    """Covariance `K` and tangent kernel `H`, each (depth, m, m), of every layer."""

    K: np.ndarray
    H: np.ndarray


def infinite_width_kernels(
    activation: Activation,
    C_W: float,
    C_b: float,
    depth: int,
    X: np.ndarray,
    lambda_W: float | Sequence[float] = 1.0,
    lambda_b: float | Sequence[float] = 1.0,
) -> InfiniteWidthKernels:
    """Kernels between the rows of `X` in every layer.

    Parameters
    ----------
    activation, C_W, C_b, depth, lambda_W, lambda_b
        As for `theory.signal_propagation`.
    X : array of shape (m, n_0)
        Inputs. O(m^2) a layer for ReLU and its like; others take about 20,000 values of s for each
        pair of inputs: meant for hundreds of inputs.

    Raises
    ------
    ValueError
        If an argument is outside what is accepted.
    """
    check_recursion(C_W, C_b, depth)
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (m, n_0), both >= 1; got {X.shape}.")
    s = elementwise(activation)
    rates_W = layer_rates("lambda_W", lambda_W, depth)
    rates_b = layer_rates("lambda_b", lambda_b, depth)
    gram = X @ X.T / X.shape[1]
    K, H = [C_b + C_W * gram], [rates_b[0] + rates_W[0] * gram]
    for layer in range(1, depth):
        signal, gradient = pair_moments(s, K[-1])
        K.append(C_b + C_W * signal)
        H.append(rates_b[layer] + rates_W[layer] * signal + C_W * gradient * H[-1])
    return InfiniteWidthKernels(np.array(K), np.array(H))


def pair_moments(activation: Activation, K: np.ndarray) -> tuple[np.ndarray, ...]:
    """<s(z) s(z')> and <s'(z) s'(z')>, each (m, m), of Gaussians with covariance `K` (m, m)."""
    s = elementwise(activation)
    scale = np.sqrt(np.maximum(np.diag(K), 0))
    product = np.outer(scale, scale)
    c = np.clip(np.divide(K, product, out=np.zeros_like(K), where=product > 0), -1, 1)
    c[c > 1 - 8 * np.finfo(float).eps] = 1.0  # equal inputs: arcsin doubles the digits of a gap
    if s.slopes is not None:
        return _arc_cosine(s.slopes, c, product)
    return _integrated(s, scale, c)


def _arc_cosine(
    slopes: tuple[float, float], c: np.ndarray, product: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """s = mean slope * z + half the jump * |z|: a linear kernel and that of |z|."""
    mean, half = (slopes[0] + slopes[1]) / 2, (slopes[0] - slopes[1]) / 2
    angle = np.arcsin(c)
    absolute = (np.sqrt(1 - c**2) + c * angle) * (2 / np.pi)
    signs = angle * (2 / np.pi)
    signal = product * (mean**2 * c + half**2 * absolute)
    return signal, mean**2 + half**2 * signs


def _integrated(s: Elementwise, scale: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The step resolves what s does at |z| ~ 1, on a scale of 1 / sqrt(K) in u.
    step = min(0.14, 0.5 / max(float(scale.max()), 1e-9))
    u = np.arange(-np.ceil(_REACH / step), np.ceil(_REACH / step) + 1) * step
    w = np.exp(-(u**2) / 2)
    w /= w.sum()
    m = len(scale)
    first, second = np.triu_indices(m)
    found = np.empty((2, len(first)))
    block = max(1, _BLOCK // len(u) ** 2)
    for start in range(0, len(first), block):
        i, j = first[start : start + block], second[start : start + block]
        rho = c[i, j][:, None, None]
        z = scale[i, None] * u
        other = scale[j, None, None] * (rho * u[:, None] + np.sqrt(1 - rho**2) * u)
        for place, function in enumerate((s.function, s.derivative)):
            inner = function(other) @ w  # (pairs, u)
            found[place, start : start + block] = (function(z) * inner) @ w
    out = np.empty((2, m, m))
    out[:, first, second] = out[:, second, first] = found
    return out[0], out[1]
