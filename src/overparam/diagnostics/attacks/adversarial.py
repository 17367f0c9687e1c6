"""What every attack takes and gives, and the loop over rows that they share.

A row leaves at the first point that fools the module; the rows that stand are packed into full
blocks again for every round (restart, target class).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from overparam.diagnostics.attacks.attacked_classifier import (
    Bounds,
    Classifier,
    attacking,
    bounds_for,
    labels_for,
    laid_out,
    logits_of,
    rows_for,
)
from overparam.diagnostics.run_measures import margins
from overparam.training.attack_steps import NORMS, Norm, row_norms


@dataclass(frozen=True)
class Adversarial:
    """Attacked rows; tensors on the module's device.

    Attributes
    ----------
    points : Tensor of shape (n, ...)
        The first point found that fools the module; else the one of least margin. A row that is
        misclassified as it stands is its own point.
    fooled : Tensor of shape (n,), bool
        Whether the predicted class at `points` is not y.
    margin : Tensor of shape (n,)
        Logit of y minus the largest other one at `points`.
    distance : Tensor of shape (n,)
        Norm of points - X, in the norm of the attack.
    queries : Tensor of shape (n,), int
        Forward passes spent on each row.
    """

    points: Tensor
    fooled: Tensor
    margin: Tensor
    distance: Tensor
    queries: Tensor

    @property
    def robust_accuracy(self) -> float:
        """Share of rows that are not fooled."""
        return float((~self.fooled).double().mean())


class Attack(Protocol):
    """A search for points at which a module errs, within `radius` of each row in `norm`."""

    @property
    def norm(self) -> Norm: ...

    @property
    def radius(self) -> float: ...

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
        """Attack rows X (n, ...) of classes y (n,).

        Parameters
        ----------
        module : nn.Module
            Gives logits (n, K), or one logit z for classes 0 (z <= 0) and 1. It runs in
            evaluation mode; modes come back, parameters get no gradients.
        X : array or Tensor of shape (n, ...)
            Floating-point rows, as the module takes them. A module that wants standardised inputs
            is attacked in the units of the pixels as `nn.Sequential(standardise, module)`.
        y : array or Tensor of shape (n,), int
        bounds : pair or None
            Least and greatest input, numbers or arrays that broadcast over a row.
        seed : int
            Of the random choices. The global random stream is left alone.
        batch_size : int, optional
            Rows at a time; by default what is fast on a CPU.

        Returns
        -------
        Adversarial

        Raises
        ------
        ValueError
            If an argument is not accepted, or X leaves the bounds.
        """
        ...


class Progress:
    """The best point so far of every row: one that fools, else the one of least margin."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self.points = x.clone()
        self.margin = x.new_full((len(x),), torch.inf)
        self.fooled = torch.zeros_like(y, dtype=torch.bool)
        self.queries = torch.zeros_like(y)
        self.clean = x.new_empty((len(x), 0))  # logits of the rows themselves

    def see(self, rows: Tensor, at: Tensor, logits: Tensor) -> Tensor:
        """Take a forward pass over some rows; return which of them (b,) still stand."""
        y = self.y[rows]
        margin, away = margins(logits, y), logits.argmax(1) != y
        self.queries[rows] += 1
        better = away | (margin < self.margin[rows])
        if better.all():
            self.keep(rows, at, margin, away)
        else:
            self.keep(rows[better], at[better], margin[better], away[better])
        return ~away

    def keep(self, rows: Tensor, at: Tensor, margin: Tensor, away: Tensor) -> None:
        """Write down points of some rows, whatever was there before."""
        self.points[rows], self.margin[rows], self.fooled[rows] = at, margin, away

    def standing(self) -> Tensor:
        """Rows that nothing has fooled yet."""
        return (~self.fooled).nonzero().flatten()


@dataclass(frozen=True)
class Round:
    """What a search is given: a block of rows that stand."""

    module: Classifier
    rows: Tensor
    progress: Progress
    box: Bounds
    generator: torch.Generator

    @property
    def x(self) -> Tensor:
        return self.progress.x[self.rows]

    @property
    def y(self) -> Tensor:
        return self.progress.y[self.rows]


def attacked(
    searches: Sequence[Callable[[Round], None]],
    norm: Norm,
    module: nn.Module,
    X: Any,
    y: Any,
    bounds: Any,
    seed: int,
    batch_size: int,
    accept: Callable[[int], None] = lambda n_classes: None,
) -> Adversarial:
    """Run searches one after the other, each on blocks of the rows that still stand.

    `accept(n_classes)` raises where the searches do not make sense for so few classes.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be an integer >= 1; got {batch_size!r}.")
    x = rows_for(module, X)
    labels = labels_for(y, x)
    box = bounds_for(bounds, x)
    generator = torch.Generator(x.device).manual_seed(seed)
    progress = Progress(x, labels)
    with attacking(module):
        classifier = laid_out(module, x)
        _look(classifier, progress, batch_size, accept)
        for search in searches:
            for rows in progress.standing().split(batch_size):
                if len(rows):
                    search(Round(classifier, rows, progress, box, generator))
    distance = row_norms(progress.points - x, norm)
    return Adversarial(
        progress.points, progress.fooled, progress.margin, distance, progress.queries
    )


def _look(
    module: Classifier, progress: Progress, batch_size: int, accept: Callable[[int], None]
) -> None:
    """The clean rows: what is wrong already is not attacked."""
    everyone = torch.arange(len(progress.x), device=progress.x.device)
    found: list[Tensor] = []
    with torch.no_grad():
        for rows in everyone.split(batch_size):
            z = logits_of(module, progress.x[rows])
            if not found:
                accept(z.shape[1])
            if int(progress.y[rows].max()) >= z.shape[1]:
                raise ValueError(
                    f"y must be below the module's number of classes, {z.shape[1]}; "
                    f"got {int(progress.y[rows].max())}."
                )
            progress.see(rows, progress.x[rows], z)
            found.append(z)
    progress.clean = torch.cat(found)


def check_settings(norm: str, radius: float, **counts: int) -> None:
    """Errors of the settings that attacks share; counts are integers >= 1."""
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}; got {norm!r}.")
    if not radius >= 0:
        raise ValueError(f"radius must be a number >= 0; got {radius!r}.")
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")
