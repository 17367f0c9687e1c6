"""The weights of M networks of one architecture in one vector.

The vector holds a block (M, *shape) for each parameter, one after the other, each starting at a
multiple of 16 numbers (a cache line of float32; the gaps stay 0). The whole is one vector because
an optimizer then updates all members in one pass.

A block is contiguous, or the transpose of a contiguous one: a matrix (outputs, inputs) with few or
crooked inputs lies in memory as (inputs, outputs), because BLAS writes rows of a few numbers up to
six times as slowly as rows that fill its registers (gradients of 64 members with 64 outputs: from 4
inputs 345 against 58 us, from 30 inputs 403 against 235 us).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_ALIGN = 16


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the trainable parameters of one member, in order."""

    shapes: dict[str, torch.Size]

    @classmethod
    def of(cls, module: nn.Module) -> Layout:
        """The layout of a module's parameters that require a gradient."""
        return cls({n: p.shape for n, p in module.named_parameters() if p.requires_grad})

    def zeros(self, members: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """A vector that holds `members` members, all zero."""
        size = sum(_padded(members * shape.numel()) for shape in self.shapes.values())
        return torch.zeros(size, device=device, dtype=dtype)

    def views(self, vector: Tensor, members: int) -> dict[str, Tensor]:
        """The blocks (M, *shape) inside a vector made by `zeros`."""
        blocks = {}
        start = 0
        for name, shape in self.shapes.items():
            size = members * shape.numel()
            block = vector[start : start + size]
            if _inputs_first(shape):
                blocks[name] = block.view(members, shape[1], shape[0]).transpose(1, 2)
            else:
                blocks[name] = block.view(members, *shape)
            start += _padded(size)
        return blocks


class StackedState:
    """Parameters and buffers of M members.

    Parameters
    ----------
    layout : Layout
    members : int
    vector : Tensor
        Trainable parameters, as laid out by `layout`.
    buffers : dict of str to Tensor of shape (M, ...)
        Buffers and frozen parameters.

    Attributes
    ----------
    parameters : dict of str to Tensor of shape (M, ...)
        Views into `vector`.
    """

    def __init__(
        self, layout: Layout, members: int, vector: Tensor, buffers: dict[str, Tensor]
    ) -> None:
        self.layout = layout
        self.members = members
        self.vector = vector
        self.buffers = buffers
        self.parameters = layout.views(vector, members)

    def __len__(self) -> int:
        return self.members

    @classmethod
    def from_modules(
        cls, modules: Iterable[nn.Module], device: torch.device, dtype: torch.dtype
    ) -> StackedState:
        """Stack the state of modules of one architecture.

        Raises
        ------
        ValueError
            If two modules differ in the names or shapes of their parameters.
        """
        layout: Layout | None = None
        trained: dict[str, list[Tensor]] = {}
        fixed: dict[str, list[Tensor]] = {}
        members = 0
        for module in modules:
            own = Layout.of(module)
            layout = layout or own
            if own != layout:
                raise ValueError(
                    "module_factory must build one architecture; "
                    f"got other parameters for member {members} than for member 0."
                )
            for name in layout.shapes:
                value = module.get_parameter(name).detach()
                trained.setdefault(name, []).append(_cast(value, device, dtype))
            for name, value in _fixed_tensors(module):
                fixed.setdefault(name, []).append(_cast(value, device, dtype))
            members += 1
        if layout is None or not layout.shapes:
            raise ValueError("module_factory must build a module with trainable parameters.")
        buffers = {name: torch.stack(values) for name, values in fixed.items()}
        state = cls(layout, members, layout.zeros(members, device, dtype), buffers)
        for name, values in trained.items():
            torch.stack(values, out=state.parameters[name])
        return state

    def take(self, rows: list[int]) -> StackedState:
        """A copy of some members, in the order of `rows`."""
        index = torch.tensor(rows, device=self.vector.device)
        buffers = {name: value[index] for name, value in self.buffers.items()}
        vector = self.layout.zeros(len(rows), self.vector.device, self.vector.dtype)
        taken = StackedState(self.layout, len(rows), vector, buffers)
        for name, value in self.parameters.items():
            torch.index_select(value, 0, index, out=taken.parameters[name])
        return taken

    def put(self, rows: list[int], source: StackedState) -> None:
        """Overwrite the members `rows` by all members of `source`, in order."""
        index = torch.tensor(rows, device=self.vector.device)
        for name, value in source.tensors().items():
            self.tensors()[name][index] = value

    def finite(self) -> Tensor:
        """Which members (M,) have finite parameters throughout, bool."""
        blocks = [
            torch.isfinite(value).reshape(len(self), -1).all(1)
            for value in self.parameters.values()
        ]
        return torch.stack(blocks).all(0)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers together, name -> (M, ...)."""
        return {**self.parameters, **self.buffers}

    def load_into(self, module: nn.Module, row: int) -> None:
        """Copy one member into a module of the architecture."""
        load_member(module, self.tensors(), row)


def load_member(module: nn.Module, tensors: Mapping[str, Tensor], row: int) -> None:
    """Copy one row of stacked parameters and buffers (M, ...) into a module."""
    with torch.no_grad():
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            value.copy_(tensors[name][row])


def _inputs_first(shape: torch.Size) -> bool:
    if len(shape) != 2:
        return False
    outputs, inputs = shape
    return outputs % 16 == 0 and (inputs < 16 or inputs % 8 != 0)


def _padded(size: int) -> int:
    return math.ceil(size / _ALIGN) * _ALIGN


def _fixed_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    frozen = [(n, p.detach()) for n, p in module.named_parameters() if not p.requires_grad]
    return [*frozen, *module.named_buffers()]


def _cast(value: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return value.to(device, dtype if value.is_floating_point() else None, copy=True)
