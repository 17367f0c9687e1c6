"""muP for a network of any kind: which dimensions are width is read off a smaller copy of it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Literal

import torch
from torch import nn

from overparam.nets.forward_multiplier import multiply_weight_
from overparam.nets.init import WEIGHT_LAYERS

Role = Literal["hidden", "input", "output", "vector", "fixed"]


def maximal_update_(
    module: nn.Module,
    base_module: nn.Module,
    optimizer: Literal["adam", "sgd"] = "adam",
    *,
    learning_rate: float = 1e-3,
) -> list[dict[str, Any]]:
    """Give a network the maximal update parametrisation, in place.

    The best learning rate of the base network then holds for the wide one. A dimension in which the
    two differ is a width; m is the ratio of widths, fan-in first where both dimensions grow:

    | parameter | initial weights | forward pass | Adam's rate | SGD's rate |
    | --- | --- | --- | --- | --- |
    | hidden weight (fan-in and fan-out grow) | as they come, variance 1/fan_in | | 1/m | m_out/m |
    | input weight, embedding (fan-out grows) | as they come | | 1 | m |
    | output weight (fan-in grows) | x sqrt(m): variance 1/base fan_in | x 1/m | 1 | m |
    | bias and gain (grow) | x sqrt(m of their layer's fan-in) | | 1 | m |
    | everything that does not grow | as it comes | | 1 | 1 |

    (PyTorch draws biases with a deviation of fan_in^-1/2: the factor makes them independent of
    width.) Where an attention layer divides its logits by sqrt(d_head), it should divide by d_head
    instead; this cannot be mended from outside.

    Parameters
    ----------
    module : nn.Module
        Freshly initialised by PyTorch's default or another law of variance ~ 1/fan_in.
    base_module : nn.Module
        The same architecture with the base widths; its values are not used.
    optimizer : {"adam", "sgd"}
        "adam" serves AdamW too.
    learning_rate : float
        Rate of the base network.

    Returns
    -------
    list of dict
        Parameter groups for `torch.optim`: "params", "lr", "factor" (of the rate), "names".

    Raises
    ------
    ValueError
        If the two modules differ in more than sizes, or `optimizer` is unknown.

    References
    ----------
    Yang and Hu, arXiv:2011.14522; Yang et al., "Tensor Programs V", arXiv:2203.03466, table 8.
    """
    if optimizer not in ("adam", "sgd"):
        raise ValueError(f"optimizer must be 'adam' or 'sgd'; got {optimizer!r}.")
    base = {name: p.shape for name, p in base_module.named_parameters()}
    shapes = {name: p.shape for name, p in module.named_parameters()}
    if {n: len(s) for n, s in base.items()} != {n: len(s) for n, s in shapes.items()}:
        raise ValueError(
            "base_module must have the parameters of module, with other sizes at most; "
            f"they differ in {sorted(set(base) ^ set(shapes)) or 'the number of dimensions'}."
        )
    groups: dict[float, dict[str, Any]] = defaultdict(lambda: {"params": [], "names": []})
    outputs: list[tuple[nn.Module, float]] = []
    for path, layer in module.named_modules():
        for leaf, parameter in layer.named_parameters(recurse=False):
            name = f"{path}.{leaf}" if path else leaf
            role, m_in, m_out = _role(layer, leaf, parameter.shape, base[name])
            if role == "output":
                outputs.append((layer, m_in))
            with torch.no_grad():
                if role == "output" or leaf == "bias":
                    parameter.mul_(math.sqrt(_fan_in_ratio(layer, path, base)))
            group = groups[_rate(role, optimizer, m_in, m_out)]
            group["params"].append(parameter)
            group["names"].append(name)
    for layer, m in outputs:  # afterwards: it renames the parameter
        multiply_weight_(layer, 1 / m)
    return [
        {**group, "lr": learning_rate * factor, "factor": factor}
        for factor, group in groups.items()
    ]


def _role(
    layer: nn.Module, leaf: str, shape: torch.Size, base: torch.Size
) -> tuple[Role, float, float]:
    """The parameter's role, and how much its fan-in and fan-out have grown."""
    growth = [n / b for n, b in zip(shape, base, strict=True)]
    grown = sum(g != 1 for g in growth)
    if not grown:
        return "fixed", 1.0, 1.0
    if len(shape) == 1:
        return "vector", 1.0, growth[0]
    m_out, m_in = growth[:2]
    if isinstance(layer, nn.Embedding):
        m_in, m_out = m_out, m_in
    if grown > 1:
        return "hidden", m_in, m_out
    if m_in != 1 and leaf == "weight" and isinstance(layer, WEIGHT_LAYERS):
        return "output", m_in, m_out
    return "input", m_in, m_out


def _rate(role: Role, optimizer: str, m_in: float, m_out: float) -> float:
    if role == "hidden":
        return 1 / m_in if optimizer == "adam" else m_out / m_in
    if role == "fixed" or optimizer == "adam":
        return 1.0
    return m_in if role == "output" else max(m_in, m_out)


def _fan_in_ratio(layer: nn.Module, path: str, base: dict[str, torch.Size]) -> float:
    """How much the fan-in of a linear or convolutional layer has grown; 1 of any other layer."""
    if not isinstance(layer, WEIGHT_LAYERS):
        return 1.0
    name = f"{path}.weight" if path else "weight"
    return layer.weight.shape[1] / base[name][1]
