"""Projected gradient ascent on the loss (arXiv 1706.06083).

x_{t+1} = P( x_t + step_size * steepest(grad loss(x_t)) ),   P: onto the ball and the bounds
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from overparam.diagnostics.attacks.adversarial import (
    Adversarial,
    Round,
    attacked,
    check_settings,
)
from overparam.diagnostics.attacks.attack_losses import (
    Loss,
    check_classes,
    check_loss,
    loss_gradient,
)
from overparam.diagnostics.attacks.attacked_classifier import logits_of
from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.training.attack_steps import Norm, steepest


@dataclass(frozen=True)
class PGD:
    """Projected gradient descent.

    Parameters
    ----------
    norm : {"linf", "l2"}
    radius : float
        Of the ball around each row, in the units of the inputs.
    steps : int
        Gradient steps; the points after all of them are looked at.
    step_size : float, optional
        Length of a step in `norm`; 2.5 radius / steps by default, which reaches every point of
        the ball from every other.
    random_start : bool
        Begin at a point uniform in the ball, else at the row.
    restarts : int
        Runs, each on the rows that still stand.
    loss : {"ce", "margin", "dlr"}
        See `attack_losses`.

    Raises
    ------
    ValueError
        If a setting is outside what is accepted.

    Notes
    -----
    A run costs steps + 1 forward and `steps` backward passes for the rows that it does not fool.

    Examples
    --------
    >>> line = nn.Linear(2, 2)
    >>> _ = line.load_state_dict(
    ...     {"weight": torch.tensor([[0.0, 0.0], [3.0, 4.0]]), "bias": torch.zeros(2)}
    ... )
    >>> attack = PGD("l2", radius=1.5, random_start=False)
    >>> found = attack.attack(line, [[1.0, 0.5], [2.0, 1.0]], [1, 1], bounds=None)
    >>> found.fooled.tolist(), round(float(found.margin[1]), 4)  # 10 - 1.5 * |(3, 4)|
    ([True, False], 2.5)
    """

    norm: Norm = "linf"
    radius: float = 8 / 255
    steps: int = 10
    step_size: float | None = None
    random_start: bool = True
    restarts: int = 1
    loss: Loss = "ce"

    def __post_init__(self) -> None:
        check_settings(self.norm, self.radius, steps=self.steps, restarts=self.restarts)
        check_loss(self.loss, ("ce", "margin", "dlr"))
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size must be a number > 0; got {self.step_size!r}.")

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
        return attacked(
            [self._climb] * self.restarts,
            self.norm,
            module,
            X,
            y,
            bounds,
            seed,
            batch_size or 256,
            lambda n_classes: check_classes(self.loss, n_classes),
        )

    def _climb(self, block: Round) -> None:
        size = 2.5 * self.radius / self.steps if self.step_size is None else self.step_size
        rows, y = block.rows, block.y
        allowed = PerturbationSet(block.x, self.norm, self.radius, block.box)
        at = allowed.random_point(block.generator) if self.random_start else allowed.x
        for _ in range(self.steps):
            z, _, gradient = loss_gradient(block.module, at, self.loss, y)
            stands = block.progress.see(rows, at, z)
            if not stands.all():
                rows, y, at, gradient = (a[stands] for a in (rows, y, at, gradient))
                allowed = allowed.only(stands)
                if not len(rows):
                    return
            at = allowed.nearest(at + size * steepest(gradient, self.norm))
        with torch.no_grad():
            block.progress.see(rows, at, logits_of(block.module, at))
