"""Images as float32 arrays, channels first, standardised by channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_BLOCK = 4096  # images converted at a time: memory beyond the result stays small


class ImageScaling:
    """Scale pixels to [0, 1], then to mean 0 and deviation 1 in each channel.

    The range is 0 to 255 for bytes, else the smallest and largest training value. Means and
    deviations are those of the training images.
    """

    def fit(self, images: np.ndarray) -> ImageScaling:
        """Learn from training images (n, H, W) or (n, H, W, C)."""
        self.low, self.high = 0.0, 255.0
        if images.dtype != np.uint8:
            self.low, self.high = float(images.min()), float(images.max())
        if self.high <= self.low:
            self.high = self.low + 1
        n_channels = images.shape[3] if images.ndim == 4 else 1
        total, squares, count = np.zeros(n_channels), np.zeros(n_channels), 0
        for block in _blocks(images):
            unit = self._unit(block)
            total += unit.sum(axis=(0, 2, 3), dtype=np.float64)
            squares += np.square(unit).sum(axis=(0, 2, 3), dtype=np.float64)
            count += unit[:, 0].size
        self.mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - self.mean**2, 0))
        self.deviation = np.where(deviation > 1e-6, deviation, 1.0)
        return self

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return (n, C, H, W) float32."""
        height, width = images.shape[1:3]
        X = np.empty((len(images), len(self.mean), height, width), np.float32)
        mean = self.mean.astype(np.float32)[:, None, None]
        deviation = self.deviation.astype(np.float32)[:, None, None]
        for i, block in enumerate(_blocks(images)):
            X[i * _BLOCK : (i + 1) * _BLOCK] = (self._unit(block) - mean) / deviation
        return X

    def _unit(self, block: np.ndarray) -> np.ndarray:
        channels_first = block[:, None] if block.ndim == 3 else np.moveaxis(block, 3, 1)
        unit = channels_first.astype(np.float32)
        unit -= np.float32(self.low)
        unit /= np.float32(self.high - self.low)
        return unit

    def state(self) -> dict[str, Any]:
        """All that is learnt, as plain data."""
        return {
            "low": self.low,
            "high": self.high,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> ImageScaling:
        """Read what `state` gave."""
        scaling = cls()
        scaling.low, scaling.high = state["low"], state["high"]
        scaling.mean = np.array(state["mean"])
        scaling.deviation = np.array(state["deviation"])
        return scaling


def _blocks(images: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(images), _BLOCK):
        yield images[start : start + _BLOCK]
