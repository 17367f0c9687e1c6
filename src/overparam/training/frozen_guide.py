"""What a frozen guide makes of a minibatch: a similarity matrix of its rows for every layer.

The guide never changes, so that without augmentation its n x n matrix a layer can be computed once
for all training rows; that of a minibatch b is the part [b, b]. For many rows features are kept
instead, projected onto 512 random directions: inner products are right on average.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from overparam.training.layer_outputs import LayerOutputs
from overparam.training.similarity import (
    centred_features,
    check_rows,
    unit_cosines,
    unit_gram,
    unit_matrix,
    unit_rows,
)

Distance = Literal["cka", "rsa"]
Cache = Literal["auto", "gram"] | None

GRAM_ROWS = 5000  # 100 MB a layer; above, features are projected
GRAM_NUMBERS = 2**28  # of a layer's features on all rows: 1 GB
PROJECTED = 512
_BLOCK = 512  # rows through the guide at once
_COLUMNS = 4096  # of the projection, drawn at once


class FrozenGuide:
    """A guide in evaluation mode, without gradients, and what it said of the training rows.

    Parameters
    ----------
    guide : nn.Module
        Trained or not. In training mode it is switched to evaluation, with a warning.
    layers : sequence of str, optional
        See `LayerOutputs`.
    distance : {"cka", "rsa"}
        Gram matrices of centred features, or cosines of rows.
    cache : {"auto", "gram", None}
        What `remember` keeps: Gram matrices up to 5000 rows and projected features above, always
        Gram matrices, or nothing.
    noise : bool
        Show the guide random inputs instead of the data (a control).
    seed : int
        Of the noise and of the projection.
    """

    def __init__(
        self,
        guide: nn.Module,
        layers: Sequence[str] | None = None,
        distance: Distance = "cka",
        cache: Cache = "auto",
        noise: bool = False,
        seed: int = 0,
    ) -> None:
        if distance not in ("cka", "rsa"):
            raise ValueError(f"distance must be 'cka' or 'rsa'; got {distance!r}.")
        if cache not in ("auto", "gram", None):
            raise ValueError(f"cache must be 'auto', 'gram' or None; got {cache!r}.")
        if guide.training:
            warnings.warn(
                "guide is in training mode: switched to evaluation, as it must not change.",
                UserWarning,
                stacklevel=3,
            )
            guide.eval()
        self.guide = guide
        self.distance = distance
        self.cache = cache
        self.noise = noise
        self._seed = seed
        self._generator = torch.Generator().manual_seed(seed)
        self._outputs = LayerOutputs(guide, layers, "guide_layers")
        self._grams: dict[str, Tensor] = {}
        self._features: dict[str, Tensor] = {}

    @property
    def remembers(self) -> bool:
        """Whether `similarities` may be asked by row numbers."""
        return bool(self._grams or self._features)

    def remember(self, X: Tensor) -> FrozenGuide:
        """Run the guide on all training inputs X (n, ...), once.

        With `noise` each row's is drawn once, here. With `cache=None` nothing is done.
        """
        if self.cache is None:
            return self
        check_rows(len(X))
        blocks = range(0, len(X), _BLOCK)
        first = self._run(X[:_BLOCK])
        widest = max(A[0].numel() for A in first.values())
        small = len(X) <= GRAM_ROWS and len(X) * widest <= GRAM_NUMBERS
        whole = self.cache == "gram" or small
        kept: dict[str, list[Tensor]] = {name: [] for name in first}
        for start in blocks:
            found = self._run(X[start : start + _BLOCK]) if start else first
            for name, A in found.items():
                rows = A.flatten(1)
                if self.distance == "rsa":
                    rows = unit_rows(rows)
                kept[name].append(rows if whole else self._projected(rows))
        for name, parts in kept.items():
            A = torch.cat(parts)
            A = centred_features(A) if self.distance == "cka" else A
            if whole:
                self._grams[name] = A @ A.T
            else:
                self._features[name] = A
        return self

    def similarities(self, x: Tensor | None, index: Tensor | None = None) -> dict[str, Tensor]:
        """Layer -> matrix (B, B) of the minibatch x (B, ...), or of remembered rows `index` (B,).

        Centred, with norm 1 (0 where a layer does not vary).
        """
        if index is not None and self.remembers:
            check_rows(len(index))
            if self._grams:
                parts = {n: K.index_select(0, index)[:, index] for n, K in self._grams.items()}
            else:
                rows = {n: A.index_select(0, index) for n, A in self._features.items()}
                parts = {name: A @ A.T for name, A in rows.items()}
            unit: Callable[[Tensor], Tensor] = unit_gram if self.distance == "cka" else unit_matrix
            return {name: unit(K) for name, K in parts.items()}
        if x is None:
            raise ValueError("x must be the minibatch unless its rows are remembered; got None.")
        check_rows(len(x))
        found = {}
        for name, activation in self._run(x).items():
            if self.distance == "rsa":
                found[name] = unit_cosines(activation.flatten(1))
            else:
                A = centred_features(activation)
                found[name] = unit_gram(A @ A.T)
        return found

    def activations(self, x: Tensor) -> dict[str, Tensor]:
        """Layer -> output (B, ...) for inputs x (B, ...)."""
        return self._run(x)

    def close(self) -> None:
        """Remove the guide's hooks and forget what was remembered."""
        self._outputs.close()
        self._grams.clear()
        self._features.clear()

    @torch.no_grad()
    def _run(self, x: Tensor) -> dict[str, Tensor]:
        if self.noise:
            x = torch.randn(x.shape, generator=self._generator).to(x)
        if self.guide.training:
            self.guide.eval()
        self.guide(x)
        found = self._outputs.outputs()
        self._outputs.forget()
        return found

    def _projected(self, rows: Tensor) -> Tensor:
        """Rows (B, q) on at most 512 random directions, the same for every block of rows."""
        q = rows.shape[1]
        if q <= PROJECTED:
            return rows
        generator = torch.Generator().manual_seed(self._seed)
        out: Any = 0
        for start in range(0, q, _COLUMNS):
            part = rows[:, start : start + _COLUMNS]
            directions = torch.randn(part.shape[1], PROJECTED, generator=generator)
            out = out + part @ directions.to(part) / PROJECTED**0.5
        return out
