"""Second moments of any activation under a pair of Gaussians, by quadrature.

With u = s1 r cos(a), v = s2 r cos(a - t), t the angle whose cosine is the correlation,

    E[phi(u) phi(v)] = 1/(2 pi) int da int r exp(-r^2/2) phi(u) phi(v) dr.

A kink of phi at 0 lies on four rays, any other kink on curves r(a) that are known too: between
them the integrand is smooth and Gauss' rule converges fast. What comes out is smooth in
(s1, s2, t), also for kinked activations (ReLU: s1 s2 (sin t + (pi - t) cos t) / 2 pi), so it is
tabulated once on a Chebyshev grid, fine enough for its last coefficients to vanish, and evaluated
for all pairs from there: a matrix product for (s1, s2), Clenshaw's recursion for t.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overparam.kernels.gaussian_moments import Joint, Pair

Function = Callable[[Tensor], Tensor]
Array = NDArray[np.float64]

RADIUS = 9.5  # exp(-RADIUS^2 / 2) < 3e-20: nothing is left for an activation of moderate growth


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Moments of an elementwise function.

    Parameters
    ----------
    function : callable
        Takes and returns a float64 tensor, elementwise, differentiable by autograd; an
        `nn.Module` such as `nn.SiLU()` will do.
    kinks : sequence of float
        Where the function or its derivative is not smooth. A point too many costs nothing but
        time; one that is missing costs digits (a warning says so where it is seen).
    tolerance : float
        Of the tables, relative to the largest entry. Kinks elsewhere than at 0 make the
        integrals flat but not analytic in the angle: about 1e-7 is what can be had then, and
        the table takes up to a minute if the rows' variances differ.

    Raises
    ------
    ValueError
        If the function is not elementwise.

    Examples
    --------
    >>> value, _ = Quadrature(torch.tanh).variance(torch.tensor([1.0], dtype=torch.float64))
    >>> round(value.item(), 8)
    0.39429449
    """

    function: Function
    kinks: tuple[float, ...] = (0.0,)
    tolerance: float = 1e-10
    _tables: dict[tuple[float, float], Joint] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        probe = torch.linspace(-1.0, 1.0, 4, dtype=torch.float64).reshape(2, 2)
        answer = self.function(probe)
        if not isinstance(answer, Tensor) or answer.shape != probe.shape:
            raise ValueError(
                "activation must be an elementwise function of a tensor; got "
                f"{getattr(answer, 'shape', type(answer).__name__)} for shape {tuple(probe.shape)}."
            )

    @property
    def key(self) -> None:
        """Tables differ from data to data: not worth a compilation."""
        return

    def both(self, x: Array) -> tuple[Array, Array]:
        """Return phi(x) and phi'(x)."""
        with torch.enable_grad():
            t = torch.from_numpy(x).detach().requires_grad_()
            y = self.function(t)
            if y.requires_grad:
                (slope,) = torch.autograd.grad(y.sum(), t)
            else:
                slope = torch.zeros_like(t)
        return y.detach().numpy(), slope.numpy()

    def variance(self, k: Tensor) -> Pair:
        """One-dimensional integrals, for each distinct variance on a Chebyshev grid."""
        s = k.double().sqrt().numpy()
        low, high = float(s.min()), float(s.max())
        nodes = _chebyshev_nodes(1 if _same(low, high) else 65, low, high)
        values = np.array([self._variance_at(node) for node in nodes])
        coefficients = _chebyshev_coefficients(values)
        at = np.polynomial.chebyshev.chebval(_to_unit(s, low, high), coefficients)
        return torch.from_numpy(at[0]).to(k.dtype), torch.from_numpy(at[1]).to(k.dtype)

    def _variance_at(self, s: float) -> tuple[float, float]:
        cuts = [c / s for c in self.kinks if s > 0 and abs(c) < s * RADIUS]
        edges = np.sort([-RADIUS, *cuts, RADIUS])
        edges = np.unique(np.concatenate([np.linspace(a, b, 7) for a, b in _intervals(edges)]))
        x, w = _panels(edges[None, :], 24)
        weight = (w * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)).ravel()
        value, slope = self.both(s * x.ravel())
        return float(weight @ value**2), float(weight @ slope**2)

    def joint(self, low: float, high: float) -> Joint:
        """Return the tables for variances in [low, high]."""
        key = (low, high)
        if key not in self._tables:
            self._tables.clear()
            self._tables[key] = self._tabulate(math.sqrt(low), math.sqrt(high))
        return self._tables[key]

    def _tabulate(self, low: float, high: float) -> Joint:
        spread = 1 if _same(low, high) else 9
        angles = 17
        while True:
            table = self._table(_chebyshev_nodes(spread, low, high), angles)
            size = np.abs(table).max(axis=(1, 2, 3)) + 1e-300
            tail_s = np.abs(table[:, -2:]).max(axis=(1, 2, 3)) / size if spread > 1 else np.zeros(2)
            tail_t = np.abs(table[..., -2:]).max(axis=(1, 2, 3)) / size
            fine_s, fine_t = tail_s.max() < self.tolerance, tail_t.max() < self.tolerance
            if (fine_s or spread >= 33) and (fine_t or angles >= 129):
                break
            spread = spread if fine_s else 2 * spread - 1
            angles = angles if fine_t else 2 * angles - 1
        if not (fine_s and fine_t):
            warnings.warn(
                f"the moments of {self.function!r} are known to about "
                f"{max(tail_s.max(), tail_t.max()):.0e} only; name its kinks in "
                "Quadrature(function, kinks=...), or scale the data so that fewer matter.",
                RuntimeWarning,
                stacklevel=2,
            )
        return _Table(torch.from_numpy(table), low, high)

    def _table(self, nodes: Array, angles: int) -> Array:
        """Chebyshev coefficients (2, s1, s2, angle) of value and slope."""
        theta = _chebyshev_nodes(angles, 0.0, math.pi)
        values = np.stack([self._expect(nodes, t) for t in theta], axis=-1)
        for axis in (1, 2, 3):
            values = np.moveaxis(_chebyshev_coefficients(np.moveaxis(values, axis, 0)), 0, axis)
        return values

    def _expect(self, s: Array, theta: float) -> Array:
        """Value and slope (2, p, p) for all pairs of standard deviations at one angle."""
        if not any(self.kinks):  # the same nodes for all pairs: two matrix products
            return self._integrate(s, s, theta)
        result = np.empty((2, len(s), len(s)))
        for i in range(len(s)):
            for j in range(i, len(s)):
                pair = self._integrate(s[i, None], s[j, None], theta)[:, 0, 0]
                result[:, i, j] = result[:, j, i] = pair
        return result

    def _integrate(self, s1: Array, s2: Array, theta: float) -> Array:
        angle, arc = _panels(self._rays(s1[0], s2[0], theta)[None, :], 16)
        angle, arc = angle.ravel(), arc.ravel()
        one, two = np.cos(angle), np.cos(angle - theta)
        edges = np.tile(np.linspace(0.0, RADIUS, 4), (len(angle), 1))
        others = [c for c in self.kinks if c != 0]
        if others:
            cuts = [c / _nonzero(x) for c in others for x in (s1[0] * one, s2[0] * two)]
            edges = np.concatenate([edges, np.clip(np.stack(cuts, 1), 0.0, RADIUS)], 1)
            edges.sort(axis=1)
        r, dr = _panels(edges, 20)
        weight = (arc[:, None] * dr * r * np.exp(-r * r / 2) / (2 * math.pi)).ravel()
        left = self.both(s1[:, None] * (one[:, None] * r).ravel())
        right = self.both(s2[:, None] * (two[:, None] * r).ravel())
        return np.stack([(p * weight) @ q.T for p, q in zip(left, right, strict=True)])

    def _rays(self, s1: float, s2: float, theta: float) -> Array:
        """Angles between which no kink's curve begins, ends or crosses another."""
        rays = [math.pi / 2, -math.pi / 2, theta + math.pi / 2, theta - math.pi / 2]
        others = [c for c in self.kinks if c != 0]
        for c in others:
            for d in others:  # r = c / (s1 cos a) = d / (s2 cos(a - theta))
                ratio = d * s1 / (c * s2) if s2 > 0 else math.inf
                if math.isfinite(ratio):
                    crossing = math.atan2(ratio - math.cos(theta), math.sin(theta))
                    rays += [crossing, crossing + math.pi]
        turns = np.unique(np.round(np.mod(rays, 2 * math.pi), 13))
        turns = np.append(turns, turns[0] + 2 * math.pi)
        return np.concatenate(
            [np.linspace(a, b, 3)[:-1] for a, b in _intervals(turns)] + [turns[-1:]]
        )


class _Table:
    """Evaluate the tables for a tile: (k12, k11, k22) -> (value, slope)."""

    def __init__(self, coefficients: Tensor, low: float, high: float) -> None:
        self.coefficients = coefficients
        self.low, self.high = low, high

    def __call__(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        scale = torch.sqrt(k11 * k22).clamp_min(torch.finfo(k12.dtype).tiny)
        theta = torch.acos((k12 / scale).clamp(-1.0, 1.0))
        x = theta * (2 / math.pi) - 1.0
        # k11 is (..., a, 1), k22 (..., 1, b): leading axes, such as pixels, are shared.
        rows, columns = self._basis(k11[..., 0]), self._basis(k22[..., 0, :]).mT
        value, slope = (
            self._clenshaw(part.to(k12.dtype), rows, columns, x) for part in self.coefficients
        )
        return value, slope

    def _basis(self, k: Tensor) -> Tensor:
        unit = _to_unit(k.double().sqrt().numpy(), self.low, self.high)
        basis = np.polynomial.chebyshev.chebvander(unit, len(self.coefficients[0]) - 1)
        return torch.from_numpy(basis).to(k.dtype)

    @staticmethod
    def _clenshaw(part: Tensor, rows: Tensor, columns: Tensor, x: Tensor) -> Tensor:
        before, now = torch.zeros_like(x), torch.zeros_like(x)
        for m in range(part.shape[-1] - 1, 0, -1):
            before, now = now, rows @ part[..., m] @ columns + 2.0 * x * now - before
        return rows @ part[..., 0] @ columns + x * now - before


def _same(low: float, high: float) -> bool:
    return high - low <= 1e-13 * high


def _nonzero(x: Array) -> Array:
    return np.where(np.abs(x) < 1e-300, 1e-300, x)


def _intervals(edges: Any) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _panels(edges: Array, nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights between the edges (rows, e): each (rows, (e - 1) nodes)."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = np.diff(edges, axis=1)[..., None] / 2
    points = edges[:, :-1, None] + half * (1.0 + x)
    return points.reshape(len(edges), -1), (half * w).reshape(len(edges), -1)


def _chebyshev_nodes(n: int, low: float, high: float) -> Array:
    """Extrema of T_(n-1) on [low, high]; the middle for n = 1."""
    if n == 1:
        return np.array([(low + high) / 2])
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * np.arange(n) / (n - 1))


def _to_unit(s: Array, low: float, high: float) -> Array:
    return np.zeros_like(s) if _same(low, high) else (2 * s - low - high) / (high - low)


def _chebyshev_coefficients(values: Array) -> Array:
    """Coefficients of the polynomial through values at `_chebyshev_nodes`, along axis 0."""
    n = len(values)
    if n == 1:
        return values
    x = np.cos(np.pi * np.arange(n) / (n - 1))
    return np.tensordot(np.linalg.inv(np.polynomial.chebyshev.chebvander(x, n - 1)), values, 1)
