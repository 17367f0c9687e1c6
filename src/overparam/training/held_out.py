"""Loss and accuracy of stacked members on held-out rows."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.training.gradient_programs import GradientProgram
from overparam.training.losses import Loss
from overparam.training.training_data import Examples


def evaluate(
    program: GradientProgram, data: Examples, members: Tensor, loss: Loss, block: int
) -> tuple[Tensor, Tensor]:
    """Weighted mean loss (G,) and accuracy (G,) of the members of a program.

    Parameters
    ----------
    program : GradientProgram
    data : Examples
    members : Tensor of shape (G,), int64
        Positions of the program's members in the ensemble: which targets and weights are theirs.
    loss : Loss
    block : int
        Rows at once.

    Returns
    -------
    losses, accuracies : Tensor of shape (G,)
        Accuracy is NaN where the targets are not classes.
    """
    sums = data.x.new_zeros(2, len(members))
    for rows in torch.arange(len(data.x), device=data.x.device).split(block):
        x = data.x[rows].expand(len(members), *([-1] * data.x.dim()))
        each = rows.expand(len(members), -1)
        targets = data.targets.at(members, each)
        logits = program.logits(x)
        scores = loss(logits, targets, None)
        figures = torch.stack([scores.values, scores.hits.to(scores.values.dtype)])
        if data.weights is not None:
            figures = figures * data.weights[members[:, None], each]
        sums += figures.sum(-1)
    total = len(data.x) if data.weights is None else data.weights[members].sum(1)
    losses, accuracies = sums / total
    return losses, accuracies
