"""Callbacks: code that sees, and may change, the stacked state during training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass
class LiveStack:
    """The members that train together now, as a callback sees them.

    Attributes
    ----------
    members : ndarray of shape (G,), int
        Their positions in the ensemble: one at a time under `plan="loop"`. Members that diverged
        are left out; members that stopped early leave when they are half of the stack.
    parameters, gradients : dict of str to Tensor of shape (G, ...)
        Live views: writing into them changes the training.
    buffers : dict of str to Tensor of shape (G, ...)
        Buffers and frozen parameters, live.
    step, epoch : int
        Updates and epochs done so far.
    loss : Tensor of shape (G,)
        Loss of the last minibatch.
    rows : Tensor of shape (G, B), int64
        Rows of the training data in that minibatch.
    hits : Tensor of shape (G, B)
        Whether each was right before the update; NaN where targets are not classes.
    """

    members: np.ndarray
    parameters: dict[str, Tensor]
    gradients: dict[str, Tensor]
    buffers: dict[str, Tensor]
    step: int
    epoch: int
    loss: Tensor
    rows: Tensor
    hits: Tensor


class Callback:
    """Override what you need; every hook gets a `LiveStack` and runs without autograd."""

    def before_update(self, stack: LiveStack) -> None:
        """The gradients of a minibatch are ready (clip, add noise, mask)."""

    def after_update(self, stack: LiveStack) -> None:
        """The parameters have moved (project, prune, record)."""

    def after_epoch(self, stack: LiveStack) -> None:
        """An epoch has ended (measure)."""
