"""Snapshots: weights of an ensemble as they were after some epochs, kept and restored by value."""

from __future__ import annotations

from collections.abc import Container, Iterable

import torch

from overparam.training.callbacks import Callback, LiveStack
from overparam.training.ensemble import Ensemble
from overparam.training.stacked_state import StackedState


class Snapshots(Callback):
    """Keeps the weights of all members after chosen epochs: give it to `fit` among the callbacks.

    Parameters
    ----------
    ensemble : Ensemble
        The one that is fitted.
    epochs : iterable of int
        When; 0 is now. Members that do not reach an epoch keep in it the weights that the ensemble
        has meanwhile.

    Attributes
    ----------
    states : dict of int to StackedState
        The weights, by epoch; copies that training does not touch.
    """

    def __init__(self, ensemble: Ensemble, epochs: Iterable[int]) -> None:
        self._ensemble = ensemble
        self._epochs: Container[int] = frozenset(epochs)
        self.states: dict[int, StackedState] = {}
        if 0 in self._epochs:
            self.states[0] = self._copy()

    def after_epoch(self, stack: LiveStack) -> None:
        """See `Callback`."""
        if stack.epoch not in self._epochs:
            return
        if stack.epoch not in self.states:
            self.states[stack.epoch] = self._copy()
        kept = self.states[stack.epoch].tensors()
        index = torch.as_tensor(stack.members)
        for name, value in {**stack.parameters, **stack.buffers}.items():
            kept[name][index.to(value.device)] = value

    def restore(self, epoch: int) -> Ensemble:
        """The ensemble with the weights that it had after `epoch`.

        Raises
        ------
        ValueError
            If they were not kept.
        """
        if epoch not in self.states:
            raise ValueError(f"epoch must be one of {sorted(self.states)}; got {epoch!r}.")
        self._ensemble.state.put(list(range(len(self._ensemble))), self.states[epoch])
        return self._ensemble

    def _copy(self) -> StackedState:
        return self._ensemble.state.take(list(range(len(self._ensemble))))
