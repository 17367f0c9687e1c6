"""Dropout masks that a member draws from its own stream, whoever its neighbours are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overparam.training.member_generators import stream_seed

_LEVELS = 2**16  # 16 random bits a unit: a quarter of the time of a Bernoulli draw in PyTorch


class DropoutMasks:
    """Masks for the hidden units of M members.

    Parameters
    ----------
    seeds : sequence of int
        One a member.
    units : int
        Entries of a mask that one example needs.
    rate : float
        Probability in [0, 1) that a unit is dropped, taken to the nearest 1/65536.
    """

    def __init__(self, seeds: list[int], units: int, rate: float) -> None:
        self._streams = [
            np.random.Generator(np.random.SFC64(stream_seed(seed, "masks"))) for seed in seeds
        ]
        self._units = units
        self._kept = max(1, round((1.0 - rate) * _LEVELS))

    def draw(self, batch_size: int, like: Tensor) -> Tensor:
        """The next masks (M, batch_size, units), 0 or 1 / (1 - rate), of dtype and device."""
        size = (batch_size, self._units)
        kept = np.empty((len(self._streams), *size), dtype=bool)
        for row, stream in zip(kept, self._streams, strict=True):
            np.less(stream.integers(0, _LEVELS, size, dtype=np.uint16), self._kept, out=row)
        return torch.from_numpy(kept).to(like).mul_(_LEVELS / self._kept)

    def keep(self, rows: list[int]) -> None:
        """Go on with some members."""
        self._streams = [self._streams[i] for i in rows]
