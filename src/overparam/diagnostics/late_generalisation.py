"""Grokking, or its reverse: does a network generalise after it has fit its labels, or before?

From curves of train accuracy (of the labels as given, wrong ones too) and test accuracy alone,
whoever trained. The definitions are those of our page on arXiv 2310.02541, where a network fits all
labels in one step and generalises later; on data with little noise in few dimensions the order is
the reverse, and what is learnt after the clean labels is the noise.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from overparam.diagnostics.recording import EnsembleRecorder, Rows
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import LogSpaced, RunHistory

FIT = 0.99  # train accuracy from which the labels count as fit
REACHED = 0.95  # of the way from the fit to the best
LATE = 2.0  # times the step of the fit
GAIN, DROP = 0.05, 0.01  # smaller changes would not change what one does
ERRORS = 3.0  # standard errors


@dataclass(frozen=True)
class Grokking:
    """What the curves of a run show.

    Attributes
    ----------
    fit_step : int or None
        First step with train accuracy >= 0.99; None if the labels are never fit.
    generalise_step : int or None
        First step at which test accuracy has made 95 % of the way from its value at `fit_step` to
        its best after it; None where that gain is not more than 0.05 and 3 standard errors.
    ratio : float
        generalise_step / max(fit_step, 1); NaN if either is missing.
    gain : float
        Best test accuracy after `fit_step` minus that at it; 0 if the labels are never fit.
    drop : float
        Best test accuracy up to `fit_step` (of the whole run, if the labels are never fit) minus
        that at the end.
    best_step : int
        Where that best one is: where to stop, if the verdict is "late harm".
    verdict : str
        "grokking" (a gain, at twice the step of the fit or later), "late harm" (a drop of more than
        0.01 and 3 standard errors), else "no late generalisation".
    """

    fit_step: int | None
    generalise_step: int | None
    ratio: float
    gain: float
    drop: float
    best_step: int
    verdict: Literal["grokking", "late harm", "no late generalisation"]

    @property
    def headline(self) -> str:
        """What to do, in a sentence."""
        if self.verdict == "grokking":
            return (
                f"Still at memorisation at step {self.fit_step}: test accuracy has been rising "
                "since the fit, train on."
            )
        if self.verdict == "late harm":
            return (
                "Late harm: the net generalised first and now memorises noise, stop at step "
                f"{self.best_step}."
            )
        return "No late generalisation seen."


def grokking_watch(
    history: RunHistory | Any,
    test_accuracy: Any = None,
    steps: Any = None,
    *,
    n_test: int | None = None,
    member: int | None = None,
    splits: tuple[str, str] = ("train", "test"),
) -> Grokking:
    """Look for late generalisation in the accuracies of any training run.

    Parameters
    ----------
    history : RunHistory or array-like (T,)
        What was recorded (quantity "accuracy"), or the curve of train accuracy.
    test_accuracy : array-like (T,), optional
        Beside a curve of train accuracy.
    steps : array-like (T,), optional
        Of plain curves, ascending; 0, 1, 2, ... by default. Log-spaced ones serve well.
    n_test : int, optional
        Rows behind the test accuracy; a history may know them itself.
    member : int, optional
        Of a history; by default the mean of its members is looked at.
    splits : (str, str)
        What a history calls the training and the test rows.

    Returns
    -------
    Grokking

    Raises
    ------
    ValueError
        If curves are empty or of unequal length, accuracies do not lie in [0, 1], steps do not
        ascend, or the number of test rows is unknown.

    Notes
    -----
    The standard error of an accuracy is sqrt(a (1 - a) / n_test), of the two compared the larger
    one: both are measured on the same rows, so that is cautious, and an accuracy of 1 does not
    make every difference a significant one.

    Examples
    --------
    >>> train, test = [0.5, 1, 1, 1, 1, 1], [0.5, 0.5, 0.5, 0.9, 1, 1]
    >>> found = grokking_watch(train, test, n_test=1000)
    >>> found.fit_step, found.generalise_step, found.ratio, found.verdict
    (1, 4, 4.0, 'grokking')
    """
    if isinstance(history, RunHistory):
        if test_accuracy is not None or steps is not None:
            raise ValueError("test_accuracy and steps must be left out beside a RunHistory.")
        steps, train, test, known = _from_history(history, member, splits)
        n_test = known if n_test is None else n_test
    else:
        if test_accuracy is None:
            raise ValueError("test_accuracy must be given beside a curve of train accuracy.")
        train, test = history, test_accuracy
    if n_test is None or n_test < 1:
        raise ValueError(
            f"n_test must be the number of rows behind the test accuracy, >= 1; got {n_test!r}."
        )
    return _judged(*_curves(train, test, steps), n_test)


class GrokkingWatch(Callback):
    """`grokking_watch` while a run goes on: three lines in any loop, or a callback of an Ensemble.

    Parameters
    ----------
    n_test : int
        Rows behind the test accuracy.

    Attributes
    ----------
    history : RunHistory
        What was told or recorded so far.

    Examples
    --------
    >>> watch = GrokkingWatch(n_test=500)
    >>> for step, train, test in [(0, 0.5, 0.5), (1, 1.0, 0.5), (2, 1.0, 0.7), (4, 1.0, 0.9)]:
    ...     found = watch.update(step, train, test)
    >>> found.headline
    'Still at memorisation at step 1: test accuracy has been rising since the fit, train on.'
    """

    def __init__(self, n_test: int) -> None:
        if n_test < 1:
            raise ValueError(f"n_test must be an integer >= 1; got {n_test!r}.")
        self.n_test = n_test
        self.history = RunHistory()
        self._recorder: EnsembleRecorder | None = None

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        splits: Mapping[str, Rows],
        *,
        n_test: int,
        at: Container[int] | None = None,
        clock: Literal["epoch", "step"] = "step",
    ) -> GrokkingWatch:
        """A watch to give to `Ensemble.fit` among the callbacks.

        Parameters
        ----------
        ensemble : Ensemble
            The one that is fitted.
        splits : mapping
            "train" and "test" to rows, as in `EnsembleRecorder`.
        n_test : int
            Test rows.
        at : container of int, optional
            When to measure; log-spaced by default.
        clock : {"epoch", "step"}
            What `at` counts.

        Raises
        ------
        ValueError
            If a split is missing.
        """
        if not {"train", "test"} <= set(splits):
            raise ValueError(f"splits must name 'train' and 'test'; got {sorted(splits)}.")
        watch = cls(n_test)
        watch._recorder = EnsembleRecorder(
            ensemble,
            splits,
            at=LogSpaced() if at is None else at,
            clock=clock,
            history=watch.history,
        )
        return watch

    def update(
        self, step: int, train: float, test: float, *, member: int | None = None
    ) -> Grokking:
        """Take the accuracies after `step` updates; returns what the run shows so far."""
        for split, value in (("train", train), ("test", test)):
            self.history.add(step, {"accuracy": value}, split=split, members=[member or 0])
        return self.result(member)

    def result(self, member: int | None = None) -> Grokking:
        """What the run shows so far: a member's, or by default that of the members' mean."""
        return grokking_watch(self.history, n_test=self.n_test, member=member)

    def before_update(self, stack: LiveStack) -> None:
        """Measure the members before their first update."""
        self._recording().before_update(stack)

    def after_update(self, stack: LiveStack) -> None:
        """Measure where steps count."""
        self._recording().after_update(stack)

    def after_epoch(self, stack: LiveStack) -> None:
        """Measure where epochs count."""
        self._recording().after_epoch(stack)

    def _recording(self) -> EnsembleRecorder:
        if self._recorder is None:
            raise ValueError(
                "a watch among an Ensemble's callbacks must know what to measure: make it by "
                "GrokkingWatch.of(ensemble, {'train': ..., 'test': ...}, n_test=...)."
            )
        return self._recorder


def _from_history(
    history: RunHistory, member: int | None, splits: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Steps at which both accuracies are known, those accuracies, and the number of test rows."""
    curves = [history.curve("accuracy", split) for split in splits]
    steps = np.intersect1d(curves[0].steps, curves[1].steps)
    values = []
    for curve in curves:
        if member is not None and member not in curve.members:
            raise ValueError(f"member must be one of {curve.members.tolist()}; got {member!r}.")
        rows = slice(None) if member is None else curve.members == member
        values.append(curve.values[rows][:, np.isin(curve.steps, steps)])
    # Where a member has stopped, the mean would be of other members than before.
    known = ~np.isnan(np.concatenate(values)).any(axis=0)
    train, test = (part[:, known].mean(axis=0) for part in values)
    return steps[known], train, test, curves[1].rows


def _curves(train: Any, test: Any, steps: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train, test = np.asarray(train, dtype=float), np.asarray(test, dtype=float)
    steps = np.arange(len(train)) if steps is None else np.asarray(steps)
    if not train.shape == test.shape == steps.shape or train.ndim != 1 or not len(train):
        raise ValueError(
            "train and test accuracy (and steps) must be curves of one length >= 1; got shapes "
            f"{train.shape}, {test.shape} and {steps.shape}."
        )
    for name, values in (("train", train), ("test", test)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{name} accuracy must lie in [0, 1]; got {values}.")
    if (np.diff(steps) <= 0).any():
        raise ValueError(f"steps must ascend; got {steps}.")
    return train, test, steps


def _judged(train: np.ndarray, test: np.ndarray, steps: np.ndarray, n_test: int) -> Grokking:
    def clear(least: float, *accuracies: float) -> float:
        """The least difference that counts."""
        error = max(np.sqrt(a * (1 - a) / n_test) for a in accuracies)
        return max(least, ERRORS * float(error))

    fits = train >= FIT
    fit = int(fits.argmax()) if fits.any() else len(train) - 1
    best = int(test[: fit + 1].argmax())
    drop = float(test[best] - test[-1])
    gain, generalise = 0.0, None
    if fit + 1 < len(test):
        later = test[fit + 1 :]
        gain = float(later.max() - test[fit])
        if gain > clear(GAIN, test[fit], later.max()):
            way = later >= test[fit] + REACHED * gain
            generalise = int(steps[fit + 1 + int(way.argmax())])
    ratio = float("nan") if generalise is None else generalise / max(int(steps[fit]), 1)
    verdict: Literal["grokking", "late harm", "no late generalisation"] = "no late generalisation"
    if ratio >= LATE:
        verdict = "grokking"
    elif drop > clear(DROP, test[best], test[-1]):
        verdict = "late harm"
    return Grokking(
        fit_step=int(steps[fit]) if fits.any() else None,
        generalise_step=generalise,
        ratio=ratio,
        gain=gain,
        drop=drop,
        best_step=int(steps[best]),
        verdict=verdict,
    )
