"""Embeddings of numbers: each column becomes a small vector before columns are mixed.

    periodic     e = [x, W cos(2 pi f x + b) + c]      frequencies f and phases b are learned
    piecewise    e = [x, W q(x) + c]                   q_t = clip((x - b_t) / (b_{t+1} - b_t), 0, 1)

A plain network fits smooth functions of a column first; embeddings make steps and waves easy
(Gorishniy, Rubachev & Babenko 2022). The raw number is kept beside them. Each class works on
stacked state: x is (M, B, D), and every tensor of `state` has a leading member axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class PeriodicEmbedding(nn.Module):
    """Learned cosines of each column.

    Parameters
    ----------
    n_columns : int
    width : int
        Numbers that a column becomes, its own value included; >= 2.
    frequencies : int
        Cosines a column.
    frequency_scale : float
        Standard deviation of the initial frequencies, in turns per unit of a scaled column.
    """

    def __init__(
        self, n_columns: int, width: int = 8, frequencies: int = 16, frequency_scale: float = 0.3
    ) -> None:
        super().__init__()
        self.frequency = nn.Parameter(frequency_scale * torch.randn(n_columns, frequencies))
        self.phase = nn.Parameter(math.pi * (2 * torch.rand(n_columns, frequencies) - 1))
        bound = 1 / math.sqrt(frequencies)
        self.weight = nn.Parameter(bound * (2 * torch.rand(n_columns, frequencies, width - 1) - 1))
        self.bias = nn.Parameter(torch.zeros(n_columns, width - 1))

    def fit(self, X: Any) -> None:
        """Nothing to take from the data."""

    def stacked_forward(self, state: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Embeddings (M, B, D, width) of numbers (M, B, D)."""
        turns = x.unsqueeze(-1) * state["frequency"].unsqueeze(1)
        waves = torch.cos(2 * math.pi * turns + state["phase"].unsqueeze(1))
        return _joined(x, waves, state)


class PiecewiseEmbedding(nn.Module):
    """Linear inside bins whose edges are quantiles of the column.

    Parameters
    ----------
    n_columns : int
    width : int
        Numbers that a column becomes, its own value included; >= 2.
    bins : int
        Bins a column; edges that coincide (repeated values) make empty bins.
    """

    edges: Tensor

    def __init__(self, n_columns: int, width: int = 8, bins: int = 16) -> None:
        super().__init__()
        self.bins = bins
        edges = torch.linspace(-3, 3, bins + 1).repeat(n_columns, 1)
        self.register_buffer("edges", edges)
        bound = 1 / math.sqrt(bins)
        self.weight = nn.Parameter(bound * (2 * torch.rand(n_columns, bins, width - 1) - 1))
        self.bias = nn.Parameter(torch.zeros(n_columns, width - 1))

    def fit(self, X: Any) -> None:
        """Take the edges from scaled rows (n, D)."""
        edges = np.quantile(np.asarray(X), np.linspace(0, 1, self.bins + 1), axis=0).T
        self.edges.copy_(torch.as_tensor(edges))

    def stacked_forward(self, state: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Embeddings (M, B, D, width) of numbers (M, B, D)."""
        low = state["edges"][:, None, :, :-1]
        size = state["edges"].diff(dim=-1).unsqueeze(1)
        # In an empty bin the code is a step at the edge, which the clamp makes of a large slope.
        codes = ((x.unsqueeze(-1) - low) / size.clamp(min=1e-6)).clamp(0, 1)
        return _joined(x, codes, state)


def _joined(x: Tensor, codes: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """[x, W codes + c] for each column: codes (M, B, D, F), W (M, D, F, width - 1)."""
    mixed = torch.einsum("mbdf,mdfe->mbde", codes, state["weight"]) + state["bias"].unsqueeze(1)
    return torch.cat([x.unsqueeze(-1), mixed], -1)
