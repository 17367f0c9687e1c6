"""Losses of stacked logits, each with its slope (the derivative with respect to the logits).

A loss maps logits (M, B, k) and targets to its `Scores`. The slopes are written out because a
backward pass needs nothing else of a loss:

    cross-entropy   -sum_j t_j log p_j        slope  p sum(t) - t
    squared         mean_j (z_j - t_j)^2      slope  2 (z - t) / k
    Huber           mean_j h(z_j - t_j)       slope  clip(z - t, -1, 1) / k

Label smoothing by s replaces t by (1 - s) t + s / k. Where a row has logits at several places, as
a text has after each token, its value is the mean over them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Scores(NamedTuple):
    """What a loss says of the logits (M, B, k) of a batch.

    Attributes
    ----------
    values : Tensor of shape (M, B)
    slopes : Tensor of shape (M, B, k)
        Derivatives of the values with respect to the logits.
    hits : Tensor of shape (M, B)
        1 (or true) where the label's class has the largest logit; see `correct`.
    """

    values: Tensor
    slopes: Tensor
    hits: Tensor


Loss = Callable[[Tensor, Tensor, Tensor | None], Scores]

_CLASSES_LAST = 64  # classes from which a softmax over those of one example is the faster one


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether (M, B) no class has a larger logit than the label; NaN without classes.

    Of soft targets the largest is the label. (A tie counts as correct: comparing with the maximum
    is far cheaper in a training step than looking for its place.)
    """
    if logits.shape[-1] == 1:
        return logits.new_full(logits.shape[:-1], float("nan"))
    labels = targets.argmax(-1) if targets.is_floating_point() else targets
    return logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) == logits.amax(-1)


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: Tensor | None = None) -> Scores:
    """Cross-entropy with labels or with soft targets.

    Parameters
    ----------
    logits : Tensor of shape (M, B, k)
    targets : Tensor of shape (M, B), int64, or (M, B, k)
        Labels, or a distribution over the k classes.
    smoothing : Tensor of shape (M,), optional
        Label smoothing of each member.
    """
    # Classes before examples: the softmax then runs over whole vectors of examples, which is five
    # times as fast as over the few classes of one example.
    if logits.shape[-1] < _CLASSES_LAST:
        log_p = torch.log_softmax(logits.transpose(1, 2), 1)
    else:
        log_p = torch.log_softmax(logits, 2).transpose(1, 2)
    slopes = log_p.exp()
    if targets.is_floating_point():
        t = targets.transpose(1, 2)
        if smoothing is not None:
            s = smoothing[:, None, None]
            t = (1 - s) * t + s / logits.shape[-1]
        values = -(log_p * t).sum(1)
        slopes.mul_(t.sum(1, keepdim=True)).sub_(t)
        return Scores(values, slopes.transpose(1, 2), correct(logits, targets))
    labels = targets.unsqueeze(1)
    found = log_p.gather(1, labels).squeeze(1)
    hits = found == log_p.amax(1)
    values = -found
    hit = slopes.new_full((), -1.0)
    if smoothing is not None:
        s = smoothing[:, None]
        values = (1 - s) * values - s * log_p.mean(1)
        slopes -= s[..., None] / logits.shape[-1]
        hit = s[..., None] - 1
    slopes.scatter_add_(1, labels, hit.expand(labels.shape))
    return Scores(values, slopes.transpose(1, 2), hits)


def squared(logits: Tensor, targets: Tensor, smoothing: Tensor | None = None) -> Scores:
    """Squared error, averaged over the k outputs; targets (M, B, k)."""
    error = logits - targets
    slopes = error * (2.0 / error.shape[-1])
    return Scores(error.square().mean(-1), slopes, correct(logits, targets))


def huber(logits: Tensor, targets: Tensor, smoothing: Tensor | None = None) -> Scores:
    """Huber's loss with its bend at 1, averaged over the k outputs; targets (M, B, k)."""
    error = logits - targets
    clipped = error.clamp(-1.0, 1.0)
    values = (clipped * (error - 0.5 * clipped)).mean(-1)
    return Scores(values, clipped / error.shape[-1], correct(logits, targets))


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "squared": squared, "huber": huber}


def resolve_loss(loss: str | Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Find a loss by name, or differentiate a function of (logits, targets) -> values (M, B).

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(loss):
        return _over_places(_differentiated(loss))
    if loss not in LOSSES:
        raise ValueError(
            f"loss must be one of {sorted(LOSSES)} or a function of (logits, targets); "
            f"got {loss!r}."
        )
    return _over_places(LOSSES[loss])


def _over_places(loss: Loss) -> Loss:
    """The loss for logits (M, B, ..., k) too: a row's value is the mean over its places."""

    def mean_over_places(
        logits: Tensor, targets: Tensor, smoothing: Tensor | None = None
    ) -> Scores:
        if logits.dim() == 3:
            return loss(logits, targets, smoothing)
        last = logits.dim() - 2
        values, slopes, hits = loss(logits.flatten(1, -2), targets.flatten(1, last), smoothing)
        rows = logits.shape[:2]
        places = logits.shape[2:-1].numel()
        return Scores(
            values.view(*rows, places).mean(-1),
            slopes.reshape(logits.shape) / places,
            hits.view(*rows, places).to(values.dtype).mean(-1),
        )

    return mean_over_places


def _differentiated(function: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    def loss(logits: Tensor, targets: Tensor, smoothing: Tensor | None = None) -> Scores:
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            values = function(leaf, targets)
            slopes = torch.autograd.grad(values.sum(), leaf)[0]
        if targets.is_floating_point() and targets.shape != logits.shape:  # no distribution
            return Scores(values.detach(), slopes, torch.full_like(values, float("nan")))
        return Scores(values.detach(), slopes, correct(logits, targets))

    return loss
