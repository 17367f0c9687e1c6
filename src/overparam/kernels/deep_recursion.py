"""The depth recursion of infinitely wide networks, stable to any depth (arXiv 2204.14126).

    Sigma_0 = K_0 = xi,   Sigma_L = phi_check(Sigma_{L-1}),
    K_L = Sigma_L + K_{L-1} phi_check'(Sigma_{L-1}),          on the diagonal k_L = 1 + b k_{L-1}.

L is the number of hidden layers; there are no biases, and every layer is trained. Off the diagonal
Sigma and K fall like a^L or rise to a constant, on it K grows like b^L: everything is carried as a
logarithm and a sign, and in t = 1 - xi where xi is close to 1. Where the limit keeps only the shape
of the differences (b < 1), the gap of the kernel is what counts. Relative to the diagonal it is a
sum of terms that are not negative:

    g_L = (k_L - K_L) / k_L = [(1 - Sigma_L) r + (b - phi_check') + g_{L-1} phi_check'] / (r + b),
    r = 1 / k_{L-1}.

Every pair is given by t = 1 - xi = |x - x'|^2 / 2, in [0, 2].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.kernels.dual import NEAR, DualActivation

LINEAR = 1e-14  # (1 - a) Sigma below this times a: phi_check is a xi to rounding
FLAT = 1e-20  # t below this: phi_check is 1 - b t to rounding
DECIDED = 500  # layers after which log K, doubled by each where a = 0, leaves no doubt


@dataclass
class _Pairs:
    """Where the recursion stands for each pair: t, log |Sigma| and the sign of Sigma."""

    t: np.ndarray
    log_size: np.ndarray
    sign: np.ndarray

    @classmethod
    def start(cls, t: np.ndarray) -> _Pairs:
        size = np.where(t < NEAR, np.log1p(-np.minimum(t, NEAR)), _log(abs(1 - t)))
        return cls(t, size, np.sign(1 - t))

    @property
    def xi(self) -> np.ndarray:
        return np.where(self.t < NEAR, 1 - self.t, self.sign * np.exp(self.log_size))

    def take(self, rows: np.ndarray) -> _Pairs:
        return _Pairs(self.t[rows], self.log_size[rows], self.sign[rows])

    def advance(self, dual: DualActivation) -> _Pairs:
        """Sigma of the next layer."""
        t, log_size, sign = (np.empty_like(self.t) for _ in range(3))
        near = self.t < NEAR
        far = ~near
        t[near] = dual.complement(self.t[near])
        log_size[near], sign[near] = np.log1p(-t[near]), 1.0
        with np.errstate(divide="ignore"):
            log_size[far], sign[far] = dual.log_magnitude(self.log_size[far], self.sign[far])
        t[far] = 1 - sign[far] * np.exp(log_size[far])
        return _Pairs(t, log_size, sign)


def log_psi(dual: DualActivation, t: Any) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of |psi| and the sign of psi, the weight of a singular kernel.

        psi(xi) = lim Sigma_L / a^L,   psi(phi_check(xi)) = a psi(xi),   psi'(0) = 1.

    Parameters
    ----------
    dual : DualActivation
        With A = 0 and 0 < a < 1.
    t : array-like
        1 - xi in (0, 2]; 0 never converges and is a ValueError.

    Returns
    -------
    log_psi, sign : ndarray
        Of the shape of `t`; -inf and 0 where xi = 0. The sign is 1 for xi > 0.
    """
    shape, t = np.shape(t), np.ravel(np.asarray(t, dtype=float))
    if not (t > 0).all():
        raise ValueError("t must be > 0: equal rows have no finite weight; got a t of 0 or less.")
    size, sign = np.empty_like(t), np.empty_like(t)
    open_pairs, state, layer = np.arange(len(t)), _Pairs.start(t), 0
    small = _linear_below(dual.a)
    while len(open_pairs):
        done = state.log_size < small
        size[open_pairs[done]] = state.log_size[done] - layer * np.log(dual.a)
        sign[open_pairs[done]] = state.sign[done]
        open_pairs, state = open_pairs[~done], state.take(~done).advance(dual)
        layer += 1
    return size.reshape(shape), sign.reshape(shape)


@dataclass(frozen=True)
class DeepKernel:
    """The tangent kernel of a depth for some pairs, relative to its diagonal.

    Attributes
    ----------
    log_size, sign : ndarray
        K_L / k_L as log |K_L / k_L| and sign.
    log_gap : ndarray
        log (1 - K_L / k_L), precise where the kernel is close to its diagonal.
    """

    log_size: np.ndarray
    sign: np.ndarray
    log_gap: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """K_L / k_L, which may underflow to 0 at great depth."""
        return np.where(
            self.log_gap < np.log(NEAR), 1 - np.exp(self.log_gap), self.sign * np.exp(self.log_size)
        )


def log_diagonal(b: float, depth: int) -> float:
    """log k_L, k_L = 1 + b + ... + b^L."""
    log_k = 0.0
    for _ in range(depth):
        log_k = float(np.logaddexp(0.0, np.log(b) + log_k))
    return log_k


def deep_kernel(dual: DualActivation, t: Any, depth: int) -> DeepKernel:
    """The neural tangent kernel after `depth` hidden layers, divided by its diagonal.

    Parameters
    ----------
    dual : DualActivation
        Of the activation of every layer.
    t : array-like
        1 - xi in [0, 2].
    depth : int
        Number of hidden layers, >= 0 (0: the linear kernel). Beyond 500 layers the kernel of an
        activation with A = a = 0 is that at 500: its logarithm doubles with each.

    Returns
    -------
    DeepKernel
        Arrays of the shape of `t`.
    """
    shape, t = np.shape(t), np.ravel(np.asarray(t, dtype=float))
    if dual.constant == 0 and dual.a == 0:
        depth = min(depth, DECIDED)
    b = dual.slope_at_one
    log_size = np.full_like(t, log_diagonal(b, depth))
    sign, log_gap = np.ones_like(t), np.full_like(t, -np.inf)
    apart = np.flatnonzero(t > 0)  # equal rows stay on the diagonal through all layers
    for which, last in _layers(dual, t[apart], depth):
        rows = apart[which]
        log_size[rows], sign[rows] = last.log_kernel, last.kernel_sign
        log_gap[rows] = last.log_gap
    log_size -= log_diagonal(b, depth)
    return DeepKernel(log_size.reshape(shape), sign.reshape(shape), log_gap.reshape(shape))


@dataclass
class _Tangent:
    """K_L of some pairs as log |K|, its sign, and the logarithm of the relative gap g."""

    log_kernel: np.ndarray
    kernel_sign: np.ndarray
    log_gap: np.ndarray

    def take(self, rows: np.ndarray) -> _Tangent:
        return _Tangent(self.log_kernel[rows], self.kernel_sign[rows], self.log_gap[rows])


def _layers(
    dual: DualActivation, t: np.ndarray, depth: int
) -> Iterator[tuple[np.ndarray, _Tangent]]:
    """Yield (rows, K at `depth`) as pairs reach a regime where the rest is a closed form."""
    b = dual.slope_at_one
    sigma = _Pairs.start(t)
    state = _Tangent(sigma.log_size, sigma.sign, _log(np.maximum(t, 0)))
    rows, r, final = np.arange(len(t)), 1.0, log_diagonal(b, depth)
    for layer in range(depth):
        ended = np.zeros(len(rows), dtype=bool)
        for which, rest in zip(_closed(dual, sigma, r), (_linear_rest, _flat_rest), strict=True):
            if which.any():
                ended |= which
                at = sigma.take(which), state.take(which)
                yield rows[which], rest(dual, *at, depth - layer, final)
        rows, sigma, state = rows[~ended], sigma.take(~ended), state.take(~ended)
        if not len(rows):
            return
        slope, gap = dual.slope_and_gap(sigma.t, sigma.xi)
        with np.errstate(divide="ignore"):
            log_slope, slope_sign = dual.log_slope(sigma.log_size, sigma.sign)
        log_slope = np.where(sigma.t < NEAR, _log(abs(slope)), log_slope)
        sigma = sigma.advance(dual)
        size, sign = _signed_sum(
            sigma.log_size,
            sigma.sign,
            state.log_kernel + log_slope,
            state.kernel_sign * slope_sign,
        )
        relative = (sigma.t * r + gap + np.exp(state.log_gap) * slope) / (r + b)
        state, r = _Tangent(size, sign, _log(np.maximum(relative, 0))), r / (r + b)
    yield rows, state


def _closed(dual: DualActivation, sigma: _Pairs, r: float) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs are so close to a fixed point, 0 or 1, that phi_check is linear there."""
    a, b = dual.a, dual.slope_at_one
    never = np.zeros(len(sigma.t), dtype=bool)
    if dual.constant == 0:
        return (sigma.log_size < _linear_below(a) if a > 0 else never), never
    settled = b < 1 and abs(r - (1 - b)) < LINEAR
    return never, (sigma.t < FLAT if settled else never)


def _linear_rest(
    dual: DualActivation, sigma: _Pairs, state: _Tangent, layers: int, final: float
) -> _Tangent:
    """phi_check(xi) = a xi from here: K_{L+m} = a^m (K_L + m Sigma_L)."""
    size, sign = _signed_sum(
        state.log_kernel, state.kernel_sign, np.log(layers) + sigma.log_size, sigma.sign
    )
    size = size + layers * np.log(dual.a)
    return _Tangent(size, sign, np.log1p(-sign * np.exp(size - final)))


def _flat_rest(
    dual: DualActivation, sigma: _Pairs, state: _Tangent, layers: int, final: float
) -> _Tangent:
    """phi_check(1 - t) = 1 - b t from here, the gap of K is b^m (g_L + m (1 / k + phi''/ b) t)."""
    b = dual.slope_at_one
    k = np.exp(final)
    added = np.log(layers * (1 / k + dual.curvature_at_one / b)) + _log(sigma.t)
    gap = layers * np.log(b) + np.logaddexp(state.log_gap, added)
    return _Tangent(final + np.log1p(-np.exp(gap)), np.ones_like(gap), gap)


def _linear_below(a: float) -> float:
    """The log |Sigma| below which the next power changes nothing."""
    return float(np.log(LINEAR) + np.log(a) - np.log1p(-a))


def _signed_sum(
    log_x: np.ndarray, sign_x: np.ndarray, log_y: np.ndarray, sign_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log |x + y| and its sign."""
    top = np.maximum(log_x, log_y)
    top = np.where(np.isfinite(top), top, 0.0)
    total = sign_x * np.exp(log_x - top) + sign_y * np.exp(log_y - top)
    return top + _log(abs(total)), np.sign(total)


def _log(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)
