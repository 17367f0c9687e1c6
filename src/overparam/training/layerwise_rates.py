"""A learning rate for each layer, so that every layer contributes alike to what is learnt.

With weights at rate eta lambda_W,l / fan_in and biases at eta lambda_b,l the tangent kernel is a
sum over layers. Each term is the same and the sum does not depend on the depth L if (arXiv
2106.10165, the equivalence principle)

    scale-invariant, half-stable:   lambda_W,l = lambda_b,l = 1 / L
    K* = 0, chi_perp = 1 - p / l:   lambda_W,l = (L / l)^(p - 1),   lambda_b,l = l^-p L^(p - 1).

In the second line weights need no 1 / L: their term carries g(K_{l-1}), which falls like 1 / l.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from overparam.nets.init import critical_point, fan_in, weight_layers
from overparam.theory.elementwise import Activation


def layer_factors(activation: Activation, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lambda_W and lambda_b, each (depth,), of layers 1 to `depth`.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    depth : int
        Layers of weights, >= 1.

    Raises
    ------
    ValueError
        If the activation has no critical point or depth < 1.
    """
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")
    critical = critical_point(activation)
    layer = np.arange(1, depth + 1, dtype=float)
    if critical.universality_class == "K*=0":
        return (depth / layer) ** (critical.p - 1), layer**-critical.p * depth ** (critical.p - 1)
    even = np.full(depth, 1 / depth)
    return even, even.copy()


def layerwise_learning_rates(
    module: nn.Module, activation: Activation, eta: float
) -> list[dict[str, Any]]:
    """Parameter groups for any torch optimiser, one rate for each layer's weights and biases.

    Parameters
    ----------
    module : torch.nn.Module
        A network whose Linear and Conv layers are defined in the order in which they are used,
        initialised with `nets.init.critical_`.
    activation : str or callable
        The activation between them.
    eta : float
        Global rate > 0. Its best value hardly depends on the depth.

    Returns
    -------
    list of dict
        Groups with `params`, `lr` and `name`. Parameters of other layers (normalisation,
        embeddings), of which the theory does not speak, come last at the last layer's bias rate.

    Raises
    ------
    ValueError
        If `eta` is not positive, the activation has no critical point or the module has neither
        Linear nor Conv layers.

    Notes
    -----
    The derivation is of (stochastic) gradient descent. Adam divides by the gradient's size and with
    it by most of what these rates correct.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    >>> optimizer = torch.optim.SGD(layerwise_learning_rates(net, "relu", eta=10.0))
    >>> [(group["name"], group["lr"]) for group in optimizer.param_groups][:3]
    [('layer 1 weight', 0.05), ('layer 1 bias', 5.0), ('layer 2 weight', 0.1)]
    """
    if not eta > 0:
        raise ValueError(f"eta must be a number > 0; got {eta!r}.")
    layers = weight_layers(module)
    factors_W, factors_b = layer_factors(activation, len(layers))
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()
    for number, (layer, of_W, of_b) in enumerate(
        zip(layers, factors_W, factors_b, strict=True), start=1
    ):
        rates = {"weight": eta * of_W / fan_in(layer), "bias": eta * of_b}
        for kind, rate in rates.items():
            parameter = getattr(layer, kind)
            if parameter is None or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            groups.append(
                {"params": [parameter], "lr": float(rate), "name": f"layer {number} {kind}"}
            )
    rest = [each for each in module.parameters() if id(each) not in seen]
    if rest:
        groups.append({"params": rest, "lr": float(eta * factors_b[-1]), "name": "other"})
    return groups
