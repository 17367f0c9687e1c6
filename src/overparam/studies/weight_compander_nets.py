"""Perceptrons with batch normalisation, plain and companded, whose members run as one stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from overparam.nets.companding import compand, compander_rate_factors
from overparam.nets.init import critical_
from overparam.nets.seeding import seeded

# How the weights are companded; heights and scales in units of the initial deviation.
ARMS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "a=b=0.25": {"a": 0.25, "b": 0.25, "learnable": False},
    "a=b=0.5": {"a": 0.5, "b": 0.5, "learnable": False},
    "a=b=1": {"a": 1.0, "b": 1.0, "learnable": False},
    "a=b=2": {"a": 2.0, "b": 2.0, "learnable": False},
    "a=b=3": {"a": 3.0, "b": 3.0, "learnable": False},
    "a=2, b=1": {"a": 2.0, "b": 1.0, "learnable": False},
    "learnt from 0.5": {"a": 0.5, "b": 0.5},
    "learnt from 1": {"a": 1.0, "b": 1.0},
    "all learnt from 1": {"a": 1.0, "b": 1.0, "learn_last": True},
}


class NormedPerceptron(nn.Module):
    """ReLU perceptron with BatchNorm after every hidden linear map, and dropout after the ReLU.

    Its stacked forward pass is for training: it normalises by the batch and keeps no statistics.
    `settle_` takes them afterwards from one pass over the training rows.

    Parameters
    ----------
    n_features, n_outputs : int
    widths : sequence of int
    dropout : float
    normalised : bool
        Whether there is BatchNorm at all.
    seed : int
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        widths: Sequence[int],
        dropout: float = 0.0,
        normalised: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.dropout, self.mask_units = float(dropout), sum(widths) if dropout else 0
        self.widths = tuple(widths)
        sizes = [n_features, *widths, n_outputs]
        with seeded(seed):
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(w) for w in widths if normalised)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of rows (B, n_features)."""
        h = x
        for index in range(len(self.widths)):
            z = self.layers[index](h)
            u = self.norms[index](z) if self.norms else z
            h = nn.functional.dropout(torch.relu(u), self.dropout, self.training)
        return self.layers[-1](h)

    def stacked_forward(
        self, state: Mapping[str, Tensor], x: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        """Logits (M, B, n_outputs) of M members; see `nets.stackable.Stackable`."""
        h, start = x, 0
        for index, width in enumerate(self.widths):
            h = torch.relu(self._normal(state, index, _affine(state, index, h)))
            if masks is not None:
                h = h * masks[..., start : start + width]
            start += width
        return _affine(state, len(self.widths), h)

    def _normal(self, state: Mapping[str, Tensor], index: int, z: Tensor) -> Tensor:
        if not self.norms:
            return z
        members, rows, width = z.shape
        units = z.transpose(0, 1).reshape(rows, members * width)  # all members' in one call
        scale, shift = (state[f"norms.{index}.{leaf}"].flatten() for leaf in ("weight", "bias"))
        u = nn.functional.batch_norm(units, None, None, scale, shift, training=True)
        return u.view(rows, members, width).transpose(0, 1)

    @torch.no_grad()
    def settle_(self, X: Tensor) -> NormedPerceptron:
        """Take the statistics of BatchNorm from all rows of X at once."""
        self.eval()
        h = X
        for index in range(len(self.widths)):
            z = self.layers[index](h)
            if self.norms:
                norm = self.norms[index]
                assert isinstance(norm, nn.BatchNorm1d)
                assert norm.running_mean is not None
                assert norm.running_var is not None
                assert isinstance(norm, nn.BatchNorm1d)
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.running_mean.copy_(z.mean(0))
                norm.running_var.copy_(z.var(0, correction=0))
                z = norm(z)
            h = torch.relu(z)
        return self


def _affine(state: Mapping[str, Tensor], index: int, h: Tensor) -> Tensor:
    weight, bias = state[f"layers.{index}.weight"], state[f"layers.{index}.bias"]
    return torch.baddbmm(bias.unsqueeze(1), h, weight.transpose(1, 2))


def factory(
    arm: str, widths: Sequence[int], dropout: float = 0.0, normalised: bool = True
) -> Callable[[int, int, int], NormedPerceptron]:
    """A module factory: weights N(0, 2 / fan-in), no biases at first, companded by the arm."""
    shape = ARMS[arm]

    def build(d: int, k: int, seed: int) -> NormedPerceptron:
        net = NormedPerceptron(d, k, widths, dropout, normalised, seed)
        critical_(net, "relu", torch.Generator().manual_seed(seed))
        return net if shape is None else compand(net, init="raw", lr_scale=1.0, **shape)

    return build


def shape_factors(net: nn.Module) -> tuple[dict[str, float], dict[str, float]]:
    """Factors on rate and decay of log a and log b: the net's rate, a tenth in the last layer."""
    rates = compander_rate_factors(net)
    last = f"layers.{len(net.widths)}."  # type: ignore[arg-type]
    rates = {name: 0.1 if name.startswith(last) else rate for name, rate in rates.items()}
    return rates, dict.fromkeys(rates, 0.0)
