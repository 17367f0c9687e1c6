"""The training loop: a group of members that take every step together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from overparam.nets.stackable import Stackable
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.early_stopping import EarlyStopping
from overparam.training.gradient_programs import GradientProgram, build_program
from overparam.training.history import History
from overparam.training.losses import Loss
from overparam.training.member_generators import member_generator
from overparam.training.minibatches import MinibatchStream, draw_block
from overparam.training.optimizers import HyperParameters, StackedOptimizer
from overparam.training.schedules import Schedule
from overparam.training.stacked_state import StackedState
from overparam.training.training_data import Targets

BatchTransform = Callable[[Tensor, Tensor, Sequence[torch.Generator]], tuple[Tensor, Tensor]]

_BLOCK = 256  # steps whose row numbers are drawn at once


@dataclass(frozen=True)
class Examples:
    """Rows, their targets, and the weights (M, n) of each member or None."""

    x: Tensor
    targets: Targets
    weights: Tensor | None


@dataclass(frozen=True)
class Recipe:
    """How to train; the same for every group of an ensemble."""

    loss: Loss
    optimizer: str
    numbers: HyperParameters
    smoothing: Tensor | None
    schedule: Schedule
    steps: int
    steps_per_epoch: int
    patience: int | None
    batch_transform: BatchTransform | None
    callbacks: Sequence[Callback]


class LockstepGroup:
    """Members of one architecture and one batch size, trained step by step together.

    Parameters
    ----------
    module : nn.Module
        One module of the architecture.
    state : StackedState
        The group's members; trained in place as long as none leaves.
    members : list of int
        Their positions in the ensemble.
    seeds : list of int
        Their seeds.
    streams : list of MinibatchStream
        One a member, or a single one that all share.
    batch_size : int
    train, validation : Examples
    recipe : Recipe
    """

    def __init__(
        self,
        module: nn.Module,
        state: StackedState,
        members: list[int],
        seeds: list[int],
        streams: list[MinibatchStream],
        batch_size: int,
        train: Examples,
        validation: Examples | None,
        recipe: Recipe,
    ) -> None:
        self.state = state
        self.members = members
        self.diverged: list[int] = []
        self._module = module
        self._streams = streams
        self._shared = len(streams) == 1 and len(members) > 1
        self._batch_size = batch_size
        self._train = train
        self._validation = validation
        self._recipe = recipe
        self._transforms = [member_generator(seed, "transform") for seed in seeds]
        self._masks = [member_generator(seed, "masks") for seed in seeds]
        self._gradients = torch.zeros_like(state.matrix)
        self._optimizer = StackedOptimizer(
            recipe.optimizer, state.matrix, self._gradients, recipe.numbers.take(members)
        )
        self._stopping = (
            EarlyStopping(state, recipe.patience) if recipe.patience is not None else None
        )
        self._step = self._epochs = 0
        self._bind()

    def run(self, final: StackedState, history: History, tick: Callable[[int], None]) -> None:
        """Train to the end; writes weights into `final` and curves into `history`."""
        recipe = self._recipe
        epoch = 0
        while self._step < recipe.steps and self.members:
            steps = min(recipe.steps_per_epoch, recipe.steps - self._step)
            self._epoch(steps, final, history, epoch)
            if self.members:
                self._after_epoch(final, history, epoch)
            epoch += 1
            tick(epoch)
        self._leave(list(range(len(self.members))), final, history, epoch)

    def _bind(self) -> None:
        """Point what reads the state at its present matrices."""
        device = self.state.matrix.device
        self._program: GradientProgram = build_program(self._module, self.state, self._gradients)
        self._rows = torch.tensor(self.members, device=device)
        smoothing = self._recipe.smoothing
        self._smoothing = None if smoothing is None else smoothing[self._rows]
        self._live = LiveStack(
            members=np.array(self.members),
            parameters=self.state.parameters,
            gradients=self.state.layout.views(self._gradients),
            buffers=self.state.buffers,
            step=self._step,
            epoch=self._epochs,
            loss=self._gradients.new_zeros(len(self.members)),
        )

    def _epoch(self, steps: int, final: StackedState, history: History, epoch: int) -> None:
        self._sums = self._gradients.new_zeros(2, len(self.members))
        done = 0
        while done < steps and self.members:
            block = draw_block(self._streams, min(_BLOCK, steps - done), self._batch_size)
            block = block.to(self.state.matrix.device)
            for position in range(len(block)):
                rows = block[position]
                if self._shared:
                    rows = rows.expand(len(self.members), -1)
                kept = self._update(rows, final, history, epoch)
                if not self.members:
                    return
                if kept is not None and not self._shared:
                    block = block[:, kept]
            done += len(block)
        means = (self._sums / steps).double().cpu().numpy()
        history.loss[self.members, epoch], history.accuracy[self.members, epoch] = means

    def _update(
        self, rows: Tensor, final: StackedState, history: History, epoch: int
    ) -> list[int] | None:
        """One step; returns the positions that stay when members had to leave."""
        x, targets, weights = self._minibatch(rows)
        seen: list[Tensor] = []

        def slope(logits: Tensor) -> Tensor:
            values, slopes = self._recipe.loss(logits, targets, self._smoothing)
            if weights is not None:
                values = values * weights
                slopes = slopes * weights.unsqueeze(-1)
            seen.append(values.mean(1))
            return slopes.mul_(1.0 / rows.shape[1])

        logits = self._program.gradients(x, self._draw_masks(rows.shape[1]), slope)
        self._sums[0] += seen[0]
        self._sums[1] += _hits(logits, targets)
        kept = None
        if not math.isfinite(float(seen[0].sum())):
            kept = self._contain(seen[0], final, history, epoch)
            if not self.members:
                return kept
        self._live.loss = seen[0] if kept is None else seen[0][kept]
        for callback in self._recipe.callbacks:
            callback.before_update(self._live)
        self._optimizer.step(self._recipe.schedule(self._step, self._recipe.steps))
        self._step += 1
        self._live.step = self._step
        for callback in self._recipe.callbacks:
            callback.after_update(self._live)
        return kept

    def _minibatch(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        data = self._train
        x = data.x.index_select(0, rows.flatten()).view(*rows.shape, *data.x.shape[1:])
        targets = data.targets.at(self._rows, rows)
        weights = None if data.weights is None else data.weights[self._rows[:, None], rows]
        if self._recipe.batch_transform is not None:
            x, targets = self._recipe.batch_transform(x, targets, self._transforms)
        return x, targets, weights

    def _draw_masks(self, batch_size: int) -> Tensor | None:
        module = self._module
        if not isinstance(module, Stackable) or not module.mask_units:
            return None
        keep = 1.0 - module.dropout
        masks = torch.empty(len(self.members), batch_size, module.mask_units)
        for mask, generator in zip(masks, self._masks, strict=True):
            mask.bernoulli_(keep, generator=generator)
        return masks.to(self._gradients).div_(keep)

    def _contain(
        self, loss: Tensor, final: StackedState, history: History, epoch: int
    ) -> list[int] | None:
        """Freeze the members whose loss is no longer finite; the others go on."""
        finite = torch.isfinite(loss).cpu()
        lost = (~finite).nonzero().flatten().tolist()
        if not lost:
            return None
        kept = finite.nonzero().flatten().tolist()
        ghosts = self._ghosts()
        self.diverged += [self.members[i] for i in lost if i not in ghosts]
        self._leave(lost, final, history, epoch)
        return kept

    def _ghosts(self) -> set[int]:
        """Positions of members that have stopped but still sit in the stack."""
        if self._stopping is None:
            return set()
        return set(self._stopping.stopped.nonzero().flatten().tolist())

    def _after_epoch(self, final: StackedState, history: History, epoch: int) -> None:
        if self._validation is not None:
            losses, accuracies = self._validate(self._validation)
            history.validation_loss[self.members, epoch] = losses.double().cpu()
            history.validation_accuracy[self.members, epoch] = accuracies.double().cpu()
        for member in self._ghosts():
            for curve in (
                history.loss,
                history.accuracy,
                history.validation_loss,
                history.validation_accuracy,
            ):
                curve[self.members[member], epoch] = np.nan
        self._epochs = self._live.epoch = epoch + 1
        for callback in self._recipe.callbacks:
            callback.after_epoch(self._live)
        if self._stopping is not None:
            for position in self._stopping.update(self.state, epoch, losses).nonzero().flatten():
                history.stopped_epoch[self.members[int(position)]] = epoch + 1
            ghosts = self._ghosts()
            # A stopped member costs as much as a live one until it leaves, and leaving copies
            # the whole stack: do it when that halves the work.
            if 2 * len(ghosts) >= len(self.members):
                self._leave(sorted(ghosts), final, history, epoch + 1)

    def _validate(self, data: Examples) -> tuple[Tensor, Tensor]:
        weights = None if data.weights is None else data.weights[self._rows]
        loss, accuracy = self._gradients.new_zeros(2, len(self.members))
        for rows in torch.arange(len(data.x), device=data.x.device).split(1024):
            rows = rows.expand(len(self.members), -1)
            x = data.x[rows[0]].expand(len(self.members), *([-1] * data.x.dim()))
            targets = data.targets.at(self._rows, rows)
            logits = self._program.logits(x)
            values, _ = self._recipe.loss(logits, targets, None)
            hits = _hit(logits, targets)
            if weights is not None:
                values, hits = values * weights[:, rows[0]], hits * weights[:, rows[0]]
            loss += values.sum(1)
            accuracy += hits.sum(1)
        return loss / len(data.x), accuracy / len(data.x)

    def _leave(
        self, positions: list[int], final: StackedState, history: History, epoch: int
    ) -> None:
        """Write leaving members to `final` and go on with the rest."""
        if not positions:
            return
        members = [self.members[i] for i in positions]
        source = self.state if self._stopping is None else self._stopping.best
        final.put(members, source.take(positions))
        for position, member in zip(positions, members, strict=True):
            if not history.stopped_epoch[member]:
                history.stopped_epoch[member] = epoch
            best = epoch - 1 if self._stopping is None else int(self._stopping.best_epoch[position])
            history.best_epoch[member] = max(best, 0)
        kept = [i for i in range(len(self.members)) if i not in set(positions)]
        self.members = [self.members[i] for i in kept]
        if kept:
            self._keep(kept)

    def _keep(self, kept: list[int]) -> None:
        self.state = self.state.take(kept)
        self._gradients = self._gradients[kept]
        self._sums = self._sums[:, kept]
        self._optimizer.keep(kept, self.state.matrix, self._gradients)
        if not self._shared:
            self._streams = [self._streams[i] for i in kept]
        self._transforms = [self._transforms[i] for i in kept]
        self._masks = [self._masks[i] for i in kept]
        if self._stopping is not None:
            self._stopping.keep(kept)
        self._bind()


def _hit(logits: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest logit is the label (or the largest soft target); NaN for numbers."""
    if targets.is_floating_point():
        if logits.shape[-1] == 1:
            return logits.new_full(logits.shape[:-1], float("nan"))
        targets = targets.argmax(-1)
    return (logits.argmax(-1) == targets).to(logits.dtype)


def _hits(logits: Tensor, targets: Tensor) -> Tensor:
    return _hit(logits, targets).mean(1)
