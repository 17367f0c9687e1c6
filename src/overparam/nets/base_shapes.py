"""muP for a network of any kind: which dimensions are width is read off a smaller copy of it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
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
    groups: dict[float, dict[str, Any]] = defaultdict(lambda: {"params": [], "names": []})
    outputs: list[tuple[nn.Module, float]] = []
    for each in _grown(module, base_module, optimizer):
        if each.role == "output":
            outputs.append((each.layer, each.m_in))
        with torch.no_grad():
            if each.role == "output" or each.bias:
                each.parameter.mul_(math.sqrt(each.fan_in_ratio))
        group = groups[_rate(each, optimizer)]
        group["params"].append(each.parameter)
        group["names"].append(each.name)
    for layer, m in outputs:  # afterwards: it renames the parameter
        multiply_weight_(layer, 1 / m)
    return [
        {**group, "lr": learning_rate * factor, "factor": factor}
        for factor, group in groups.items()
    ]


def maximal_update_factors_(
    module: nn.Module, base_module: nn.Module, optimizer: Literal["adam", "sgd"] = "adam"
) -> dict[str, float]:
    """The same parametrisation without a factor in the forward pass, in place.

    The output weight is what `maximal_update_` multiplies out to: initial weights x 1/sqrt(m) in
    place of x sqrt(m) and x 1/m in every pass, and 1/m times the rate. Training is the same for
    SGD and for Adam without weight decay (up to the epsilon in its denominator); AdamW decays the
    output weight 1/m times as fast. The module keeps its parameters under their names, so that
    what stacks, saves or loads it needs to know nothing of widths.

    Parameters
    ----------
    module, base_module, optimizer
        As for `maximal_update_`.

    Returns
    -------
    dict of str to float
        Factor on the learning rate of every parameter, for `training.Ensemble.fit(rate_factors=)`.

    Raises
    ------
    ValueError
        As `maximal_update_`.

    References
    ----------
    Yang et al., "Tensor Programs V", arXiv:2203.03466, table 3 and lemma J.1.

    Examples
    --------
    >>> wide, base = nn.Linear(64, 3), nn.Linear(16, 3)
    >>> maximal_update_factors_(wide, base)
    {'weight': 0.25, 'bias': 1.0}
    """
    factors = {}
    for each in _grown(module, base_module, optimizer):
        factors[each.name] = _rate(each, optimizer)
        with torch.no_grad():
            if each.bias:
                each.parameter.mul_(math.sqrt(each.fan_in_ratio))
            if each.role == "output":
                each.parameter.mul_(1 / math.sqrt(each.m_in))
                factors[each.name] = 1 / each.m_in
    return factors


@dataclass(frozen=True)
class _Grown:
    """A parameter, its role, and how much its fan-in and fan-out have grown."""

    name: str
    layer: nn.Module
    parameter: nn.Parameter
    role: Role
    m_in: float
    m_out: float
    bias: bool
    fan_in_ratio: float  # of its layer


def _grown(module: nn.Module, base_module: nn.Module, optimizer: str) -> list[_Grown]:
    """Every parameter of `module`, compared with the base module's."""
    if optimizer not in ("adam", "sgd"):
        raise ValueError(f"optimizer must be 'adam' or 'sgd'; got {optimizer!r}.")
    base = {name: p.shape for name, p in base_module.named_parameters()}
    shapes = {name: p.shape for name, p in module.named_parameters()}
    if {n: len(s) for n, s in base.items()} != {n: len(s) for n, s in shapes.items()}:
        raise ValueError(
            "base_module must have the parameters of module, with other sizes at most; "
            f"they differ in {sorted(set(base) ^ set(shapes)) or 'the number of dimensions'}."
        )
    found = []
    for path, layer in module.named_modules():
        for leaf, parameter in layer.named_parameters(recurse=False):
            name = f"{path}.{leaf}" if path else leaf
            grown = _role(layer, leaf, parameter.shape, base[name])
            ratio = _fan_in_ratio(layer, path, base)
            found.append(_Grown(name, layer, parameter, *grown, leaf == "bias", ratio))
    return found


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


def _rate(grown: _Grown, optimizer: str) -> float:
    role, m_in, m_out = grown.role, grown.m_in, grown.m_out
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
