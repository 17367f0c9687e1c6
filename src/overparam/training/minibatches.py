"""Minibatches: an endless stream of shuffled passes over a member's rows, cut into equal batches.

Every batch has the same size (a batch may straddle two passes), so that M members stay in step and
BatchNorm sees no short batch. A member draws from its support alone: rows of weight 0 cost nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.training.member_generators import member_generator


class MinibatchStream:
    """The row numbers that one member trains on.

    Parameters
    ----------
    seed : int
        The member's seed; the stream depends on it and on `support` only.
    support : Tensor of shape (n,), int64
        Rows to draw from, ascending.

    Examples
    --------
    >>> stream = MinibatchStream(0, torch.arange(4))
    >>> sorted(stream.take(4).tolist())
    [0, 1, 2, 3]
    """

    def __init__(self, seed: int, support: Tensor) -> None:
        self._support = support
        self._everything = int(support[-1]) == len(support) - 1  # ascending: then 0, 1, 2, ...
        self._generator = member_generator(seed, "minibatches")
        self._pending = support[:0]

    def take(self, count: int) -> Tensor:
        """The next `count` row numbers; a full pass ends before a row comes again."""
        size = len(self._support)
        have = len(self._pending)
        parts = [self._pending] if have else []
        while have < count:
            order = torch.randperm(size, generator=self._generator)
            parts.append(order if self._everything else self._support[order])
            have += size
        rows = torch.cat(parts) if len(parts) > 1 else parts[0]
        self._pending = rows[count:]
        return rows[:count]


def draw_block(streams: list[MinibatchStream], steps: int, batch_size: int) -> Tensor:
    """Row numbers (steps, M, batch_size) of the next `steps` minibatches of M streams."""
    rows = torch.stack([stream.take(steps * batch_size) for stream in streams])
    return rows.view(len(streams), steps, batch_size).transpose(0, 1).contiguous()
