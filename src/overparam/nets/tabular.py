"""A strong network for tables: scaled and embedded columns, then residual blocks.

What recent comparisons of tabular networks agree on: numbers scaled robustly and clipped smoothly
(RealMLP, Holzmueller et al. 2024), numbers embedded column by column (Gorishniy et al. 2022), small
learned vectors for categories, and a residual network with normalisation before each block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.nets.number_embeddings import PeriodicEmbedding, PiecewiseEmbedding
from overparam.nets.robust_scaling import SmoothRobustScaling, scaled
from overparam.nets.seeding import seeded

EMBEDDINGS = ("piecewise", "periodic", None)

_EPS = 1e-5
_QUANTILE_ROWS = 10_000


class TabularNet(nn.Module):
    """Residual network over embedded columns.

    Parameters
    ----------
    n_features, n_outputs : int
    categorical : sequence of int
        Columns that hold category codes: whole numbers, 0 for unknown.
    cardinalities : sequence of int
        Number of codes of each of them; a code outside 0 .. cardinality - 1 counts as unknown.
    embedding : {"piecewise", "periodic"} or None
        Embedding of numbers; None feeds the scaled numbers themselves.
    width, depth : int
        Width of the residual stream and number of blocks.
    dropout : float
        Probability in [0, 1) that a hidden unit of a block is dropped in training.
    category_width, number_width : int
        Length of a category's vector and of an embedded number.
    seed : int
        Initial weights depend on it alone.

    Raises
    ------
    ValueError
        If columns or cardinalities do not fit, or an option is not one of those listed.

    Notes
    -----
    Call `fit_scaling` with the training rows before training.

    Examples
    --------
    >>> net = TabularNet(3, 2, categorical=(1,), cardinalities=(5,), seed=0)
    >>> net.fit_scaling([[0.1, 4, 7], [0.3, 1, 9], [0.2, 2, 5]])(torch.zeros(6, 3)).shape
    torch.Size([6, 2])
    """

    offsets: Tensor
    limits: Tensor

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        categorical: Sequence[int] = (),
        cardinalities: Sequence[int] = (),
        embedding: str | None = "piecewise",
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.0,
        category_width: int = 8,
        number_width: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check(n_features, categorical, cardinalities, embedding, dropout)
        self.categorical = tuple(categorical)
        self.numeric = tuple(i for i in range(n_features) if i not in set(categorical))
        self.depth = depth
        self.dropout = float(dropout)
        self.mask_units = depth * width if dropout else 0
        self.width = width
        sizes = torch.tensor(list(cardinalities), dtype=torch.long)
        self.register_buffer("offsets", sizes.cumsum(0) - sizes)
        self.register_buffer("limits", sizes)
        numbers = len(self.numeric)
        with seeded(seed):
            self.scaling = SmoothRobustScaling(numbers)
            self.embedding: PeriodicEmbedding | PiecewiseEmbedding | None = None
            if embedding is not None and numbers:
                kind = PeriodicEmbedding if embedding == "periodic" else PiecewiseEmbedding
                self.embedding = kind(numbers, number_width)
            if categorical:
                table = torch.randn(int(sizes.sum()), category_width) / math.sqrt(category_width)
                table[self.offsets] = 0.0  # unknown: neutral until the data say otherwise
                self.categories = nn.Parameter(table)
            each = number_width if self.embedding is not None else 1
            self.entry = nn.Linear(numbers * each + len(categorical) * category_width, width)
            self.norms = nn.ModuleList(nn.LayerNorm(width, eps=_EPS) for _ in range(depth + 1))
            self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.outer = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.activation = nn.SiLU()
            self.head = nn.Linear(width, n_outputs)

    def fit_scaling(self, X: Any) -> TabularNet:
        """Take scales, and the bins of piecewise embeddings, from training rows (n, n_features).

        Quantiles come from at most 10,000 evenly spaced rows, so that many members cost little.
        """
        rows = np.asarray(X)
        rows = rows[:: math.ceil(len(rows) / _QUANTILE_ROWS)]
        numbers = rows[:, list(self.numeric)].astype(np.float64)
        if numbers.size:
            self.scaling.fit(numbers)
            if self.embedding is not None:
                like = self.scaling.center
                self.embedding.fit(self.scaling(torch.as_tensor(numbers).to(like)).cpu().numpy())
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of rows (B, n_features)."""
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        state = {name: value.unsqueeze(0) for name, value in tensors.items()}
        # Layer by layer, so that hooks on layers see what passes.
        h = self.entry(self._columns(state, x.unsqueeze(0))[0])
        for norm, inner, outer in zip(self.norms, self.inner, self.outer, strict=False):
            u = self.activation(inner(norm(h)))
            h = h + outer(nn.functional.dropout(u, self.dropout, self.training))
        return self.head(self.norms[-1](h))

    def stacked_forward(
        self, state: Mapping[str, Tensor], x: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        """Logits (M, B, n_outputs) of M members; see `nets.stackable.Stackable`."""
        h = _affine(state, "entry", self._columns(state, x))
        for index in range(self.depth):
            u = torch.nn.functional.silu(
                _affine(state, f"inner.{index}", _normal(state, f"norms.{index}", h))
            )
            if masks is not None:
                u = u * masks[..., index * self.width : (index + 1) * self.width]
            h = h + _affine(state, f"outer.{index}", u)
        return _affine(state, "head", _normal(state, f"norms.{self.depth}", h))

    def _columns(self, state: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """All columns as one vector an example: (M, B, entry's inputs)."""
        parts = []
        if self.numeric:
            center, spread = state["scaling.center"], state["scaling.spread"]
            numbers = scaled(x[..., list(self.numeric)], center.unsqueeze(1), spread.unsqueeze(1))
            if self.embedding is not None:
                own = {
                    name.removeprefix("embedding."): value
                    for name, value in state.items()
                    if name.startswith("embedding.")
                }
                numbers = self.embedding.stacked_forward(own, numbers).flatten(2)
            parts.append(numbers)
        if self.categorical:
            codes = x[..., list(self.categorical)].long()
            known = (codes >= 0) & (codes < state["limits"].unsqueeze(1))
            rows = torch.where(known, codes, 0) + state["offsets"].unsqueeze(1)
            table = state["categories"]
            # One table of all members, so that one look-up serves them all.
            rows = (
                rows + (torch.arange(len(table), device=x.device) * table.shape[1])[:, None, None]
            )
            parts.append(nn.functional.embedding(rows, table.flatten(0, 1)).flatten(2))
        return torch.cat(parts, -1)


def _affine(state: Mapping[str, Tensor], name: str, h: Tensor) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.baddbmm(bias.unsqueeze(1), h, weight.transpose(1, 2))


def _normal(state: Mapping[str, Tensor], name: str, h: Tensor) -> Tensor:
    normal = nn.functional.layer_norm(h, h.shape[-1:], eps=_EPS)
    scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.addcmul(shift.unsqueeze(1), normal, scale.unsqueeze(1))


def _check(
    n_features: int,
    categorical: Sequence[int],
    cardinalities: Sequence[int],
    embedding: str | None,
    dropout: float,
) -> None:
    if len(cardinalities) != len(categorical):
        raise ValueError(
            "cardinalities must have one entry per categorical column; "
            f"got {len(cardinalities)} for {len(categorical)} columns."
        )
    if any(not 0 <= i < n_features for i in categorical) or len(set(categorical)) < len(
        categorical
    ):
        raise ValueError(
            f"categorical must be distinct columns in 0 .. {n_features - 1}; "
            f"got {tuple(categorical)}."
        )
    if any(size < 1 for size in cardinalities):
        raise ValueError(f"cardinalities must be integers >= 1; got {tuple(cardinalities)}.")
    if embedding not in EMBEDDINGS:
        raise ValueError(f"embedding must be one of {list(EMBEDDINGS)}; got {embedding!r}.")
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be in [0, 1); got {dropout!r}.")
