"""Gradients of a limited length, each member's by itself."""

from __future__ import annotations

import torch

from overparam.training.callbacks import Callback, LiveStack


class ClipGradients(Callback):
    """Scale a member's whole gradient down to a norm, before each update.

    As `torch.nn.utils.clip_grad_norm_` does for one network (without its 1e-6 in the denominator).

    Parameters
    ----------
    max_norm : float
        Largest Euclidean norm over all parameters, > 0.

    Raises
    ------
    ValueError
        If it is not a positive number.
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        if not 0 < max_norm < float("inf"):
            raise ValueError(f"max_norm must be a number > 0; got {max_norm!r}.")
        self.max_norm = max_norm

    def before_update(self, stack: LiveStack) -> None:
        """See `Callback`."""
        slopes = list(stack.gradients.values())
        members = len(stack.members)
        if members == 1:
            norm = torch.stack(torch._foreach_norm(slopes)).norm().view(1)
        else:
            each = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in slopes]
            norm = torch.stack(each).norm(dim=0)
        factor = (self.max_norm / norm).clamp(max=1.0)
        if members == 1:
            torch._foreach_mul_(slopes, factor.squeeze())
        else:
            for g in slopes:
                g.mul_(factor.view(-1, *[1] * (g.dim() - 1)))
