"""The weights of M networks of one architecture as one matrix (M, P).

A row is a member: its parameters one after the other, each starting at a multiple of 16 numbers
(a cache line of float32; the gaps stay 0). Optimizers, copies of the best weights and leaving
members work on rows; the networks work on views of the parameters with their own shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_ALIGN = 16


@dataclass(frozen=True)
class Layout:
    """Where each trainable parameter lies in a row: name -> (offset, shape)."""

    slots: dict[str, tuple[int, torch.Size]]
    size: int

    @classmethod
    def of(cls, module: nn.Module) -> Layout:
        """The layout of a module's parameters that require a gradient."""
        slots: dict[str, tuple[int, torch.Size]] = {}
        size = 0
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                slots[name] = (size, parameter.shape)
                size += math.ceil(parameter.numel() / _ALIGN) * _ALIGN
        return cls(slots, size)

    def views(self, matrix: Tensor) -> dict[str, Tensor]:
        """The parameters (M, *shape) inside a matrix (M, P)."""
        return {
            name: matrix[:, start : start + shape.numel()].view(len(matrix), *shape)
            for name, (start, shape) in self.slots.items()
        }


class StackedState:
    """Parameters and buffers of M members.

    Parameters
    ----------
    layout : Layout
        Where the parameters lie in a row of `matrix`.
    matrix : Tensor of shape (M, P)
        Trainable parameters.
    buffers : dict of str to Tensor of shape (M, ...)
        Buffers and frozen parameters.
    """

    def __init__(self, layout: Layout, matrix: Tensor, buffers: dict[str, Tensor]) -> None:
        self.layout = layout
        self.matrix = matrix
        self.buffers = buffers
        self.parameters = layout.views(matrix)

    def __len__(self) -> int:
        return len(self.matrix)

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
        rows: list[Tensor] = []
        fixed: dict[str, list[Tensor]] = {}
        for index, module in enumerate(modules):
            own = Layout.of(module)
            if layout is None:
                layout = own
            if own.slots != layout.slots:
                raise ValueError(
                    "module_factory must build one architecture; "
                    f"got other parameters for member {index} than for member 0."
                )
            row = torch.zeros(1, layout.size, device=device, dtype=dtype)
            for name, view in layout.views(row).items():
                view[0].copy_(module.get_parameter(name).detach())
            rows.append(row)
            for name, value in _fixed_tensors(module):
                fixed.setdefault(name, []).append(_cast(value, device, dtype))
        if layout is None or not layout.slots:
            raise ValueError("module_factory must build a module with trainable parameters.")
        buffers = {name: torch.stack(values) for name, values in fixed.items()}
        return cls(layout, torch.cat(rows), buffers)

    def take(self, rows: Tensor | list[int]) -> StackedState:
        """A copy of some members, in the order of `rows`."""
        index = torch.as_tensor(rows, device=self.matrix.device)
        buffers = {name: value[index] for name, value in self.buffers.items()}
        return StackedState(self.layout, self.matrix[index], buffers)

    def put(self, rows: Tensor | list[int], source: StackedState) -> None:
        """Overwrite the members `rows` by all members of `source`, in order."""
        index = torch.as_tensor(rows, device=self.matrix.device)
        self.matrix[index] = source.matrix
        for name, value in source.buffers.items():
            self.buffers[name][index] = value

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers together, name -> (M, ...)."""
        return {**self.parameters, **self.buffers}

    def load_into(self, module: nn.Module, row: int) -> None:
        """Copy one member into a module of the architecture."""
        with torch.no_grad():
            for name, value in self.parameters.items():
                module.get_parameter(name).copy_(value[row])
            for name, value in _fixed_tensors(module):
                value.copy_(self.buffers[name][row])


def _fixed_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    frozen = [(n, p.detach()) for n, p in module.named_parameters() if not p.requires_grad]
    return [*frozen, *module.named_buffers()]


def _cast(value: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return value.to(device, dtype if value.is_floating_point() else None, copy=True)
