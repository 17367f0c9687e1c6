"""Rows of an image set, drawn by a seed and standardised, as several studies take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overparam.data.loading import load


class Images(NamedTuple):
    """Rows less one mean, over one deviation, flat; labels; as many classes as the set has."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    k: int

    def tensors(self) -> ImageTensors:
        """The same rows for torch."""
        X, y, X_test, y_test = (torch.as_tensor(part) for part in self[:4])
        return ImageTensors(X, y, X_test, y_test, self.k)


class ImageTensors(NamedTuple):
    """As `Images`."""

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor
    k: int


def images(source: str, n: int, seed: int, test: int = 0) -> Images:
    """n rows drawn by the seed, and `test` others: from the set's own test part, if it has one."""
    data = load(source)
    assert data.array is not None
    rng = np.random.default_rng(seed)
    held = np.zeros(0, dtype=int) if data.test_rows is None else data.test_rows
    order = rng.permutation(np.setdiff1d(np.arange(data.n), held))
    others = rng.permutation(held) if len(held) else order[n:]
    rows = np.r_[order[:n], others[:test]]
    X = data.array[rows].reshape(len(rows), -1).astype(np.float32)
    X = (X - X[:n].mean()) / X[:n].std()
    return Images(X[:n], data.y[rows[:n]], X[n:], data.y[rows[n:]], len(data.classes))
