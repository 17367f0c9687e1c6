"""APGD: projected gradient ascent that finds its step size by itself (arXiv 2003.01690).

    z       = P( x_t + eta_t * steepest(grad loss(x_t)) )
    x_{t+1} = P( x_t + a (z - x_t) + (1 - a) (x_t - x_{t-1}) ),       a = 0.75, at first a = 1

eta starts at twice the radius. At checkpoints w_j = ceil(p_j steps), p_0 = 0, p_1 = 0.22,
p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06), a row halves its eta and goes back to its best
point if, since the last checkpoint,

    1. the loss rose in fewer than 0.75 of the steps, or
    2. eta was not halved there and the best loss is still the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from overparam.diagnostics.attacks.adversarial import (
    Adversarial,
    Round,
    attacked,
    check_settings,
)
from overparam.diagnostics.attacks.attack_losses import (
    FEWEST_CLASSES,
    Loss,
    check_classes,
    check_loss,
    loss_gradient,
)
from overparam.diagnostics.attacks.attacked_classifier import logits_of
from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.training.attack_steps import Norm, over_rows, steepest

_MOMENTUM = 0.75
_RISES = 0.75


@dataclass(frozen=True)
class APGD:
    """Auto-PGD: no step size to choose.

    Parameters
    ----------
    norm : {"linf", "l2"}
    radius : float
        Of the ball around each row, in the units of the inputs.
    steps : int
        Gradient steps of a run.
    loss : {"ce", "margin", "dlr", "targeted-dlr"}
        See `attack_losses`. "dlr" needs 3 classes, "targeted-dlr" 4.
    restarts : int
        Runs (for each target), each on the rows that still stand.
    targets : int
        For "targeted-dlr": so many classes, those with the largest logits at the row itself after
        y, one after the other (all others if there are fewer).

    Raises
    ------
    ValueError
        If a setting is outside what is accepted.

    Notes
    -----
    A run costs steps + 1 forward and `steps` backward passes for the rows that it does not fool.
    """

    norm: Norm = "linf"
    radius: float = 8 / 255
    steps: int = 100
    loss: Loss = "ce"
    restarts: int = 1
    targets: int = 9

    def __post_init__(self) -> None:
        check_settings(
            self.norm, self.radius, steps=self.steps, restarts=self.restarts, targets=self.targets
        )
        check_loss(self.loss, tuple(FEWEST_CLASSES))

    def attack(
        self,
        module: nn.Module,
        X: Any,
        y: Any,
        *,
        bounds: Any = (0.0, 1.0),
        seed: int = 0,
        batch_size: int | None = None,
    ) -> Adversarial:
        """See `Attack.attack`."""
        ranks: range | list[None] = [None]
        if self.loss == "targeted-dlr":
            ranks = range(self.targets)
        return attacked(
            [partial(self._climb, rank=rank) for rank in ranks for _ in range(self.restarts)],
            self.norm,
            module,
            X,
            y,
            bounds,
            seed,
            batch_size or 256,
            lambda n_classes: check_classes(self.loss, n_classes),
        )

    def _climb(self, block: Round, rank: int | None) -> None:
        target = None
        if rank is not None:
            if rank >= block.progress.clean.shape[1] - 1:
                return
            target = _rival(block, rank)
        allowed = PerturbationSet(block.x, self.norm, self.radius, block.box)
        at = _start(allowed, block.generator)
        z, loss, gradient = loss_gradient(block.module, at, self.loss, block.y, target)
        now = _Climb(
            block.rows, block.y, target, allowed, at, at, loss, gradient, at, loss, gradient,
            step_size=torch.full_like(loss, 2 * self.radius),
            rises=torch.zeros_like(loss),
            best_before=loss,
            halved=torch.ones_like(loss, dtype=torch.bool),
        )  # fmt: skip
        stands = block.progress.see(block.rows, at, z)
        checkpoints = _checkpoints(self.steps)
        since = 0
        for taken in range(1, self.steps + 1):
            if not stands.all():
                now = now.only(stands)
                if not len(now.rows):
                    return
            at = now.next_point(self.norm, 1.0 if taken == 1 else _MOMENTUM)
            if taken == self.steps:  # nobody needs its gradient
                with torch.no_grad():
                    block.progress.see(now.rows, at, logits_of(block.module, at))
                return
            z, loss, gradient = loss_gradient(block.module, at, self.loss, now.y, now.target)
            stands = block.progress.see(now.rows, at, z)
            now = now.moved(at, loss, gradient)
            if taken in checkpoints:
                now = now.checked(taken - since)
                since = taken


@dataclass(frozen=True)
class _Climb:
    """Where the rows of a block are; everything has one entry a row."""

    rows: Tensor
    y: Tensor
    target: Tensor | None
    allowed: PerturbationSet
    at: Tensor
    before: Tensor  # x_{t-1}
    loss: Tensor
    gradient: Tensor
    best: Tensor
    best_loss: Tensor
    best_gradient: Tensor
    step_size: Tensor
    rises: Tensor  # steps since the last checkpoint in which the loss rose
    best_before: Tensor  # best loss at the last checkpoint
    halved: Tensor  # at the last checkpoint; nothing is known at the first

    def only(self, kept: Tensor) -> _Climb:
        """The rows that stand."""
        some: dict[str, Any] = {
            name: value[kept] for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **some, allowed=self.allowed.only(kept))

    def next_point(self, norm: Norm, momentum: float) -> Tensor:
        """x_{t+1}."""
        step = over_rows(self.step_size, self.at) * steepest(self.gradient, norm)
        ahead = self.allowed.nearest(self.at + step)
        if momentum == 1.0:
            return ahead
        # x + a (z - x) + (1 - a) (x - x_before)
        mixed = momentum * ahead + 2 * (1 - momentum) * self.at - (1 - momentum) * self.before
        return self.allowed.nearest(mixed)

    def moved(self, at: Tensor, loss: Tensor, gradient: Tensor) -> _Climb:
        """After a step."""
        better = loss > self.best_loss
        wide = over_rows(better, at)
        return replace(
            self,
            at=at,
            before=self.at,
            loss=loss,
            gradient=gradient,
            best=torch.where(wide, at, self.best),
            best_loss=torch.where(better, loss, self.best_loss),
            best_gradient=torch.where(wide, gradient, self.best_gradient),
            rises=self.rises + (loss > self.loss),
        )

    def checked(self, steps: int) -> _Climb:
        """After a checkpoint, `steps` after the last one."""
        stuck = ~self.halved & (self.best_before >= self.best_loss)
        halve = (self.rises < _RISES * steps) | stuck
        wide = over_rows(halve, self.at)
        return replace(
            self,
            at=torch.where(wide, self.best, self.at),
            loss=torch.where(halve, self.best_loss, self.loss),
            gradient=torch.where(wide, self.best_gradient, self.gradient),
            step_size=torch.where(halve, self.step_size / 2, self.step_size),
            rises=torch.zeros_like(self.rises),
            best_before=self.best_loss,
            halved=halve,
        )


def _checkpoints(steps: int) -> set[int]:
    """The w_j < steps, by whole hundredths: 0.57 * 100 is not 57 in floating point."""
    found, last, share = set(), 0, 22
    while share < 100:
        found.add(-(-share * steps // 100))
        last, share = share, share + max(share - last - 3, 6)
    return found


def _start(allowed: PerturbationSet, generator: torch.Generator) -> Tensor:
    """A random point at distance `radius` (before the bounds), as in the authors' own code."""
    x = allowed.x
    if allowed.norm == "linf":
        direction = torch.empty_like(x).uniform_(-1, 1, generator=generator)
        length = direction.flatten(1).abs().amax(1)
    else:
        direction = torch.empty_like(x).normal_(generator=generator)
        length = direction.flatten(1).norm(dim=1)
    return allowed.nearest(x + direction * over_rows(allowed.radius / length, x))


def _rival(block: Round, rank: int) -> Tensor:
    """The class (b,) other than y with the `rank`-th largest clean logit."""
    clean = block.progress.clean[block.rows].scatter(1, block.y[:, None], -torch.inf)
    return clean.topk(rank + 1, dim=1).indices[:, -1]
