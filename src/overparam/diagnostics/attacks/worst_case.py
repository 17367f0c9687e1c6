"""Robust accuracy: the worst case of every row over several attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from overparam.diagnostics.attacks.adversarial import Adversarial, Attack
from overparam.diagnostics.attacks.attacked_classifier import bounds_for, labels_for, rows_for
from overparam.diagnostics.attacks.auto_projected_gradient import APGD
from overparam.diagnostics.attacks.deepfool_attack import DeepFool
from overparam.diagnostics.attacks.square import Square
from overparam.training.attack_steps import Norm

_NONE, _WRONG = -1, -2  # by which attack a row was fooled, where it was by none


@dataclass(frozen=True)
class AttackResult:
    """One attack of a suite.

    Attributes
    ----------
    attack : Attack
    tried, fooled : int
        Rows that it was run on, and those of them that it fooled.
    queries : int
        Forward passes of single rows.
    robust_accuracy : float
        Share of all rows that no attack up to this one fooled; with `every_row`, that this one
        alone did not fool.
    """

    attack: Attack
    tried: int
    fooled: int
    queries: int
    robust_accuracy: float


@dataclass(frozen=True)
class RobustAccuracy:
    """The worst case over a suite.

    Attributes
    ----------
    clean : float
        Accuracy on the rows themselves.
    worst_case : float
        Share of rows that no attack fooled.
    standard_error : float
        Of `worst_case`, for rows drawn at random.
    attacks : tuple of AttackResult
    points : Tensor of shape (n, ...)
        The first point found that fools; else the one of least margin over all attacks.
    fooled : Tensor of shape (n,), bool
    fooled_by : Tensor of shape (n,), int
        Index of the first attack that fooled the row; -1 where none did, -2 where the row is
        misclassified as it stands.
    margin : Tensor of shape (n,)
        Logit of y minus the largest other one at `points`.
    distance : Tensor of shape (n,)
        Of `points` from X in the norm of the attack that they come from.
    """

    clean: float
    worst_case: float
    standard_error: float
    attacks: tuple[AttackResult, ...]
    points: Tensor
    fooled: Tensor
    fooled_by: Tensor
    margin: Tensor
    distance: Tensor


def robust_accuracy(
    module: nn.Module,
    X: Any,
    y: Any,
    suite: Sequence[Attack],
    *,
    bounds: Any = (0.0, 1.0),
    seed: int = 0,
    batch_size: int | None = None,
    every_row: bool = False,
) -> RobustAccuracy:
    """Attack rows with one attack after the other, each on those that still stand.

    Parameters
    ----------
    module, X, y, bounds, seed, batch_size
        See `Attack.attack`.
    suite : sequence of Attack
        Cheap ones first. With one norm and radius the result is an upper limit of the accuracy
        under the worst perturbation of that ball; with several, of their union.
    every_row : bool
        Run each attack on every row, so that `attacks` compares them.

    Returns
    -------
    RobustAccuracy

    Raises
    ------
    ValueError
        If the suite is empty, or an argument is not accepted.

    Examples
    --------
    >>> from overparam.nets import MLP
    >>> X, y = torch.rand(64, 16, generator=torch.Generator().manual_seed(0)), [0, 1, 2, 3] * 16
    >>> suite = standard_suite(4, radius=0.1, steps=10, queries=50)
    >>> found = robust_accuracy(MLP(16, 4, seed=0), X, y, suite)
    >>> found.worst_case <= found.clean
    True
    """
    suite = tuple(suite)
    if not suite:
        raise ValueError("suite must be a sequence of at least one attack; got none.")
    strangers = [each for each in suite if not callable(getattr(each, "attack", None))]
    if strangers:
        raise ValueError(f"suite must be a sequence of attacks; got {strangers[0]!r} in it.")
    x = rows_for(module, X)
    labels = labels_for(y, x)
    bounds_for(bounds, x)
    worst = _Worst(x)
    results: list[AttackResult] = []
    for index, attack in enumerate(suite):
        rows = torch.arange(len(x), device=x.device)
        rows = rows if every_row or not index else rows[worst.by == _NONE]
        if not len(rows):
            results.append(AttackResult(attack, 0, 0, 0, results[-1].robust_accuracy))
            continue
        found = attack.attack(
            module, x[rows], labels[rows], bounds=bounds, seed=seed, batch_size=batch_size
        )
        wrong = worst.take(index, rows, found)
        stands = len(x) - int(found.fooled.sum()) if every_row else int(worst.stands().sum())
        results.append(
            AttackResult(
                attack,
                tried=len(rows) - int(wrong.sum()),
                fooled=int((found.fooled & ~wrong).sum()),
                queries=int(found.queries.sum()),
                robust_accuracy=stands / len(x),
            )
        )
    share = float(worst.stands().double().mean())
    return RobustAccuracy(
        clean=float((worst.by != _WRONG).double().mean()),
        worst_case=share,
        standard_error=(share * (1 - share) / len(x)) ** 0.5,
        attacks=tuple(results),
        points=worst.points,
        fooled=~worst.stands(),
        fooled_by=worst.by,
        margin=worst.margin,
        distance=worst.distance,
    )


class _Worst:
    """The worst point of every row over the attacks so far."""

    def __init__(self, x: Tensor) -> None:
        self.points, self.distance = x.clone(), x.new_zeros(len(x))
        self.margin = x.new_full((len(x),), torch.inf)
        self.by = torch.full((len(x),), _NONE, device=x.device)

    def stands(self) -> Tensor:
        return self.by == _NONE

    def take(self, index: int, rows: Tensor, found: Adversarial) -> Tensor:
        """Take what an attack found on some rows; return which of them (b,) were wrong before."""
        wrong = found.fooled & (found.distance == 0)
        open_rows = self.by[rows] == _NONE
        better = open_rows & (found.fooled | (found.margin < self.margin[rows]))
        kept = rows[better]
        self.points[kept], self.margin[kept] = found.points[better], found.margin[better]
        self.distance[kept] = found.distance[better]
        self.by[rows[open_rows & found.fooled]] = index
        self.by[rows[open_rows & wrong]] = _WRONG
        return wrong


def standard_suite(
    n_classes: int,
    norm: Norm = "linf",
    radius: float = 8 / 255,
    *,
    steps: int = 100,
    queries: int = 5000,
    deepfool: bool = False,
) -> tuple[Attack, ...]:
    """Attacks in the manner of AutoAttack (arXiv 2003.01690): nothing to tune.

    APGD on the cross-entropy, APGD on the targeted DLR loss, Square. The authors' own suite runs
    FAB, a search for the least perturbation, before Square; `deepfool` puts DeepFool there.

    Parameters
    ----------
    n_classes : int
        Of the module. The targeted DLR loss needs 4: with 3 classes it is replaced by the DLR
        loss, with 2 by the margin.
    norm, radius
        Of every attack.
    steps, queries : int
        Of every run of APGD, and of Square.
    deepfool : bool

    Returns
    -------
    tuple of Attack

    Raises
    ------
    ValueError
        If there are fewer than 2 classes, or a setting is outside what is accepted.
    """
    if not isinstance(n_classes, int) or n_classes < 2:
        raise ValueError(f"n_classes must be an integer >= 2; got {n_classes!r}.")
    if n_classes >= 4:
        second = APGD(norm, radius, steps, loss="targeted-dlr", targets=min(9, n_classes - 1))
    else:
        second = APGD(norm, radius, steps, loss="dlr" if n_classes == 3 else "margin")
    between: tuple[Attack, ...] = (DeepFool(norm, radius),) if deepfool else ()
    return (APGD(norm, radius, steps), second, *between, Square(norm, radius, queries))
