"""What a training run recorded, member by member and epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class History:
    """Curves of M members over E epochs; NaN where a member had stopped or diverged.

    Attributes
    ----------
    loss, accuracy : ndarray of shape (M, E)
        Means over the minibatches of an epoch, taken before each update (with weights and
        transformed batches as trained on). Accuracy is NaN where targets are not classes.
    validation_loss, validation_accuracy : ndarray of shape (M, E)
        After each epoch; NaN without validation data.
    best_epoch : ndarray of shape (M,), int
        Epoch (from 0) whose weights were kept: the lowest validation loss under early stopping,
        else the last one that the member trained.
    stopped_epoch : ndarray of shape (M,), int
        Number of epochs that the member trained.
    steps : int
        Updates of a member that trained to the end.
    seconds : float
        Wall time of the run.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    best_epoch: np.ndarray
    stopped_epoch: np.ndarray
    steps: int
    seconds: float

    @classmethod
    def empty(cls, members: int, epochs: int, steps: int) -> History:
        """A history with nothing recorded yet."""

        def curve() -> np.ndarray:
            return np.full((members, epochs), np.nan)

        def count() -> np.ndarray:
            return np.zeros(members, dtype=int)

        return cls(curve(), curve(), curve(), curve(), count(), count(), steps, seconds=0.0)
