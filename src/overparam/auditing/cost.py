"""What training will cost, estimated before anything is trained.

The plan must not depend on the load of the machine, so its estimates come from counted arithmetic
and fixed rates, measured once with one thread by `benchmarks/audit.py`. They need to be right
within a factor of two: what is charged to the budget later is what was really used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from overparam.auditing.net_cells import MOST_HELD

RATE = 20e9  # floating-point operations a second of one thread, in training
STEP_OVERHEAD = 0.5e-3  # seconds a step for all members of a stack
LOOP_OVERHEAD = 1.4e-3  # seconds a step and member where members run one after the other
OPTIMIZER_BYTES = 60  # bytes moved a parameter and step by AdamW with its gradient
BANDWIDTH = 30e9  # bytes a second of one thread, from its caches

_CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
_REUSED = (*_CONVOLUTIONS, torch.nn.Linear, torch.nn.RNNBase)


def multiply_adds(module: torch.nn.Module, shape: Sequence[int]) -> int:
    """Multiply-adds of the forward pass for one example of `shape`.

    A convolution's weights are used once a place of its output, those of a linear or recurrent
    layer once a place of its sequence, all other matrices once.
    """
    count = sum(p.numel() for p in module.parameters() if p.dim() > 1)

    def add(layer: Any, inputs: Any, output: Any) -> None:
        nonlocal count
        weights = sum(p.numel() for p in layer.parameters(recurse=False) if p.dim() > 1)
        count += weights * (_places(layer, inputs[0], output) - 1)

    hooks = [
        layer.register_forward_hook(add) for layer in module.modules() if isinstance(layer, _REUSED)
    ]
    training = module.training
    try:
        module.eval()
        with torch.no_grad():
            module(torch.zeros(1, *shape))
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return count


def _places(layer: torch.nn.Module, x: torch.Tensor, output: Any) -> int:
    """How often one example uses the layer's weights."""
    if isinstance(layer, torch.nn.RNNBase):
        return x.numel() // x.shape[-1]
    channels = output.shape[-1 if isinstance(layer, torch.nn.Linear) else 1]
    return output.numel() // channels


def training_seconds(
    multiply_adds: float,
    parameters: float,
    *,
    rows: int,
    epochs: float,
    batch_size: int,
    members: int,
    stacked: bool,
    predicted: int = 0,
) -> float:
    """Seconds of one thread to train `members` nets: arithmetic, optimiser, and a step's overhead.

    Forward and backward together are three times the forward pass, a multiply-add is two
    operations. `predicted` rows are passed forward once by each trained net.
    """
    steps = epochs * rows / batch_size
    arithmetic = members * (3 * epochs * rows + predicted) * 2 * multiply_adds / RATE
    optimizer = members * steps * parameters * OPTIMIZER_BYTES / BANDWIDTH
    overhead = steps * (STEP_OVERHEAD if stacked else members * LOOP_OVERHEAD)
    return arithmetic + optimizer + overhead


def stopping_cost(rows: int, fitted: int) -> float:
    """Cost of a net that stops early over that of one that does not.

    Every epoch passes the held-out rows (a tenth beside `fitted`, at most `MOST_HELD`) forward,
    a third of what training on as many takes.
    """
    return 1 + min(fitted / 9, MOST_HELD) / (3 * rows)
