"""Activations and their derivatives, so that a backward pass can be written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """An elementwise function with its derivative.

    Attributes
    ----------
    function : callable
        `a = function(z)`, elementwise.
    backward : callable
        `backward(g, z, a)` is `g * function'(z)`, given the output `a` as well, over which it may
        write.
    in_place : callable, optional
        The function written over its argument, where `backward` needs the output only.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    in_place: Callable[[Tensor], Tensor] | None = None

    def __reduce__(self) -> tuple[Callable[..., Activation], tuple[Any, ...]]:
        """Pickle by name, or by the function itself, so that networks can be pickled."""
        for name, known in ACTIVATIONS.items():
            if known is self:
                return resolve_activation, (name,)
        return resolve_activation, (self.function,)


ACTIVATIONS = {
    "relu": Activation(
        torch.relu,
        lambda g, z, a: _aten.threshold_backward.grad_input(g, a, 0, grad_input=a),
        torch.relu_,
    ),
    "tanh": Activation(
        torch.tanh, lambda g, z, a: _aten.tanh_backward.grad_input(g, a, grad_input=a), torch.tanh_
    ),
    "sigmoid": Activation(
        torch.sigmoid,
        lambda g, z, a: _aten.sigmoid_backward.grad_input(g, a, grad_input=a),
        torch.sigmoid_,
    ),
    "gelu": Activation(torch.nn.functional.gelu, lambda g, z, a: _aten.gelu_backward(g, z)),
    "silu": Activation(torch.nn.functional.silu, lambda g, z, a: _aten.silu_backward(g, z)),
    "elu": Activation(
        torch.nn.functional.elu, lambda g, z, a: _aten.elu_backward(g, 1, 1, 1, False, z)
    ),
    "softplus": Activation(
        torch.nn.functional.softplus, lambda g, z, a: _aten.softplus_backward(g, z, 1, 20)
    ),
    "sin": Activation(torch.sin, lambda g, z, a: g * z.cos()),
    "erf": Activation(torch.erf, lambda g, z, a: g * (z * -z).exp() * 1.1283791670955126),
    "identity": Activation(lambda z: z, lambda g, z, a: g),
}


def resolve_activation(activation: str | Callable[[Tensor], Tensor]) -> Activation:
    """Find an activation by name, or differentiate any elementwise function of tensors.

    Parameters
    ----------
    activation : str or callable
        A key of `ACTIVATIONS`, or an elementwise differentiable function.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(activation):
        return Activation(activation, _differentiated(activation))
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {sorted(ACTIVATIONS)} or a function of tensors; "
            f"got {activation!r}."
        )
    return ACTIVATIONS[activation]


def _differentiated(
    function: Callable[[Tensor], Tensor],
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def backward(g: Tensor, z: Tensor, a: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            return torch.autograd.grad(function(leaf), leaf, g)[0]

    return backward
