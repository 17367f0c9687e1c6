"""Record a training run: a plain PyTorch loop by three more lines, an `Ensemble` by a callback.

Both fill a `training.RunHistory`, which is what diagnostics of training read. Measuring changes
nothing: modules go through it in evaluation mode and come back in the mode that they had, and
random numbers that a shuffling loader draws are given back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from overparam.diagnostics.run_measures import Fit, Measure, weight_norm
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import RunHistory
from overparam.training.stacked_state import load_member

# (X, y), or whatever gives batches (x, y) each time it is iterated over, such as a DataLoader.
Rows = tuple[Any, Any] | Iterable[Any]
OfModule = Callable[[nn.Module], Mapping[str, float]]

_BLOCK = 1024  # rows at once of data given as (X, y)
_SAVE_EVERY = 5.0  # seconds; writing the table at every step of a long run would cost more


class Recording(RunHistory):
    """A history that measures its own network; made by `record`."""

    def __init__(
        self,
        module: nn.Module,
        splits: Mapping[str, Rows],
        measures: Sequence[Measure],
        of_module: OfModule | None,
        at: Container[int] | None,
        path: Path | None,
    ) -> None:
        super().__init__()
        self._module, self._splits, self._measures = module, splits, measures
        self._of_module, self._at, self._path = of_module, at, path
        self._saved = time.monotonic()
        if path is not None and path.exists():
            self.extend(RunHistory.load(path))
        self._last = self.last_step
        self._pending = self._last is None  # the state before training
        if self._last is None:
            self._last = 0

    def step(self, done: int | None = None) -> None:
        """Say that epochs (or updates: whatever you count) are done; measures where asked for.

        Parameters
        ----------
        done : int, optional
            How many in all; one more than before by default.

        Raises
        ------
        ValueError
            If fewer than before.
        """
        assert self._last is not None
        done = self._last + 1 if done is None else int(done)
        if done < self._last:
            raise ValueError(f"done must be >= {self._last}, the steps so far; got {done}.")
        self._last, self._pending = done, True
        if self._at is None or done in self._at:
            self.measure()

    def measure(self) -> None:
        """Measure the network as it is now, if that was not done since the last step."""
        assert self._last is not None
        if not self._pending:
            return
        measured(self, self._module, self._splits, self._measures, self._of_module, self._last)
        self._pending = False
        if self._path is not None and time.monotonic() - self._saved > _SAVE_EVERY:
            self.save(self._path)
            self._saved = time.monotonic()


@contextmanager
def record(
    module: nn.Module,
    splits: Mapping[str, Rows] | Rows,
    *,
    measures: Sequence[Measure] = (Fit(),),
    of_module: OfModule | None = None,
    at: Container[int] | None = None,
    path: str | Path | None = None,
) -> Iterator[Recording]:
    """Record what a plain training loop does, for every diagnostic that reads a history.

    The state before the loop and after its last step are always measured.

    Parameters
    ----------
    module : nn.Module
        The network that the loop trains, on whatever device it is.
    splits : mapping of str to rows, or rows
        Where to measure: name -> (X, y) or a loader of batches (x, y). Rows alone are "train".
    measures : sequence of Measure
        What to measure on the rows; `Fit()` by default: loss, accuracy, margin.
    of_module : callable, optional
        ``of_module(module) -> {quantity: value}``, beside the norm of the weights.
    at : container of int, optional
        Steps to measure, such as ``range(0, 500, 10)`` or ``training.LogSpaced()``; by default all.
    path : str or Path, optional
        Keep the history in this file, and go on with the one that lies there.

    Yields
    ------
    Recording
        A `training.RunHistory`; call its ``step()`` after each epoch (or update).

    Raises
    ------
    ValueError
        If a split gives no rows.

    Examples
    --------
    >>> net = nn.Linear(2, 2)
    >>> X, y = torch.randn(20, 2), torch.arange(20) % 2
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> with record(net, (X, y)) as history:
    ...     for epoch in range(3):
    ...         sgd.zero_grad()
    ...         nn.functional.cross_entropy(net(X), y).backward()
    ...         sgd.step()
    ...         history.step()
    >>> history.curve("loss", "train").steps
    array([0, 1, 2, 3])
    """
    kept = None if path is None else Path(path)
    history = Recording(module, named(splits), measures, of_module, at, kept)
    history.measure()
    try:
        yield history
        history.measure()
    finally:
        if kept is not None:
            history.save(kept)


class EnsembleRecorder(Callback):
    """Records the members of an `Ensemble`: give it to `fit` among the callbacks.

    Each member is measured as a module of its own, so that any `Measure` serves. A second `fit`
    goes on counting where the first ended.

    Parameters
    ----------
    ensemble : Ensemble
        The one that is fitted.
    splits, measures, of_module
        As in `record`.
    at : container of int, optional
        Which epochs (or steps) to measure; all by default. The state before training is measured
        in any case.
    clock : {"epoch", "step"}
        What `at` counts.
    history : RunHistory, optional
        What to go on with, a new one by default.

    Attributes
    ----------
    history : RunHistory
        Its steps are updates.

    Raises
    ------
    ValueError
        If the clock is unknown or a split gives no rows.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        splits: Mapping[str, Rows] | Rows,
        *,
        measures: Sequence[Measure] = (Fit(),),
        of_module: OfModule | None = None,
        at: Container[int] | None = None,
        clock: Literal["epoch", "step"] = "epoch",
        history: RunHistory | None = None,
    ) -> None:
        if clock not in ("epoch", "step"):
            raise ValueError(f"clock must be 'epoch' or 'step'; got {clock!r}.")
        self.history = RunHistory() if history is None else history
        self._ensemble, self._splits, self._measures = ensemble, named(splits), measures
        self._of_module, self._at, self._clock = of_module, at, clock
        self._modules: dict[int, nn.Module] = {}
        # Steps and epochs of each member in the fits before this one, and by now.
        self._before: dict[int, tuple[int, float]] = {}
        self._by_now: dict[int, tuple[int, float]] = {}
        table = self.history.table
        for member, step, epoch in table.select("member", "step", "epoch").iter_rows():
            self._by_now[member] = (step, epoch or 0.0)

    def before_update(self, stack: LiveStack) -> None:
        """Measure the members before their first update.

        The stack's buffers have seen a minibatch by now (BatchNorm): the ensemble's have not.
        """
        if stack.step > 0:
            return
        for member in stack.members.tolist():
            self._before[member] = self._by_now.get(member, (0, 0.0))
            self._modules[member] = self._ensemble.member(member)
            if self._before[member][0] == 0:
                self._measure_member(stack, member)

    def after_update(self, stack: LiveStack) -> None:
        """Measure where steps count."""
        self._note(stack)
        if self._clock == "step":
            self._measure_if(stack, stack.step + self._before[int(stack.members[0])][0])

    def after_epoch(self, stack: LiveStack) -> None:
        """Measure where epochs count."""
        self._note(stack)
        if self._clock == "epoch":
            epochs = stack.epoch + self._before[int(stack.members[0])][1]
            self._measure_if(stack, int(epochs))

    def _note(self, stack: LiveStack) -> None:
        for member in stack.members.tolist():
            step, epoch = self._before[member]
            self._by_now[member] = (step + stack.step, epoch + stack.epoch)

    def _measure_if(self, stack: LiveStack, done: int) -> None:
        if self._at is None or done in self._at:
            self._measure(stack)

    def _measure(self, stack: LiveStack) -> None:
        tensors = {**stack.parameters, **stack.buffers}
        for row, member in enumerate(stack.members.tolist()):
            load_member(self._modules[member], tensors, row)
            self._measure_member(stack, member)

    def _measure_member(self, stack: LiveStack, member: int) -> None:
        step, epoch = self._before[member]
        measured(
            self.history,
            self._modules[member],
            self._splits,
            self._measures,
            self._of_module,
            step + stack.step,
            member=member,
            epoch=epoch + stack.epoch,
        )


def measured(
    history: RunHistory,
    module: nn.Module,
    splits: Mapping[str, Rows],
    measures: Sequence[Measure],
    of_module: OfModule | None,
    step: int,
    *,
    member: int = 0,
    epoch: float | None = None,
) -> None:
    """Add to `history` what a network shows now: one pass a split, all measures at once.

    Raises
    ------
    ValueError
        If a split gives no rows.
    """
    whose = [member]
    about = {"weight_norm": weight_norm(module), **(of_module(module) if of_module else {})}
    history.add(step, about, epoch=epoch, members=whose)
    where = next(module.parameters(), torch.empty(0))
    for split, data in splits.items():
        rows = 0
        with evaluating(module), ExitStack() as open_passes:
            passes = [open_passes.enter_context(each.start(module)) for each in measures]
            for x, y in batches(data):
                outputs, targets = module(_placed(x, where)), _placed(y, where)
                for each in passes:
                    each.update(outputs, targets)
                rows += len(x)
            if rows == 0:
                raise ValueError(
                    f"splits must give rows each time they are read; got none for {split!r}. "
                    "A generator is empty after its first pass: give a list or a DataLoader."
                )
            found = [each.finish() for each in passes]
        for readings in found:
            for layer, numbers in readings.items():
                history.add(
                    step,
                    numbers,
                    split=split,
                    epoch=epoch,
                    members=whose,
                    layer=layer,
                    rows=rows,
                )


def named(splits: Mapping[str, Rows] | Rows) -> Mapping[str, Rows]:
    """Splits by name; rows alone are "train"."""
    return splits if isinstance(splits, Mapping) else {"train": splits}


def batches(rows: Rows) -> Iterable[Any]:
    """Batches (x, y): of (X, y) blocks of a thousand rows, of a loader its own."""
    if not (isinstance(rows, tuple) and len(rows) == 2):
        return rows
    X, y = (torch.as_tensor(each) for each in rows)
    return zip(X.split(_BLOCK), y.split(_BLOCK), strict=True)


def _placed(values: Any, like: Tensor) -> Tensor:
    """On the module's device, numbers in its precision."""
    tensor = torch.as_tensor(np.asarray(values) if isinstance(values, list) else values)
    return tensor.to(like.device, like.dtype if tensor.is_floating_point() else None)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without autograd; layers and the random stream come back as they were."""
    modes = {layer: layer.training for layer in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode
