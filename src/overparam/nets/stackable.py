"""What a network may offer so that M copies of it run as one batched program.

Any `nn.Module` can be trained by `training.Ensemble`. One that has these methods is trained
faster, because its M members share each matrix product, and it may use dropout there, because
the masks come from outside: every member's from its own random stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Stackable(Protocol):
    """A module that can run M copies of itself on M batches at once.

    Attributes
    ----------
    dropout : float
        Probability that a unit is dropped in training.
    mask_units : int
        Entries of a dropout mask that one example needs; 0 without dropout.
    """

    dropout: float
    mask_units: int

    def stacked_forward(
        self, state: Mapping[str, Tensor], x: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        """Logits (M, B, k) of M members on their batches `x` (M, B, ...).

        `state` maps the names of parameters and buffers to stacked tensors (M, ...); `masks`
        (M, B, mask_units) holds 0 or 1 / (1 - dropout). Differentiable by autograd.
        """
        ...


class StackedGradients(Protocol):
    """A forward and backward pass of M members."""

    def __call__(
        self, x: Tensor, masks: Tensor | None, slope: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Logits (M, B, k) of `x` (M, B, ...); writes the gradient of every parameter.

        `slope` maps the logits to the derivative of the loss with respect to them (M, B, k).
        """
        ...


@runtime_checkable
class HandDifferentiated(Stackable, Protocol):
    """A `Stackable` whose backward pass is written out, without autograd."""

    def stacked_gradients(
        self, state: Mapping[str, Tensor], out: Mapping[str, Tensor]
    ) -> StackedGradients:
        """The step of members whose weights live in `state` and whose gradients go to `out`.

        Both map names to stacked tensors (M, ...), read and written at every call.
        """
        ...
