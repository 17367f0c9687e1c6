"""SGD with momentum (heavy-ball or Nesterov's), Adam and AdamW for stacked parameters.

Each member has its own learning rate, weight decay and momentum. PyTorch's fused kernels update
weights in one pass over memory but take these numbers as scalars: members with equal numbers go
through one call, and when all are equal the whole vector does. Parameters with a factor on their
rate or decay are what `torch.optim` calls a parameter group. The formulas are those of
`torch.optim`: AdamW decays the weights beside the gradient (Loshchilov & Hutter 2019), SGD and Adam
add the decay to the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from overparam.training.stacked_state import StackedState

OPTIMIZERS = ("sgd", "nesterov", "adam", "adamw")
_OF_MOMENTUM = ("sgd", "nesterov")
Decayed = Literal["all", "matrices"]

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


def check_decay(
    optimizer: str, rates: Sequence[float], decays: Sequence[float], factor: float = 1.0
) -> None:
    """Check that no update of AdamW turns a weight's sign by its decay alone.

    Raises
    ------
    ValueError
        If a rate (times the largest `factor`) times its decay is 1 or more.
    """
    worst = max(rate * factor * decay for rate, decay in zip(rates, decays, strict=True))
    if optimizer == "adamw" and worst >= 1:
        raise ValueError(
            "learning_rate * weight_decay must be below 1 for optimizer='adamw', which multiplies "
            f"weights by 1 minus it; got {worst:g}."
        )


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
    """Members, or parameters of theirs, with equal numbers: one call of a fused kernel."""

    learning_rate: float
    weight_decay: float
    momentum: float
    values: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor] = field(default_factory=list)


class StackedOptimizer:
    """Updates the parameters of a `StackedState` in place from their gradients.

    Parameters
    ----------
    name : {"sgd", "nesterov", "adam", "adamw"}
    state : StackedState
    gradients : Tensor
        A vector of the state's layout.
    numbers : HyperParameters
        `momentum` is used by SGD only, of either kind.
    factors : mapping of str to float
        Factor on every member's learning rate for a parameter, by name; 1 for the others.
    betas : (float, float)
        Decay rates of Adam's two averages, for all members.
    decayed : {"all", "matrices"}
        Which parameters weight decay acts on: those of two dimensions or more are matrices.
    decay_factors : mapping of str to float
        Factor on every member's weight decay for a parameter, by name; 1 for the others.
    """

    def __init__(
        self,
        name: str,
        state: StackedState,
        gradients: Tensor,
        numbers: HyperParameters,
        factors: Mapping[str, float] | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        decayed: Decayed = "all",
        decay_factors: Mapping[str, float] | None = None,
    ) -> None:
        self._name = name
        self._factors = dict(factors or {})
        self._decay_factors = dict(decay_factors or {})
        self._betas = betas
        self._decayed = decayed
        self._steps = 0
        self._clock = torch.zeros((), device=state.vector.device)
        self._numbers = numbers
        averages = 1 if name in _OF_MOMENTUM else 2
        self._averages = [
            StackedState(state.layout, len(state), torch.zeros_like(state.vector), {})
            for _ in range(averages)
        ]
        self._bind(state, gradients)

    def keep(self, rows: list[int], state: StackedState, gradients: Tensor) -> None:
        """Go on with the members `rows`, whose parameters and gradients lie elsewhere now."""
        self._numbers = self._numbers.take(rows)
        self._averages = [average.take(rows) for average in self._averages]
        self._bind(state, gradients)

    def step(self, factor: float) -> None:
        """One update with every learning rate times `factor`."""
        self._clock += 1
        for group in self._groups:
            if self._name in _OF_MOMENTUM:
                self._sgd(group, factor)
            else:
                self._adam(group, factor)
        self._steps += 1

    def _bind(self, state: StackedState, gradients: Tensor) -> None:
        numbers = self._numbers
        together: dict[tuple[float, float, float], list[int]] = {}
        for row, key in enumerate(
            zip(numbers.learning_rate, numbers.weight_decay, numbers.momentum, strict=True)
        ):
            together.setdefault(key, []).append(row)
        named: dict[tuple[float, float], list[str]] = {}
        for name, shape in state.layout.shapes.items():
            decays = self._decayed == "all" or len(shape) > 1
            share = self._decay_factors.get(name, 1.0) if decays else 0.0
            named.setdefault((self._factors.get(name, 1.0), share), []).append(name)
        slopes = StackedState(state.layout, len(state), gradients, {})
        stacks = [state, slopes, *self._averages]
        self._groups = []
        for (rate, decay, momentum), rows in together.items():
            for (factor, share), names in named.items():
                if len(together) == len(named) == 1:
                    lists = [[stack.vector] for stack in stacks]
                elif len(together) == 1:
                    lists = [[stack.parameters[name] for name in names] for stack in stacks]
                else:
                    lists = [
                        [stack.parameters[name][row] for name in names for row in rows]
                        for stack in stacks
                    ]
                self._groups.append(_Group(rate * factor, decay * share, momentum, *lists))

    def _sgd(self, group: _Group, factor: float) -> None:
        torch._fused_sgd_(
            group.values,
            group.gradients,
            group.first if group.momentum else [],
            lr=group.learning_rate * factor,
            weight_decay=group.weight_decay,
            momentum=group.momentum,
            dampening=0.0,
            nesterov=self._name == "nesterov" and group.momentum > 0,
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
