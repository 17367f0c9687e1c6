"""What a training run recorded, member by member and epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.training.run_history import RunHistory


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
    steps, steps_per_epoch : int
        Updates of a member that trained to the end, and between two entries of a curve.
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
    steps_per_epoch: int = 1

    @classmethod
    def empty(cls, members: int, epochs: int, steps: int, steps_per_epoch: int = 1) -> History:
        """A history with nothing recorded yet."""

        def curve() -> np.ndarray:
            return np.full((members, epochs), np.nan)

        def count() -> np.ndarray:
            return np.zeros(members, dtype=int)

        curves = curve(), curve(), curve(), curve()
        return cls(*curves, count(), count(), steps, 0.0, steps_per_epoch)

    def as_run_history(self) -> RunHistory:
        """The curves in the form that diagnostics read, whoever trained.

        The means over minibatches are those of split "minibatches", the others of split
        "validation".
        """
        history = RunHistory()
        for epoch in range(self.loss.shape[1]):
            step = min((epoch + 1) * self.steps_per_epoch, self.steps)
            for split, loss, accuracy in (
                ("minibatches", self.loss, self.accuracy),
                ("validation", self.validation_loss, self.validation_accuracy),
            ):
                at_end = {"loss": loss[:, epoch], "accuracy": accuracy[:, epoch]}
                history.add(step, at_end, split=split, epoch=epoch + 1)
        return history
