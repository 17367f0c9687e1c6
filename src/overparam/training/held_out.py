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
        figures = torch.stack([loss(logits, targets, None)[0], correct(logits, targets)])
        if data.weights is not None:
            figures = figures * data.weights[members[:, None], each]
        sums += figures.sum(-1)
    total = len(data.x) if data.weights is None else data.weights[members].sum(1)
    losses, accuracies = sums / total
    return losses, accuracies


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """1 where no class has a larger logit than the label, 0 elsewhere, NaN without classes.

    Of soft targets the largest is the label. (A tie counts as correct: comparing with the maximum
    is far cheaper in a training step than looking for its place.)
    """
    if logits.shape[-1] == 1:
        return logits.new_full(logits.shape[:-1], float("nan"))
    labels = targets.argmax(-1) if targets.is_floating_point() else targets
    label_logits = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return (label_logits == logits.amax(-1)).to(logits.dtype)
