"""What gradient attacks raise: losses (b,) of logits z (b, K) and classes y (b,).

    ce              log sum_i exp(z_i) - z_y
    margin          max_{i != y} z_i - z_y
    dlr             (max_{i != y} z_i - z_y) / (z_(1) - z_(3))
    targeted-dlr    (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2)

z_(1) >= z_(2) >= ... are the sorted logits, t a target class. The last two are those of arXiv
2003.01690: multiplying all logits by a number changes nothing, so that a network that is very sure
of itself does not hide its gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from overparam.diagnostics.attacks.attacked_classifier import Classifier, logits_of
from overparam.diagnostics.run_measures import margins

Loss = Literal["ce", "margin", "dlr", "targeted-dlr"]
# Fewest classes that a loss can be computed of.
FEWEST_CLASSES = {"ce": 2, "margin": 2, "dlr": 3, "targeted-dlr": 4}


def check_loss(loss: str, accepted: tuple[str, ...] = tuple(FEWEST_CLASSES)) -> None:
    """Raise ValueError unless the loss is known."""
    if loss not in accepted:
        raise ValueError(f"loss must be one of {accepted}; got {loss!r}.")


def check_classes(loss: Loss, n_classes: int) -> None:
    """Raise ValueError where the module has too few classes for the loss."""
    if n_classes < FEWEST_CLASSES[loss]:
        raise ValueError(
            f"loss={loss!r} must have at least {FEWEST_CLASSES[loss]} classes; the module gives "
            f"{n_classes}. Use loss='margin', which is the same without the denominator."
        )


def attack_loss(loss: Loss, z: Tensor, y: Tensor, target: Tensor | None = None) -> Tensor:
    """Loss (b,) of each row; `target` (b,) for "targeted-dlr" only."""
    if loss == "ce":
        return cross_entropy(z, y, reduction="none")
    if loss == "margin":
        return -margins(z, y)
    tiny = 1e-12  # all logits equal: the loss is 0, not NaN
    if loss == "dlr":
        top = z.topk(3, dim=1).values
        return -margins(z, y) / (top[:, 0] - top[:, 2] + tiny)
    assert target is not None
    top = z.topk(4, dim=1).values
    gap = (z.gather(1, target[:, None]) - z.gather(1, y[:, None])).squeeze(1)
    return gap / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + tiny)


def loss_gradient(
    module: Classifier, at: Tensor, loss: Loss, y: Tensor, target: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (b, K), losses (b,) and the losses' gradient (b, ...) at some points, detached."""
    at = at.detach().requires_grad_()
    z = logits_of(module, at)
    losses = attack_loss(loss, z, y, target)
    # By grad, not backward: nothing is computed for the parameters.
    (gradient,) = torch.autograd.grad(losses.sum(), at)
    return z.detach(), losses.detach(), gradient
