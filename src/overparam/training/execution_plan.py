"""How the members of an ensemble are run: all in one program, or one after the other.

Stacking saves the fixed cost of M small calls. It does not pay where the arithmetic of one member
already fills the core, nor for convolutions on a CPU (batched, they leave the fast kernels). The
rule below looks at shapes only, never at the clock, so that a run can be repeated; its constant
comes from `benchmarks/ensemble.py`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from overparam.nets.stackable import Stackable

Plan = Literal["auto", "stacked", "loop"]

PLANS = ("auto", "stacked", "loop")

# Multiply-adds of one member's forward pass up to which stacking is faster on a CPU: with eight
# members it wins 1.1 times at 2^26 (784-512-512-10, batch 128) and loses at 2^28 (two layers of
# 1024), and more members fill the caches sooner.
STACKING_LIMIT = 2**25


def choose_plan(
    plan: Plan, module: nn.Module, members: int, batch_size: int, device: torch.device
) -> Literal["stacked", "loop"]:
    """Resolve `plan="auto"` by the architecture, the batch and the device.

    Parameters
    ----------
    plan : {"auto", "stacked", "loop"}
    module : nn.Module
        One member.
    members, batch_size : int
    device : torch.device

    Returns
    -------
    {"stacked", "loop"}

    Raises
    ------
    ValueError
        If `plan` is unknown, or "stacked" for a module that draws its own random numbers.
    """
    if plan not in PLANS:
        raise ValueError(f"plan must be one of {list(PLANS)}; got {plan!r}.")
    randomness = own_randomness(module)
    if plan == "stacked" and randomness:
        raise ValueError(
            f"plan must be 'loop' or 'auto' for a module with its own randomness ({randomness}), "
            "which would draw from one stream for all members; got 'stacked'."
        )
    if plan != "auto":
        return plan
    if members == 1 or randomness:
        return "loop"
    if device.type != "cpu":
        return "stacked"
    if any(isinstance(part, _ConvNd) for part in module.modules()):
        return "loop"
    weights = sum(p.numel() for p in module.parameters() if p.dim() > 1)
    return "stacked" if weights * batch_size <= STACKING_LIMIT else "loop"


def own_randomness(module: nn.Module) -> str:
    """Names of the module's parts that draw random numbers in training; "" if there are none."""
    if isinstance(module, Stackable):
        return ""
    parts = {
        type(part).__name__
        for part in module.modules()
        if (isinstance(part, _DropoutNd) and part.p > 0)
        or isinstance(part, (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d))
        or (isinstance(part, (nn.RNNBase, nn.MultiheadAttention)) and part.dropout > 0)
    }
    return ", ".join(sorted(parts))


def partition(plan: Literal["stacked", "loop"], batch_sizes: list[int]) -> list[list[int]]:
    """Groups of members that run in one program: one each, or all with equal batch sizes."""
    if plan == "loop":
        return [[member] for member in range(len(batch_sizes))]
    groups: dict[int, list[int]] = {}
    for member, size in enumerate(batch_sizes):
        groups.setdefault(size, []).append(member)
    return list(groups.values())
