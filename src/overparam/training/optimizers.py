"""SGD with momentum, Adam and AdamW for stacked parameters.

A member is a row, and its learning rate, weight decay and momentum are its own. PyTorch's fused
kernels update a row in one pass over memory but take these numbers as scalars, so rows with equal
numbers go through one call. The formulas are those of `torch.optim`: AdamW decays the weights
beside the gradient (Loshchilov & Hutter 2019), SGD and Adam add the decay to the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

OPTIMIZERS = ("sgd", "adam", "adamw")

EPS = 1e-8  # torch.optim's default


def resolve_optimizer(optimizer: str) -> str:
    """Check the name of an optimizer.

    Raises
    ------
    ValueError
        If it is unknown.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {list(OPTIMIZERS)}; got {optimizer!r}.")
    return optimizer


@dataclass(frozen=True)
class HyperParameters:
    """Numbers of each member, as tuples of length M.

    Attributes
    ----------
    learning_rate, weight_decay, momentum : tuple of float
    """

    learning_rate: tuple[float, ...]
    weight_decay: tuple[float, ...]
    momentum: tuple[float, ...]

    def take(self, rows: Sequence[int]) -> HyperParameters:
        """The numbers of some members."""
        return HyperParameters(
            tuple(self.learning_rate[i] for i in rows),
            tuple(self.weight_decay[i] for i in rows),
            tuple(self.momentum[i] for i in rows),
        )


@dataclass(frozen=True)
class _Group:
    """Rows with equal numbers: one call of a fused kernel."""

    learning_rate: float
    weight_decay: float
    momentum: float
    values: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]


class StackedOptimizer:
    """Updates a matrix of parameters (M, P) in place from its gradients.

    Parameters
    ----------
    name : {"sgd", "adam", "adamw"}
    matrix, gradients : Tensor of shape (M, P)
    numbers : HyperParameters
        `momentum` is used by SGD only.
    betas : (float, float)
        Decay rates of Adam's two averages, for all members.
    """

    def __init__(
        self,
        name: str,
        matrix: Tensor,
        gradients: Tensor,
        numbers: HyperParameters,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self._name = name
        self._betas = betas
        self._steps = 0
        self._clock = torch.zeros((), device=matrix.device)
        self._numbers = numbers
        self._first = torch.zeros_like(matrix)
        self._second = torch.zeros_like(matrix) if name != "sgd" else None
        self._bind(matrix, gradients)

    def keep(self, rows: list[int], matrix: Tensor, gradients: Tensor) -> None:
        """Go on with some rows, whose parameters and gradients now lie in other matrices."""
        self._numbers = self._numbers.take(rows)
        self._first = self._first[rows]
        self._second = None if self._second is None else self._second[rows]
        self._bind(matrix, gradients)

    def step(self, factor: float) -> None:
        """One update with every learning rate times `factor`."""
        self._clock += 1
        for group in self._groups:
            if self._name == "sgd":
                self._sgd(group, factor)
            else:
                self._adam(group, factor)
        self._steps += 1

    def _bind(self, matrix: Tensor, gradients: Tensor) -> None:
        numbers = self._numbers
        together: dict[tuple[float, float, float], list[int]] = {}
        for row, key in enumerate(
            zip(numbers.learning_rate, numbers.weight_decay, numbers.momentum, strict=True)
        ):
            together.setdefault(key, []).append(row)

        def pick(tensor: Tensor | None, rows: list[int]) -> list[Tensor]:
            if tensor is None:
                return []
            # All rows at once are one long tensor: the kernel's fixed cost is paid once.
            return [tensor] if len(together) == 1 else [tensor[row] for row in rows]

        self._groups = [
            _Group(
                *key,
                values=pick(matrix, rows),
                gradients=pick(gradients, rows),
                first=pick(self._first, rows),
                second=pick(self._second, rows),
            )
            for key, rows in together.items()
        ]

    def _sgd(self, group: _Group, factor: float) -> None:
        torch._fused_sgd_(
            group.values,
            group.gradients,
            group.first if group.momentum else [],
            lr=group.learning_rate * factor,
            weight_decay=group.weight_decay,
            momentum=group.momentum,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=self._steps == 0,
        )

    def _adam(self, group: _Group, factor: float) -> None:
        kernel = torch._fused_adamw_ if self._name == "adamw" else torch._fused_adam_
        kernel(
            group.values,
            group.gradients,
            group.first,
            group.second,
            [],
            [self._clock] * len(group.values),
            lr=group.learning_rate * factor,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=group.weight_decay,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )
