"""How the weights of a network are distributed, and how many of them it can do without."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.nets.companding import bake
from overparam.nets.init import WEIGHT_LAYERS

NEAR_ZERO = 0.1  # of the layer's standard deviation
ZEROED = ("random", "smallest", "largest")
_BLOCK = 1024  # rows at once


@dataclass(frozen=True)
class WeightShape:
    """The distribution of one layer's weights.

    Attributes
    ----------
    layer : str
        Name of the layer.
    count : int
        Number of weights n.
    near_zero : float
        Share of |w| < 0.1 standard deviations; 0.0797 of normal weights.
    largest : float
        Largest |w| in standard deviations.
    kurtosis : float
        Fourth central moment over the squared variance; 3 of normal weights, 1 of two values.
    effective : float
        Effective number of weights as a share: (sum |w|)^2 / (n sum w^2), 2 / pi of normal weights
        and 1 where all have one size.
    """

    layer: str
    count: int
    near_zero: float
    largest: float
    kurtosis: float
    effective: float


@torch.no_grad()
def weight_shape(
    module: nn.Module, where: type[nn.Module] | tuple[type[nn.Module], ...] = WEIGHT_LAYERS
) -> tuple[WeightShape, ...]:
    """The distribution of the weights that each layer uses, companded or not.

    Parameters
    ----------
    module : nn.Module
    where : type or tuple of types
        Layers to look at; Linear and Conv1d/2d/3d by default.

    Returns
    -------
    tuple of WeightShape
        In the order of the layers. Shares are NaN where all weights are equal.

    Raises
    ------
    ValueError
        If the module has no such layer.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> layer.weight.data = torch.tensor([[0.3, -0.3], [0.3, -0.3]])
    >>> weight_shape(layer)[0].kurtosis
    1.0
    """
    layers = _layers(module, where)
    return tuple(_shape(name, layer.weight.detach().double()) for name, layer in layers)


def accuracy_after_zeroing(
    module: nn.Module,
    X: Any,
    y: Any,
    shares: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    *,
    which: str = "random",
    seed: int = 0,
    where: type[nn.Module] | tuple[type[nn.Module], ...] = WEIGHT_LAYERS,
) -> np.ndarray:
    """Accuracy of a classifier of which a share of every layer's weights is set to 0.

    A larger share holds the smaller one. The module is left as it is.

    Parameters
    ----------
    module : nn.Module
        Maps rows to logits (n, k), in evaluation mode.
    X, y : arrays of shape (n, ...) and (n,)
        Rows, in the dtype of the module, and labels 0..k-1.
    shares : sequence of float
        In [0, 1].
    which : {"random", "smallest", "largest"}
        Weights at random, or by their absolute value.
    seed : int
        Of the random choice.
    where : type or tuple of types
        As in `weight_shape`.

    Returns
    -------
    ndarray of shape (len(shares),)

    Raises
    ------
    ValueError
        If `which` is unknown, a share lies outside [0, 1] or the module has no such layer.
    """
    if which not in ZEROED:
        raise ValueError(f"which must be one of {list(ZEROED)}; got {which!r}.")
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares must lie in [0, 1]; got {list(shares)}.")
    net = bake(copy.deepcopy(module)).eval()
    weights = [layer.weight for _, layer in _layers(net, where)]
    whole = [weight.detach().clone() for weight in weights]
    generator = torch.Generator().manual_seed(seed)
    orders = [_order(weight, which, generator) for weight in whole]
    x, labels = torch.as_tensor(X), torch.as_tensor(y)
    found = np.empty(len(shares))
    with torch.no_grad():
        for place, share in enumerate(shares):
            for weight, start, order in zip(weights, whole, orders, strict=True):
                gone = order[: round(share * len(order))]
                weight.copy_(start.flatten().index_fill(0, gone, 0.0).view_as(start))
            right = [net(part).argmax(1) for part in x.split(_BLOCK)]
            found[place] = (torch.cat(right) == labels).double().mean()
    return found


def _layers(
    module: nn.Module, where: type[nn.Module] | tuple[type[nn.Module], ...]
) -> list[tuple[str, Any]]:
    found = [(name, each) for name, each in module.named_modules() if isinstance(each, where)]
    if not found:
        kinds = where if isinstance(where, tuple) else (where,)
        raise ValueError(
            f"module must hold layers of {', '.join(kind.__name__ for kind in kinds)}; "
            f"got {type(module).__name__} without any."
        )
    return found


def _shape(name: str, weight: Tensor) -> WeightShape:
    deviation = weight.std(correction=0)
    size, centred = weight.abs(), (weight - weight.mean()) / deviation
    return WeightShape(
        name,
        weight.numel(),
        float((size < NEAR_ZERO * deviation).double().mean()),
        float(size.max() / deviation),
        float((centred**4).mean()),
        float(size.sum() ** 2 / (weight.numel() * weight.square().sum())),
    )


def _order(weight: Tensor, which: str, generator: torch.Generator) -> Tensor:
    """Flat positions of a weight's entries, those first that are zeroed first."""
    if which == "random":
        return torch.randperm(weight.numel(), generator=generator).to(weight.device)
    return weight.abs().flatten().argsort(descending=which == "largest", stable=True)
