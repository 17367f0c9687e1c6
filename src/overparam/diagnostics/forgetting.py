"""Forgetting: how often a row that was right is wrong when it comes again (Toneva et al. 2019).

An event is "correct at the previous presentation, wrong at this one", counted on the training
minibatches themselves. It is the baseline of arXiv 2107.07075 and needs the whole run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.diagnostics.probability_inputs import as_array
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.run_history import RunHistory
from overparam.training.training_data import as_counts


class ForgettingTracker(Callback):
    """Counts forgetting events: among the callbacks of `Ensemble.fit`, or by `update` in a loop.

    Parameters
    ----------
    n : int
        Rows of the training data.
    n_members : int, optional
        Members of the ensemble; None for one network, whose counts then have no member axis.

    Attributes
    ----------
    counts_ : ndarray of shape (n,) or (M, n)
        Events of each row; infinity where it was never right.
    never_learnt_ : ndarray of the same shape, bool
    history : RunHistory
        After each epoch of an ensemble, as means over all rows: "forgetting_events" so far, and the
        share "ever_right".

    Raises
    ------
    ValueError
        If a count is below 1.

    Examples
    --------
    >>> tracker = ForgettingTracker(3)
    >>> for correct in ([True, True, False], [False, True, False], [True, True, False]):
    ...     tracker.update([0, 1, 2], correct)
    >>> tracker.counts_
    array([ 1.,  0., inf])
    """

    def __init__(self, n: int, n_members: int | None = None) -> None:
        as_counts(n=n, n_members=n_members)
        shape = (n_members or 1, n)
        self._single = n_members is None
        self._events = np.zeros(shape, dtype=np.int64)
        self._right = np.zeros(shape, dtype=bool)  # at the last presentation
        self._ever = np.zeros(shape, dtype=bool)
        self.history = RunHistory()

    @property
    def counts_(self) -> np.ndarray:
        """Events of each row; infinity where it was never right."""
        return self._shaped(np.where(self._ever, self._events, np.inf))

    @property
    def never_learnt_(self) -> np.ndarray:
        """Rows that were never right."""
        return self._shaped(~self._ever)

    def update(self, indices: Any, correct: Any, member: int = 0) -> None:
        """A minibatch was seen: which rows, and whether each was right before the update.

        Parameters
        ----------
        indices : array of shape (B,), int
            Rows; one that occurs twice counts once.
        correct : array of shape (B,), bool
        member : int

        Raises
        ------
        ValueError
            If the two differ in shape or a row lies outside 0..n-1.
        """
        rows, right = as_array(indices), as_array(correct)
        if rows.shape != right.shape or rows.ndim != 1:
            raise ValueError(
                f"correct must have one entry for each of indices, shape ({len(rows)},); "
                f"got shape {right.shape}."
            )
        n = self._events.shape[1]
        if len(rows) and (rows.min() < 0 or rows.max() >= n):
            raise ValueError(
                f"indices must be rows 0..{n - 1}; got values from {rows.min()} to {rows.max()}."
            )
        self._count(np.array([member]), rows[None], right[None].astype(bool))

    def after_update(self, stack: LiveStack) -> None:
        """See `Callback`."""
        self._count(stack.members, as_array(stack.rows), as_array(stack.hits).astype(bool))

    def after_epoch(self, stack: LiveStack) -> None:
        """See `Callback`."""
        at = stack.members
        figures = {
            "forgetting_events": self._events[at].mean(axis=1),
            "ever_right": self._ever[at].mean(axis=1),
        }
        n = self._events.shape[1]
        self.history.add(
            stack.step, figures, split="minibatches", epoch=stack.epoch, members=at, rows=n
        )

    def _count(self, members: np.ndarray, rows: np.ndarray, right: np.ndarray) -> None:
        at = (members[:, None], rows)
        self._events[at] += self._right[at] & ~right  # a row that occurs twice is written twice
        self._right[at] = right
        self._ever[at] |= right

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[0] if self._single else values
