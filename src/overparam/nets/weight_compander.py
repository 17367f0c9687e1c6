"""A weight as a fixed, odd, saturating function of what is trained: w = Psi(v).

    kind        Psi(v)              slope Psi'(v)               bound of |w|    inverse
    arctan      a arctan(v / b)     (a / b) / (1 + (v / b)^2)   a pi / 2        b tan(w / a)
    tanh        a tanh(v / b)       (a / b) (1 - (w / a)^2)     a               b artanh(w / a)
    softsign    a v / (b + |v|)     a b / (b + |v|)^2           a               b w / (a - |w|)

Large weights are compressed, they cannot pass the bound; where a > b small ones are pushed away
from zero. The paper (arXiv 2306.16993) was read in its abstract only: that Psi is an arctangent
with learnable a, b > 0 is from memory; the other kinds, units, initial values and rates are this
package's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Kind:
    """One shape of Psi.

    Attributes
    ----------
    value : callable
        Psi(z) for a = b = 1; may write over z.
    backward : callable
        `backward(g, v, a, b)` is g Psi'(v).
    inverse : callable
        Of `value`.
    bound : float
        Least upper bound of `value`.
    """

    value: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    bound: float


def _softsign(z: Tensor) -> Tensor:
    largest = torch.finfo(z.dtype).max
    z = z.clamp(-largest, largest)  # infinity over infinity is no number
    return z / (1 + z.abs())


# Each pass over memory costs as much as several multiplications: as few as can be.
KINDS = {
    "arctan": Kind(
        torch.atan_,
        lambda g, v, a, b: g / torch.addcmul(b * b, v, v) * (a * b),
        torch.tan,
        math.pi / 2,
    ),
    "tanh": Kind(
        torch.tanh_,
        lambda g, v, a, b: g * (1 - (v / b).tanh() ** 2) * (a / b),
        torch.atanh,
        1.0,
    ),
    "softsign": Kind(
        _softsign,
        lambda g, v, a, b: g / (1 + v.abs() / b) ** 2 * (a / b),
        lambda u: u / (1 - u.abs()),
        1.0,
    ),
}
GRANULARITIES = ("layer", "channel")
UNITS = ("std", "absolute")
MARGIN = 1e-3  # how near to the bound |w| / a may come before the inverse is clamped


class WeightCompander(nn.Module):
    """Psi as a parametrisation for `torch.nn.utils.parametrize`.

    Parameters
    ----------
    a, b : float
        Height and scale of Psi, both > 0, in `units`.
    learnable : bool
        Whether log a and log b are parameters or buffers.
    granularity : {"layer", "channel"}
        One a and b for the whole weight, or one for each of its outputs.
    kind : {"arctan", "tanh", "softsign"}
    units : {"std", "absolute"}
        Multiples of the root mean square of the initial weights (their law has mean 0), or numbers.
    lr_scale : float
        Factor > 0 on the learning rate of log a and log b; see `parameter_groups`.

    Attributes
    ----------
    log_a, log_b : Tensor of shape () or (out, 1, ...)
        In `units`: what is trained, or fixed.
    log_unit : Tensor of shape ()
        Logarithm of the unit, taken from the first weight that is seen.

    Raises
    ------
    ValueError
        If an option is outside what is accepted, or a weight has to be inverted whose absolute
        value reaches the bound.

    Examples
    --------
    >>> from torch.nn.utils import parametrize
    >>> layer = nn.Linear(4, 3)
    >>> before = layer.weight.detach().clone()
    >>> _ = parametrize.register_parametrization(layer, "weight", WeightCompander(a=3, b=3))
    >>> torch.allclose(layer.weight, before)
    True
    """

    log_a: Tensor
    log_b: Tensor
    log_unit: Tensor

    def __init__(
        self,
        a: float = 1.0,
        b: float = 1.0,
        learnable: bool = True,
        granularity: str = "layer",
        kind: str = "arctan",
        units: str = "std",
        lr_scale: float = 0.1,
    ) -> None:
        super().__init__()
        for name, number in {"a": a, "b": b, "lr_scale": lr_scale}.items():
            if not 0 < number < math.inf:
                raise ValueError(f"{name} must be a finite number > 0; got {number!r}.")
        accepted = {"granularity": GRANULARITIES, "kind": tuple(KINDS), "units": UNITS}
        for name, value in {"granularity": granularity, "kind": kind, "units": units}.items():
            if value not in accepted[name]:
                raise ValueError(f"{name} must be one of {list(accepted[name])}; got {value!r}.")
        self.granularity, self.kind, self.units = granularity, kind, units
        self.lr_scale = float(lr_scale)
        self.learnable = learnable
        exact = torch.float64  # until a weight is seen
        self._put(*(torch.tensor(math.log(number), dtype=exact) for number in (a, b)))
        self.register_buffer("log_unit", torch.zeros((), dtype=exact))
        self._fitted = units == "absolute" and granularity == "layer"

    def forward(self, v: Tensor) -> Tensor:
        """The weight that the layer uses, of the shape of `v`."""
        if not self._fitted:
            raise ValueError(
                f"v must belong to a weight that has been seen where units={self.units!r} and "
                f"granularity={self.granularity!r}; call fit_(weight) or register_parametrization."
            )
        found: Tensor = _Compand.apply(
            v, self.log_a + self.log_unit, self.log_b + self.log_unit, self.kind
        )
        return found

    def stacked_forward(self, state: Mapping[str, Tensor], v: Tensor) -> Tensor:
        """Weights (M, ...) of M members from `v` (M, ...); `state` holds their log_a, ... (M, ...).

        See `training.effective_weights`.
        """
        log_a, log_b, unit = (state[name] for name in ("log_a", "log_b", "log_unit"))
        unit = unit.view(-1, *[1] * (log_a.dim() - 1))
        shape = (*log_a.shape, *[1] * (v.dim() - log_a.dim()))
        found: Tensor = _Compand.apply(
            v, (log_a + unit).view(shape), (log_b + unit).view(shape), self.kind
        )
        return found

    @torch.no_grad()
    def right_inverse(self, w: Tensor) -> Tensor:
        """`v` with Psi(v) = w; a weight within 1e-3 a of the bound is taken to be that far off."""
        if not self._fitted:
            self.fit_(w)
        kind = KINDS[self.kind]
        ratio = w / self.a
        if (ratio.abs() >= kind.bound).any():
            raise ValueError(
                f"w must be below {kind.bound:.4g} a everywhere; got max |w| = "
                f"{float(w.abs().max()):.4g}, for which a must exceed {self.least_a(w):.4g} "
                f"({self.units} units)."
            )
        most = kind.bound - MARGIN
        return kind.inverse(ratio.clamp(-most, most)) * self.b

    @property
    def a(self) -> Tensor:
        """Height of Psi in absolute units, () or (out, 1, ...)."""
        return (self.log_a + self.log_unit).exp()

    @property
    def b(self) -> Tensor:
        """Scale of Psi in absolute units, () or (out, 1, ...)."""
        return (self.log_b + self.log_unit).exp()

    def least_a(self, w: Tensor) -> float:
        """What `a`, in `units`, must exceed for the weights `w` to be below the bound."""
        return float(w.abs().max() / self.log_unit.exp()) / KINDS[self.kind].bound

    @torch.no_grad()
    def fit_(self, weight: Tensor) -> WeightCompander:
        """Take unit, shape, device and dtype from an initial weight.

        Raises
        ------
        TypeError
            If it does not hold floating-point numbers.
        ValueError
            If its unit is asked for and all of it is 0.
        """
        if not weight.is_floating_point():
            raise TypeError(f"weight must hold floating-point numbers; got {weight.dtype}.")
        self.to(weight.device, weight.dtype)
        if self.units == "std":
            size = weight.square().mean().sqrt()
            if not size > 0:
                raise ValueError("weight must not be 0 throughout where units='std'; got zeros.")
            self.log_unit.copy_(size.log())
        if self.granularity == "channel" and not self.log_a.dim():
            shape = (len(weight), *[1] * (weight.dim() - 1))
            self._put(self.log_a.detach().expand(shape), self.log_b.detach().expand(shape))
        self._fitted = True
        return self

    @torch.no_grad()
    def rescale_(self, v: Tensor) -> WeightCompander:
        """Set `a` so that Psi(v) has the mean square of `v`."""
        value = KINDS[self.kind].value(v / self.b)
        ratio = v.square().mean().sqrt() / value.square().mean().sqrt()
        self.log_a.copy_((ratio.log() - self.log_unit).expand_as(self.log_a))
        return self

    def extra_repr(self) -> str:
        """Shown by `repr`."""
        a, b = (float(each.detach().mean().exp()) for each in (self.log_a, self.log_b))
        return f"kind={self.kind}, a={a:.4g}, b={b:.4g}, units={self.units}"

    def _put(self, log_a: Tensor, log_b: Tensor) -> None:
        for name, value in {"log_a": log_a.clone(), "log_b": log_b.clone()}.items():
            if self.learnable:
                setattr(self, name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)


class _Compand(torch.autograd.Function):
    """Psi(v), keeping v alone for the backward pass: the slope needs no second arctangent.

    (Where log a is learnt the output is kept too, which the layer holds in any case.)
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(v: Tensor, log_a: Tensor, log_b: Tensor, kind: str) -> Tensor:
        value = KINDS[kind].value(v / log_b.exp())
        # In floating point arctan(1e30) lies above pi / 2: the bound must hold after rounding too.
        most = KINDS[kind].bound * (1 - 2 * torch.finfo(v.dtype).eps)
        return value.clamp_max_(most).clamp_min_(-most) * log_a.exp()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        v, log_a, log_b, ctx.kind = inputs
        kept = (output,) if ctx.needs_input_grad[1] else ()
        ctx.save_for_backward(v, log_a, log_b, *kept)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        v, log_a, log_b, *kept = ctx.saved_tensors
        through = KINDS[ctx.kind].backward(g, v, log_a.exp(), log_b.exp())
        of_a = (g * kept[0]).sum_to_size(log_a.shape) if ctx.needs_input_grad[1] else None
        of_b = -(v * through).sum_to_size(log_b.shape) if ctx.needs_input_grad[2] else None
        return through, of_a, of_b, None
