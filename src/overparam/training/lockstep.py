"""The training loop: a group of members that take every step together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from overparam.nets.stackable import Stackable
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.dropout_masks import DropoutMasks
from overparam.training.early_stopping import EarlyStopping
from overparam.training.gradient_programs import GradientProgram, build_program, rows_at_once
from overparam.training.held_out import evaluate
from overparam.training.history import History
from overparam.training.losses import Loss
from overparam.training.member_generators import member_generator
from overparam.training.minibatches import MinibatchStream, draw_block
from overparam.training.optimizers import Decayed, HyperParameters, StackedOptimizer
from overparam.training.schedules import Schedule
from overparam.training.stacked_state import StackedState
from overparam.training.training_data import Examples

BatchTransform = Callable[[Tensor, Tensor, Sequence[torch.Generator]], tuple[Tensor, Tensor]]

_BLOCK = 256  # steps whose row numbers are drawn at once


@dataclass(frozen=True)
class Recipe:
    """How to train; the same for every group of an ensemble."""

    loss: Loss
    optimizer: str
    numbers: HyperParameters
    rate_factors: Mapping[str, float]
    decay_factors: Mapping[str, float]
    smoothing: Tensor | None
    schedule: Schedule
    steps: int
    steps_per_epoch: int
    patience: int | None
    batch_transform: BatchTransform | None
    callbacks: Sequence[Callback]
    betas: tuple[float, float] = (0.9, 0.999)
    decayed: Decayed = "all"


class LockstepGroup:
    """Members of one architecture and one batch size, trained step by step together.

    Parameters
    ----------
    module : nn.Module
        One module of the architecture; the group takes it over.
    ensemble : StackedState
        All members; those of the group start from it and are written back when they leave.
    history : History
        Of all members; the group fills its rows.
    members : list of int
        Positions of the group's members in the ensemble.
    seeds : list of int
        Their seeds.
    streams : list of MinibatchStream
        One a member, or a single one that all share.
    batch_size : int
    train : Examples
    validation : Examples, optional
    recipe : Recipe
    """

    def __init__(
        self,
        module: nn.Module,
        ensemble: StackedState,
        history: History,
        members: list[int],
        seeds: list[int],
        streams: list[MinibatchStream],
        batch_size: int,
        train: Examples,
        validation: Examples | None,
        recipe: Recipe,
    ) -> None:
        self.diverged: list[int] = []
        self._module = module
        self._masks: DropoutMasks | None = None
        if isinstance(module, Stackable) and module.mask_units:
            self._masks = DropoutMasks(seeds, module.mask_units, module.dropout)
        self._ensemble = ensemble
        self._history = history
        self._members = members
        self._streams = streams
        self._shared = len(streams) == 1 and len(members) > 1
        self._batch_size = batch_size
        self._train = train
        self._validation = validation
        self._recipe = recipe
        self._transforms: list[torch.Generator] = []
        if recipe.batch_transform is not None:
            self._transforms = [member_generator(seed, "transform") for seed in seeds]
        self._state = ensemble.take(members)
        self._gradients = torch.zeros_like(self._state.vector)
        self._optimizer = StackedOptimizer(
            recipe.optimizer,
            self._state,
            self._gradients,
            recipe.numbers.take(members),
            recipe.rate_factors,
            recipe.betas,
            recipe.decayed,
            recipe.decay_factors,
        )
        self._stopping = (
            EarlyStopping(self._state, recipe.patience) if recipe.patience is not None else None
        )
        self._step = self._epochs = 0
        # Loss and hits of each place in the batch: the mean over places waits for the epoch's end.
        self._sums = self._gradients.new_zeros(2, len(members), batch_size)
        self._bind()

    def run(self, tick: Callable[[int], None]) -> None:
        """Train to the end; calls `tick` with the number of epochs done."""
        recipe = self._recipe
        while self._step < recipe.steps and self._members:
            self._epoch(min(recipe.steps_per_epoch, recipe.steps - self._step))
            tick(self._epochs)
        self._leave(list(range(len(self._members))))

    def _bind(self) -> None:
        """Point what reads the state at its present matrices."""
        self._program: GradientProgram = build_program(self._module, self._state, self._gradients)
        self._loss_sum, self._hit_sum = self._sums
        self._rows = torch.tensor(self._members, device=self._state.vector.device)
        smoothing = self._recipe.smoothing
        self._smoothing = None if smoothing is None else smoothing[self._rows]
        self._live = LiveStack(
            members=np.array(self._members),
            parameters=self._state.parameters,
            gradients=self._state.layout.views(self._gradients, len(self._members)),
            buffers=self._state.buffers,
            step=self._step,
            epoch=self._epochs,
            loss=self._loss_sum[:, 0],
            rows=self._rows[:, None][:, :0],  # no minibatch yet
            hits=self._hit_sum[:, :0],
        )

    def _epoch(self, steps: int) -> None:
        self._sums.zero_()
        done = 0
        while done < steps:
            block = draw_block(self._streams, min(_BLOCK, steps - done), self._batch_size)
            drawn_for = self._members
            for rows in block.to(self._state.vector.device):
                if self._shared:
                    rows = rows.expand(len(self._members), -1)
                elif len(rows) > len(self._members):  # drawn before somebody diverged
                    rows = rows[np.searchsorted(drawn_for, self._members)]
                self._update(rows)
                if not self._members:
                    return
            done += len(block)
        self._close_epoch(steps)

    def _update(self, rows: Tensor) -> None:
        """One step of every member on its `rows` (G, B)."""
        x, targets, weights = self._minibatch(rows)
        losses = hits = self._loss_sum

        def slope(logits: Tensor) -> Tensor:
            nonlocal losses, hits
            losses, slopes, hits = self._recipe.loss(logits, targets, self._smoothing)
            if weights is not None:
                each = weights.view(*weights.shape, *[1] * (slopes.dim() - 2))
                losses, slopes = losses * weights, slopes * each
            return slopes.mul_(1.0 / rows.shape[1])

        masks = None if self._masks is None else self._masks.draw(rows.shape[1], self._gradients)
        self._program.gradients(x, masks, slope)
        self._loss_sum.add_(losses)
        self._hit_sum.add_(hits)
        if not math.isfinite(float(losses.sum())):
            finite = self._contain(losses)
            if not self._members:
                return
            losses, hits, rows = losses[finite], hits[finite], rows[finite]
        if self._recipe.callbacks:
            self._live.loss, self._live.rows, self._live.hits = losses.mean(1), rows, hits
        for callback in self._recipe.callbacks:
            callback.before_update(self._live)
        self._optimizer.step(self._recipe.schedule(self._step, self._recipe.steps))
        self._step += 1
        self._live.step = self._step
        for callback in self._recipe.callbacks:
            callback.after_update(self._live)

    def _minibatch(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        data = self._train
        x = data.x.index_select(0, rows.flatten()).unflatten(0, rows.shape)
        targets = data.targets.at(self._rows, rows)
        weights = None if data.weights is None else data.weights[self._rows[:, None], rows]
        if self._recipe.batch_transform is not None:
            x, targets = self._recipe.batch_transform(x, targets, self._transforms)
        return x, targets, weights

    def _contain(self, losses: Tensor) -> Tensor:
        """Freeze the members whose loss is no longer finite; returns which (G,) go on."""
        finite = torch.isfinite(losses.sum(1)).cpu()
        lost = (~finite).nonzero().flatten().tolist()
        ghosts = self._ghosts()
        self.diverged += [self._members[i] for i in lost if i not in ghosts]
        self._leave(lost)
        return finite.to(losses.device)

    def _ghosts(self) -> list[int]:
        """Positions of members that have stopped but still sit in the stack."""
        if self._stopping is None:
            return []
        return self._stopping.stopped.nonzero().flatten().tolist()

    def _close_epoch(self, steps: int) -> None:
        """Record, validate, and let members stop."""
        history, epoch = self._history, self._epochs
        awake = sorted(set(range(len(self._members))) - set(self._ghosts()))
        members = [self._members[i] for i in awake]
        means = (self._sums.mean(2) / steps).double().cpu().numpy()[:, awake]
        history.loss[members, epoch], history.accuracy[members, epoch] = means
        if self._validation is not None:
            block = rows_at_once(self._state, self._validation.x)
            losses, accuracies = evaluate(
                self._program, self._validation, self._rows, self._recipe.loss, block
            )
            history.validation_loss[members, epoch] = losses.double().cpu()[awake]
            history.validation_accuracy[members, epoch] = accuracies.double().cpu()[awake]
        self._epochs = self._live.epoch = epoch + 1
        for callback in self._recipe.callbacks:
            callback.after_epoch(self._live)
        if self._stopping is not None:
            stops = self._stopping.update(self._state, epoch, losses)
            history.stopped_epoch[self._rows.cpu()[stops]] = self._epochs
            # A stopped member costs as much as a live one until it leaves, and leaving copies
            # the whole stack: do it when that halves the work.
            ghosts = self._ghosts()
            if 2 * len(ghosts) >= len(self._members):
                self._leave(ghosts)

    def _leave(self, positions: list[int]) -> None:
        """Write leaving members back to the ensemble and go on with the rest."""
        if not positions:
            return
        stopping, history = self._stopping, self._history
        members = [self._members[i] for i in positions]
        source = self._state if stopping is None else stopping.best
        self._ensemble.put(members, source.take(positions))
        for position, member in zip(positions, members, strict=True):
            if not history.stopped_epoch[member]:
                history.stopped_epoch[member] = self._epochs
            best = self._epochs - 1 if stopping is None else int(stopping.best_epoch[position])
            history.best_epoch[member] = max(best, 0)
        kept = sorted(set(range(len(self._members))) - set(positions))
        self._members = [self._members[i] for i in kept]
        if kept:
            self._keep(kept)

    def _keep(self, kept: list[int]) -> None:
        slopes = StackedState(self._state.layout, len(self._state), self._gradients, {})
        self._gradients = slopes.take(kept).vector
        self._state = self._state.take(kept)
        self._sums = self._sums[:, kept]
        self._optimizer.keep(kept, self._state, self._gradients)
        if not self._shared:
            self._streams = [self._streams[i] for i in kept]
        self._transforms = [self._transforms[i] for i in kept if self._transforms]
        if self._masks is not None:
            self._masks.keep(kept)
        if self._stopping is not None:
            self._stopping.keep(kept)
        self._bind()
