"""DeepFool as an attack: the least perturbation that it finds, if it is within the radius."""

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
from overparam.diagnostics.attacks.attacked_classifier import logits_of
from overparam.diagnostics.attacks.deepfool import Search, check_search
from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.training.attack_steps import Norm, over_rows


@dataclass(frozen=True)
class DeepFool:
    """Walk to the nearest linearised boundary until the class changes, then bisect.

    Parameters
    ----------
    norm : {"linf", "l2"}
        In which steps are the shortest.
    radius : float
        Rows whose boundary is further away count as not fooled; no limit by default.
    steps, overshoot, bisections, candidates
        As `max_steps` and the others of `boundary_points`.

    Raises
    ------
    ValueError
        If a setting is outside what is accepted.
    """

    norm: Norm = "l2"
    radius: float = torch.inf
    steps: int = 50
    overshoot: float = 1e-5
    bisections: int = 20
    candidates: int | None = None

    def __post_init__(self) -> None:
        check_settings(self.norm, self.radius, steps=self.steps)
        check_search(self.overshoot, self.bisections, self.candidates)

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
        """See `Attack.attack`; nothing is random here."""
        return attacked([self._walk], self.norm, module, X, y, bounds, seed, batch_size or 256)

    def _walk(self, block: Round) -> None:
        search = Search(self.steps, self.overshoot, self.bisections, self.candidates, self.norm)
        found, passes = search.block(block.module, block.x, block.box)
        block.progress.queries[block.rows] += passes
        # Too far: the point of the ball on the way there, which is nearer to the boundary than x.
        tried = found.points
        if self.radius < torch.inf:
            allowed = PerturbationSet(block.x, self.norm, self.radius, block.box)
            far = found.distance > self.radius
            tried = torch.where(over_rows(far, tried), allowed.nearest(tried), tried)
        with torch.no_grad():
            block.progress.see(block.rows, tried, logits_of(block.module, tried))
