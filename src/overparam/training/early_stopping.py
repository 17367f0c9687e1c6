"""Early stopping, each member by its own validation loss."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.training.stacked_state import StackedState


class EarlyStopping:
    """Keeps each member's best weights and says who has stopped.

    Parameters
    ----------
    state : StackedState
        The members at the start; their weights count as best until an epoch is better.
    patience : int
        Epochs without a lower validation loss after which a member stops.
    """

    def __init__(self, state: StackedState, patience: int) -> None:
        members = len(state)
        self._patience = patience
        self.best = state.take(list(range(members)))
        self.best_epoch = torch.full((members,), -1)
        self.stopped = torch.zeros(members, dtype=torch.bool)
        self._lowest = torch.full((members,), float("inf"), dtype=torch.float64)

    def update(self, state: StackedState, epoch: int, losses: Tensor) -> Tensor:
        """Take an epoch's validation losses (G,); returns who stops now (G,), bool."""
        losses = losses.to("cpu", torch.float64)
        better = (losses < self._lowest) & ~self.stopped
        rows = better.nonzero().flatten().tolist()
        if rows:
            self.best.put(rows, state.take(rows))
            self._lowest[better] = losses[better]
            self.best_epoch[better] = epoch
        now = (epoch - self.best_epoch >= self._patience) & ~self.stopped
        self.stopped |= now
        return now

    def keep(self, rows: list[int]) -> None:
        """Go on with some members."""
        self.best = self.best.take(rows)
        self.best_epoch = self.best_epoch[rows]
        self.stopped = self.stopped[rows]
        self._lowest = self._lowest[rows]
