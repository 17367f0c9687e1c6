"""Data with a known answer."""

from __future__ import annotations

import numpy as np
import polars as pl


def blobs(
    n: int, d: int, *, classes: int = 2, distance: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit Gaussians around centres that are `distance` apart."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    centres = np.eye(classes, d) * distance / np.sqrt(2)
    return (centres[y] + rng.standard_normal((n, d))).astype(np.float32), y


def flipped(y: np.ndarray, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is moved to another class, and which those are."""
    rng = np.random.default_rng(seed)
    k = int(y.max()) + 1
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.permutation(len(y))[: round(share * len(y))]] = True
    return np.where(wrong, (y + rng.integers(1, k, len(y))) % k, y), wrong


def mixed_rows(n: int = 180, seed: int = 0) -> pl.DataFrame:
    """A table of cats and dogs: numbers, a category, missing values, every 30th label missing."""
    rng = np.random.default_rng(seed)
    dog = rng.permutation(np.arange(n) % 2).astype(bool)
    weight = np.where(dog, 20, 4) + 4 * rng.standard_normal(n)
    return pl.DataFrame(
        {
            "weight": [None if i % 17 == 0 else float(w) for i, w in enumerate(weight)],
            "age": rng.integers(1, 15, n),
            "colour": rng.choice(["black", "white", "grey"], n),
            "kind": [None if i % 30 == 7 else "dog" if d else "cat" for i, d in enumerate(dog)],
        }
    )
