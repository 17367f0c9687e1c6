"""Data with a known answer."""

from __future__ import annotations

import numpy as np


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
