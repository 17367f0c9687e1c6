"""Second moments of an activation under a pair of Gaussians, in closed form.

For (u, v) normal with mean 0, variances k11, k22 and covariance k12,

    value = E[phi(u) phi(v)],        slope = E[phi'(u) phi'(v)] = d value / d k12.

These two turn the covariance of one layer of an infinitely wide net into that of the next (value)
and carry the tangent kernel along (slope). Every class here is elementwise in torch, for arbitrary
variances, so that a layer can be evaluated in tiles and compiled.

ReLU: Cho and Saul (2009); erf: Williams (1997); sin, GELU and the Hermite polynomials follow from
the Gaussian moment generating function, Stein's lemma and Mehler's formula. Activations that are
not here go through `gaussian_quadrature`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
Joint = Callable[[Tensor, Tensor, Tensor], Pair]


class Moments(Protocol):
    """What a kernel asks of an activation."""

    def variance(self, k: Tensor) -> Pair:
        """Return E[phi(u)^2] and E[phi'(u)^2] for variances k."""

    def joint(self, low: float, high: float) -> Joint:
        """Return (k12, k11, k22) -> (value, slope), right for variances in [low, high]."""

    @property
    def key(self) -> tuple[object, ...] | None:
        """Equal for equal elementwise code (a compiled tile is reused); None: do not compile."""


class ClosedForm:
    """Moments whose `pair` is a formula without preparation."""

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """Return (value, slope)."""
        raise NotImplementedError

    def variance(self, k: Tensor) -> Pair:
        """Return E[phi(u)^2] and E[phi'(u)^2]."""
        return self.pair(k, k, k)

    def joint(self, low: float, high: float) -> Joint:
        """Return `pair`: it is right for all variances."""
        return self.pair

    @property
    def key(self) -> tuple[object, ...]:
        """Class and parameters."""
        return (type(self).__name__, *vars(self).values())


@dataclass(frozen=True)
class LeakyReLU(ClosedForm):
    """phi(x) = x for x > 0 and slope x below; slope 0 is ReLU, -1 the absolute value.

    Examples
    --------
    >>> value, _ = LeakyReLU(0.0).variance(torch.tensor([2.0]))
    >>> value.item()
    1.0
    """

    slope: float = 0.01

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """(1 - s)^2 times the arc-cosine kernel of ReLU, plus s times the linear one."""
        scale = torch.sqrt(k11 * k22)
        # A row of variance 0 has k12 = 0 too: any cosine will do.
        cosine = (k12 / scale.clamp_min(torch.finfo(k12.dtype).tiny)).clamp(-1.0, 1.0)
        sine = torch.sqrt((1.0 - cosine) * (1.0 + cosine))
        opening = (math.pi - torch.acos(cosine)) / (2 * math.pi)
        square = (1.0 - self.slope) ** 2
        value = square * (scale * (sine / (2 * math.pi)) + k12 * opening) + self.slope * k12
        return value, square * opening + self.slope

    def variance(self, k: Tensor) -> Pair:
        """(1 + s^2) / 2 of the variance: exact where `pair` would lose digits to acos(1)."""
        half = (1.0 + self.slope**2) / 2
        return half * k, torch.full_like(k, half)


@dataclass(frozen=True)
class Erf(ClosedForm):
    """phi(x) = erf(x)."""

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """2/pi arcsin(2 k12 / root), 4/pi / sqrt(root^2 - 4 k12^2), root^2 = prod (1 + 2 k)."""
        product = (1.0 + 2.0 * k11) * (1.0 + 2.0 * k22)
        value = (2 / math.pi) * torch.asin(2.0 * k12 / torch.sqrt(product))
        return value, (4 / math.pi) / torch.sqrt(product - 4.0 * k12 * k12)


@dataclass(frozen=True)
class Sin(ClosedForm):
    """phi(x) = sin(x)."""

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """exp(-mean variance) times sinh and cosh of k12, without overflow."""
        mean = (k11 + k22) / 2
        near, far = torch.exp(k12 - mean) / 2, torch.exp(-k12 - mean) / 2
        return near - far, near + far


@dataclass(frozen=True)
class Gelu(ClosedForm):
    """phi(x) = x Phi(x), Phi the normal distribution function (the exact GELU)."""

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """Stein's lemma twice; `density` is E[Phi'(u) Phi'(v)]."""
        one, two = 1.0 + k11, 1.0 + k22
        determinant = one * two - k12 * k12
        density = torch.rsqrt(determinant) / (2 * math.pi)
        both = 0.25 + torch.asin(k12 / torch.sqrt(one * two)) / (2 * math.pi)  # E[Phi(u) Phi(v)]
        inverse = 1.0 / one + 1.0 / two
        value = k12 * both + density * (k11 * k22 + k12 * k12 * (inverse - 1.0))
        return value, both + density * k12 * (inverse + 1.0 / determinant)


@dataclass(frozen=True)
class Linear(ClosedForm):
    """phi(x) = x."""

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """Return the covariance itself, and 1."""
        return k12, torch.ones_like(k12)


@dataclass(frozen=True)
class Hermite(ClosedForm):
    """phi = h_n, the probabilists' Hermite polynomial of unit norm: h_2(x) = (x^2 - 1)/sqrt 2.

    At other variances than 1, with p = (k11 - 1)(k22 - 1),

        E[h_n(u) h_n(v)] = sum_j n! / (4^j j!^2 (n - 2j)!) p^j k12^(n - 2j).
    """

    order: int

    def pair(self, k12: Tensor, k11: Tensor, k22: Tensor) -> Pair:
        """h_n' = sqrt(n) h_(n-1)."""
        p = (k11 - 1.0) * (k22 - 1.0)
        value = _hermite_product(self.order, k12, p)
        if self.order == 0:
            return value, torch.zeros_like(value)
        return value, self.order * _hermite_product(self.order - 1, k12, p)


def _hermite_product(n: int, k12: Tensor, p: Tensor) -> Tensor:
    total = torch.zeros_like(k12)
    for j in range(n // 2 + 1):
        rest = n - 2 * j
        share = math.factorial(n) / (4**j * math.factorial(j) ** 2 * math.factorial(rest))
        total = total + share * p**j * k12**rest
    return total


NAMED: dict[str, ClosedForm] = {
    "erf": Erf(),
    "gelu": Gelu(),
    "leaky_relu": LeakyReLU(),
    "linear": Linear(),
    "relu": LeakyReLU(0.0),
    "sin": Sin(),
}


def named_moments(name: str) -> ClosedForm:
    """Return the closed form of a named activation.

    Parameters
    ----------
    name : str
        "relu", "leaky_relu" (slope 0.01), "erf", "sin", "gelu", "linear", or "h_1", "h_2", ...

    Raises
    ------
    ValueError
        If there is no closed form of that name.
    """
    if name in NAMED:
        return NAMED[name]
    if match := re.fullmatch(r"h_(\d{1,2})", name):
        return Hermite(int(match[1]))
    raise ValueError(
        f"activation must be one of {sorted(NAMED)}, 'h_1', 'h_2', ..., or a callable; "
        f"got {name!r}."
    )
