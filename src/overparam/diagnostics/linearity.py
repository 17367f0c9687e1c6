"""How much of what a network does a linear function does as well.

    relu(z) = z / 2 + |z| / 2: a two-layer ReLU network without biases is its linear part
    L(x) = (1/2) sum_j a_j <w_j, x> plus an even function of x. Other networks: f is regressed on
    <gbar, x> and a constant, with gbar the mean gradient over the rows. (By Stein's lemma gbar is
    the coefficient of the best linear function where rows are Gaussian.)

Ordinary regression on all p features is useless here: with p > rows it explains everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.diagnostics.recording import evaluating
from overparam.training.two_layer_descent import linear_share
from overparam.training.two_layer_relu import TwoLayerReLU

_BLOCK = 1024  # rows whose gradients are held at once


def linear_part(net: TwoLayerReLU | nn.Module | Callable[[Tensor], Tensor], X: Any) -> float:
    """Share of the variance of a network's output on X that a linear function of x explains.

    Parameters
    ----------
    net : TwoLayerReLU, nn.Module or callable
        A fitted `training.TwoLayerReLU` is split exactly; everything else maps a tensor (B, ...)
        to (B,) or (B, k) and goes by its mean gradient. With k outputs, the variances are summed.
    X : array (n, ...)
        Rows, at least 2.

    Returns
    -------
    float
        1 for a linear function (and a constant), 0 for |<v, x>|. The exact form falls below 0
        where the even part works against the linear one; NaN if the output is constant.

    Raises
    ------
    ValueError
        If there are fewer than 2 rows.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((2000, 5))
    >>> round(linear_part(lambda x: 3 * x[:, 0] - x[:, 1] + 2, X), 6)
    1.0
    >>> linear_part(lambda x: x[:, 0].abs(), X) < 0.02
    True
    """
    X = np.asarray(X)
    if len(X) < 2:
        raise ValueError(f"X must have at least 2 rows; got {len(X)}.")
    if isinstance(net, TwoLayerReLU):
        before = X.astype(float) @ net.weights_.T
        return float(linear_share(np.maximum(before, 0) @ net.a_, before @ net.a_ / 2))
    return _by_mean_gradient(net, X)


def _by_mean_gradient(net: Callable[[Tensor], Tensor], X: np.ndarray) -> float:
    kind = torch.float64
    if isinstance(net, nn.Module):
        like = next(net.parameters(), torch.empty(0, dtype=kind))
        rows = torch.as_tensor(X).to(like.device, like.dtype)
        with evaluating(net):
            outputs, gradients = _passed(net, rows)
    else:
        outputs, gradients = _passed(net, torch.as_tensor(X).to(kind))
    along = torch.as_tensor(X).flatten(1).double() @ gradients.T.cpu()  # (n, k)
    f, z = (values - values.mean(0) for values in (outputs.cpu(), along))
    total = float((f**2).sum())
    if total == 0:
        return float("nan")
    explained = (f * z).sum(0) ** 2 / (z**2).sum(0).clamp_min(torch.finfo(kind).tiny)
    return float(explained.sum()) / total


def _passed(net: Callable[[Tensor], Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (n, k) and the mean gradient of each of them (k, p), in float64."""
    outputs, sums = [], []
    for block in rows.split(_BLOCK):
        with torch.enable_grad():
            x = block.detach().requires_grad_(True)
            out = net(x).reshape(len(block), -1)
            slopes = [
                torch.autograd.grad(column.sum(), x, retain_graph=True)[0].flatten(1).double()
                for column in out.unbind(1)
            ]
        outputs.append(out.detach().double())
        sums.append(torch.stack([slope.sum(0) for slope in slopes]))
    return torch.cat(outputs), torch.stack(sums).sum(0) / len(rows)
