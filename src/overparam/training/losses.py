"""Losses of stacked logits, each with its slope (the derivative with respect to the logits).

A loss maps logits (M, B, k) and targets to values (M, B) and slopes (M, B, k). The slopes are
written out because a backward pass needs nothing else of a loss:

    cross-entropy   -sum_j t_j log p_j        slope  p sum(t) - t
    squared         mean_j (z_j - t_j)^2      slope  2 (z - t) / k
    Huber           mean_j h(z_j - t_j)       slope  clip(z - t, -1, 1) / k

Label smoothing by s replaces t by (1 - s) t + s / k.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]


def cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy with labels or with soft targets.

    Parameters
    ----------
    logits : Tensor of shape (M, B, k)
    targets : Tensor of shape (M, B), int64, or (M, B, k)
        Labels, or a distribution over the k classes.
    smoothing : Tensor of shape (M,), optional
        Label smoothing of each member.

    Returns
    -------
    values : Tensor of shape (M, B)
    slopes : Tensor of shape (M, B, k)
    """
    # Classes before examples: the softmax then runs over whole vectors of examples, which is five
    # times as fast as over the few classes of one example.
    log_p = torch.log_softmax(logits.transpose(1, 2), 1)
    slopes = log_p.exp()
    if targets.is_floating_point():
        t = targets.transpose(1, 2)
        if smoothing is not None:
            s = smoothing[:, None, None]
            t = (1 - s) * t + s / logits.shape[-1]
        values = -(log_p * t).sum(1)
        return values, slopes.mul_(t.sum(1, keepdim=True)).sub_(t).transpose(1, 2)
    labels = targets.unsqueeze(1)
    values = -log_p.gather(1, labels).squeeze(1)
    hit = slopes.new_full((), -1.0)
    if smoothing is not None:
        s = smoothing[:, None]
        values = (1 - s) * values - s * log_p.mean(1)
        slopes -= s[..., None] / logits.shape[-1]
        hit = s[..., None] - 1
    slopes.scatter_add_(1, labels, hit.expand(labels.shape))
    return values, slopes.transpose(1, 2)


def squared(
    logits: Tensor, targets: Tensor, smoothing: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Squared error, averaged over the k outputs; targets (M, B, k)."""
    error = logits - targets
    return error.square().mean(-1), error * (2.0 / error.shape[-1])


def huber(
    logits: Tensor, targets: Tensor, smoothing: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Huber's loss with its bend at 1, averaged over the k outputs; targets (M, B, k)."""
    error = logits - targets
    clipped = error.clamp(-1.0, 1.0)
    return (clipped * (error - 0.5 * clipped)).mean(-1), clipped / error.shape[-1]


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "squared": squared, "huber": huber}


def resolve_loss(loss: str | Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Find a loss by name, or differentiate a function of (logits, targets) -> values (M, B).

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(loss):
        return _differentiated(loss)
    if loss not in LOSSES:
        raise ValueError(
            f"loss must be one of {sorted(LOSSES)} or a function of (logits, targets); "
            f"got {loss!r}."
        )
    return LOSSES[loss]


def _differentiated(function: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    def loss(
        logits: Tensor, targets: Tensor, smoothing: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            values = function(leaf, targets)
            slopes = torch.autograd.grad(values.sum(), leaf)[0]
        return values.detach(), slopes

    return loss
