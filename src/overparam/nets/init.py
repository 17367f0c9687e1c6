"""Initialisation in place, in the manner of `torch.nn.init`."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from overparam.theory.elementwise import NAMED, Activation
from overparam.theory.initialization import Criticality, criticality

Module = TypeVar("Module", bound=nn.Module)

WEIGHT_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@torch.no_grad()
def critical_(
    module: Module, activation: Activation, generator: torch.Generator | None = None
) -> Module:
    """Draw the weights of all Linear and Conv layers at criticality, in place.

    Weights ~ N(0, C_W / fan_in) and biases ~ N(0, C_b), with the variances at which neither signals
    nor gradients explode or vanish with depth (arXiv 2106.10165). The fan-in of a convolution is
    in_channels / groups times the area of its kernel. Other layers stay as they are.

    Parameters
    ----------
    module : torch.nn.Module
        Any network with Linear or Conv1d/2d/3d layers.
    activation : str or callable
        The activation between them; see `theory.criticality`.
    generator : torch.Generator, optional
        Where random numbers come from; the global stream by default.

    Returns
    -------
    torch.nn.Module
        The same module.

    Raises
    ------
    ValueError
        If the activation has no critical point, or the module has no such layer.

    Notes
    -----
    Inputs should be scaled so that the mean square of their entries is near 1. The theory is of
    plain chains of layers: with normalisation layers the choice matters little, and with skip
    connections that are added at full strength signals grow all the same.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(100, 400), nn.ReLU(), nn.Linear(400, 400))
    >>> round(float(critical_(net, "relu")[2].weight.detach().var() * 400), 1)
    2.0
    """
    critical = critical_point(activation)
    layers = weight_layers(module)
    for layer in layers:
        scale = math.sqrt(critical.C_W / fan_in(layer))
        layer.weight.normal_(0.0, scale, generator=generator)
        if layer.bias is not None:
            layer.bias.normal_(0.0, math.sqrt(critical.C_b), generator=generator)
    return module


def critical_point(activation: Activation) -> Criticality:
    """Return `criticality(activation)`, or raise `ValueError` that names alternatives."""
    critical = criticality(activation)
    if critical.universality_class == "none":
        able = [name for name in NAMED if criticality(name).universality_class != "none"]
        raise ValueError(
            f"activation must have a critical point; got {activation!r}: {critical.reason}. "
            f"Use one of {', '.join(able)}."
        )
    return critical


def weight_layers(module: nn.Module) -> list[Any]:
    """The Linear and Conv layers of a module in the order of its definition, at least one."""
    layers = [each for each in module.modules() if isinstance(each, WEIGHT_LAYERS)]
    if not layers:
        raise ValueError(
            f"module must hold Linear or Conv layers; got {type(module).__name__} without any."
        )
    return layers


def fan_in(layer: nn.Module) -> int:
    """Inputs of one output unit of a Linear or Conv layer."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight[0].numel()
