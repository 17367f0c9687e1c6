"""Where an attack may look: a ball around each row, within the bounds of the inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.diagnostics.attacks.attacked_classifier import Bounds, clipped
from overparam.training.attack_steps import Norm, project, random_perturbation


class PerturbationSet:
    """The points within a ball around each row (b, ...) and within the bounds.

    Attributes
    ----------
    low, high : Tensor of shape (b, ...)
        For "linf", where the two limits are one box around each row.
    """

    def __init__(self, x: Tensor, norm: Norm, radius: float, box: Bounds) -> None:
        self.x, self.norm, self.radius, self.box = x, norm, radius, box
        if norm == "linf":
            self.low, self.high = clipped(x - radius, box), clipped(x + radius, box)

    def nearest(self, at: Tensor) -> Tensor:
        """The nearest point of the ball; of that, the nearest within the bounds.

        As the row is within the bounds itself, the second step does not leave the ball.
        """
        if self.norm == "linf":
            return torch.clamp(at, self.low, self.high)
        return clipped(self.x + project(at - self.x, "l2", self.radius), self.box)

    def random_point(self, generator: torch.Generator) -> Tensor:
        """Uniform in the ball, then brought within the bounds."""
        start = self.x + random_perturbation(self.x, self.norm, self.radius, generator)
        return self.nearest(start)

    def only(self, kept: Tensor) -> PerturbationSet:
        """The same for some of the rows."""
        return PerturbationSet(self.x[kept], self.norm, self.radius, self.box)
