"""The Square attack: random search that asks for logits only (arXiv 1912.00049).

A row's best point changes on one window at a time, at a random place; a change is kept if the
margin falls. The window's share p of the area falls from 0.8 to 0.8 / 512 over the queries.

    linf    start: stripes of +-radius;  change: one channel's window is x + radius or x - radius
    l2      start: a tiling of bumps;    change: the perturbation of a second window is moved into
            the first one, with a bump of random sign added: the length stays what it was
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
from overparam.diagnostics.attacks.attacked_classifier import logits_of
from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.diagnostics.attacks.square_proposals import Boxes, Bumps
from overparam.diagnostics.run_measures import margins
from overparam.training.attack_steps import Norm

_SHARE = 0.8  # of the area, at first
# Halved after so many of 10,000 queries (the paper's schedule, stretched to any number).
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass(frozen=True)
class Square:
    """Random search on windows; needs no gradient.

    Parameters
    ----------
    norm : {"linf", "l2"}
    radius : float
        Of the ball around each row, in the units of the inputs.
    queries : int
        Forward passes a row, the start included.

    Raises
    ------
    ValueError
        If a setting is outside what is accepted.

    Notes
    -----
    Rows of three dimensions are channels x height x width, of two height x width; others are
    flattened, and a window is a run of neighbouring entries.
    """

    norm: Norm = "linf"
    radius: float = 8 / 255
    queries: int = 1000

    def __post_init__(self) -> None:
        check_settings(self.norm, self.radius, queries=self.queries)

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
        return attacked([self._search], self.norm, module, X, y, bounds, seed, batch_size or 512)

    def _search(self, block: Round) -> None:
        allowed = PerturbationSet(block.x, self.norm, self.radius, block.box)
        walk = (Boxes if self.norm == "linf" else Bumps)(allowed, block.generator)
        rows, y, shape = block.rows, block.y, block.progress.x.shape[1:]
        best = block.progress.x.new_full((len(rows),), torch.inf)
        with torch.no_grad():
            for query in range(self.queries):
                candidate = walk.propose(_share(query, self.queries)) if query else walk.start()
                z = logits_of(block.module, candidate.view(-1, *shape))
                margin, away = margins(z, y), z.argmax(1) != y
                better = away | (margin < best)
                best = torch.where(better, margin, best)
                walk.settle(better)
                block.progress.queries[rows] += 1
                if away.any():
                    found = walk.best[away].view(-1, *shape)
                    block.progress.keep(rows[away], found, best[away], away[away])
                    stands = ~away
                    rows, y, best = rows[stands], y[stands], best[stands]
                    walk.only(stands)
                    if not len(rows):
                        return
            closer = best < block.progress.margin[rows]
            found = walk.best[closer].view(-1, *shape)
            block.progress.keep(rows[closer], found, best[closer], ~closer[closer])


def _share(query: int, queries: int) -> float:
    """The window's share of the area."""
    at = query * 10_000 // queries
    return _SHARE / 2 ** sum(at > mark for mark in _HALVINGS)
