"""Gradients of M members on M minibatches: three ways behind one interface.

- `HandWritten`: the module brings its own stacked forward and backward pass (`nets.MLP`).
- `Differentiated`: autograd over a stacked forward pass, the module's own or `torch.func.vmap`.
  A parametrised module keeps its own forward pass: its weights are computed first.
- `OneMember`: an ordinary module whose parameters are views of the only row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from overparam.nets.stackable import HandDifferentiated, Stackable
from overparam.training.effective_weights import EffectiveWeights
from overparam.training.stacked_state import StackedState

Slope = Callable[[Tensor], Tensor]

_LAYER_NUMBERS = 2**23


class GradientProgram(Protocol):
    """Forward and backward pass of the members of one `StackedState`."""

    def gradients(self, x: Tensor, masks: Tensor | None, slope: Slope) -> Tensor:
        """Logits (M, B, k) in training mode; fills the gradients that it was built with.

        `slope` maps logits to the derivative of the loss with respect to them.
        """
        ...

    def logits(self, x: Tensor) -> Tensor:
        """Logits (M, B, k) in evaluation mode."""
        ...


def build_program(
    module: nn.Module, state: StackedState, gradients: Tensor | None
) -> GradientProgram:
    """The fastest program for a module.

    Parameters
    ----------
    module : nn.Module
        One module of the architecture; the program may take it over.
    state : StackedState
        The members, read at every call.
    gradients : Tensor, optional
        A vector of the state's layout where gradients are written; without it only `logits`
        may be called.
    """
    weights = EffectiveWeights(module)
    if isinstance(module, HandDifferentiated) and not weights.any:
        return HandWritten(module, state, gradients)
    if isinstance(module, Stackable):
        return Differentiated(_own_forward(module, weights), state, gradients)
    if len(state) == 1:
        return OneMember(module, state, gradients)
    return Differentiated(_vmapped_forward(module), state, gradients)


def rows_at_once(state: StackedState, x: Tensor) -> int:
    """Rows of x (n, ...) that all members may take at once in evaluation.

    Some tens of megabytes a layer; of tokens every one has a layer's width.
    """
    width = max(s.numel() // s[-1] for s in state.layout.shapes.values() if s)
    row = x[0].numel()
    size = max(row, width) if x.is_floating_point() else row * width
    return min(1024, max(16, _LAYER_NUMBERS // (size * len(state))))


class HandWritten:
    """The module's own stacked forward and backward pass."""

    def __init__(
        self, module: HandDifferentiated, state: StackedState, gradients: Tensor | None
    ) -> None:
        self._module = module
        self._tensors = state.tensors()
        self._step = (
            None
            if gradients is None
            else module.stacked_gradients(self._tensors, state.layout.views(gradients, len(state)))
        )

    def gradients(self, x: Tensor, masks: Tensor | None, slope: Slope) -> Tensor:
        """See `GradientProgram`."""
        assert self._step is not None
        with torch.no_grad():
            return self._step(x, masks, slope)

    def logits(self, x: Tensor) -> Tensor:
        """See `GradientProgram`."""
        with torch.no_grad():
            return self._module.stacked_forward(self._tensors, x)


# (parameters, buffers, x, masks, training) -> logits
_Forward = Callable[[dict[str, Tensor], dict[str, Tensor], Tensor, Tensor | None, bool], Tensor]


class Differentiated:
    """Autograd over a stacked forward pass."""

    def __init__(self, forward: _Forward, state: StackedState, gradients: Tensor | None) -> None:
        self._forward = forward
        self._state = state
        self._out = (
            [] if gradients is None else list(state.layout.views(gradients, len(state)).values())
        )

    def gradients(self, x: Tensor, masks: Tensor | None, slope: Slope) -> Tensor:
        """See `GradientProgram`."""
        leaves = {
            name: value.detach().requires_grad_() for name, value in self._state.parameters.items()
        }
        with torch.enable_grad():
            logits = self._forward(leaves, self._state.buffers, x, masks, True)
        found = torch.autograd.grad(
            logits,
            list(leaves.values()),
            slope(logits.detach()),
            materialize_grads=True,
            allow_unused=True,
        )
        torch._foreach_copy_(self._out, list(found))
        return logits.detach()

    def logits(self, x: Tensor) -> Tensor:
        """See `GradientProgram`."""
        with torch.no_grad():
            return self._forward(self._state.parameters, self._state.buffers, x, None, False)


def _own_forward(module: Stackable, weights: EffectiveWeights) -> _Forward:
    def forward(
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        x: Tensor,
        masks: Tensor | None,
        training: bool,
    ) -> Tensor:
        return module.stacked_forward(weights({**parameters, **buffers}, training), x, masks)

    return forward


def _vmapped_forward(module: nn.Module) -> _Forward:
    def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(module, {**parameters, **buffers}, (x,))

    stacked = torch.func.vmap(one)

    def forward(
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        x: Tensor,
        masks: Tensor | None,
        training: bool,
    ) -> Tensor:
        module.train(training)
        return stacked(parameters, buffers, x)

    return forward


class OneMember:
    """An ordinary module that lives in the only row of a state.

    Its parameters, their `.grad` and its buffers become views of the row, so that nothing is
    copied: autograd adds into the gradients' matrix.
    """

    def __init__(self, module: nn.Module, state: StackedState, gradients: Tensor | None) -> None:
        self._module = module
        self._gradients = gradients
        for name, value in state.parameters.items():
            module.get_parameter(name).data = value[0]
        if gradients is not None:
            for name, value in state.layout.views(gradients, len(state)).items():
                module.get_parameter(name).grad = value[0]
        for name, value in state.buffers.items():
            path, _, leaf = name.rpartition(".")
            owner = module.get_submodule(path)
            if leaf in owner._buffers:
                owner._buffers[leaf] = value[0]
            else:
                owner.get_parameter(leaf).data = value[0]

    def gradients(self, x: Tensor, masks: Tensor | None, slope: Slope) -> Tensor:
        """See `GradientProgram`."""
        assert self._gradients is not None
        self._gradients.zero_()
        self._module.train()
        with torch.enable_grad():
            logits = self._module(x[0])
        logits.backward(slope(logits.detach()[None])[0])
        return logits.detach()[None]

    def logits(self, x: Tensor) -> Tensor:
        """See `GradientProgram`."""
        self._module.eval()
        with torch.no_grad():
            return self._module(x[0])[None]
