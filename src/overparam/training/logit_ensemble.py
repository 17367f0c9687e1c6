"""One prediction from many networks: the softmax of the mean of their logits.

    logits:         p(y) ~ prod_m p_m(y)^(1/M)      (normalised geometric mean)
    probabilities:  p(y) = sum_m p_m(y) / M

Both are convex: the cross-entropy of the average is at most the average cross-entropy of the
members, on every row. The two differ (the first is sharper where members agree); say which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp
from torch import nn

from overparam.training.ensemble import Ensemble

Average = Literal["logits", "probabilities"]
Member = Ensemble | nn.Module | Callable[[Any], Any]


def average_logits(logits: Any, average: Average = "logits") -> np.ndarray:
    """Log probabilities (..., k) of the average of M members' logits (M, ..., k).

    Raises
    ------
    ValueError
        If `average` is neither "logits" nor "probabilities", or there is no member axis.
    """
    z = np.asarray(logits)
    if z.ndim < 2 or not len(z):
        raise ValueError(f"logits must have shape (members, ..., classes); got {z.shape}.")
    if average == "logits":
        return log_softmax(z.mean(axis=0), axis=-1)
    if average == "probabilities":
        return logsumexp(log_softmax(z, axis=-1), axis=0) - np.log(len(z)).astype(z.dtype)
    raise ValueError(f"average must be 'logits' or 'probabilities'; got {average!r}.")


def mean_nats(log_p: np.ndarray, y: Any) -> float:
    """Mean cross-entropy in nats of log probabilities (..., k) at the labels y (...)."""
    labels = np.asarray(y)
    found = np.take_along_axis(log_p, labels[..., None].astype(np.int64), axis=-1)
    return -float(found.mean(dtype=np.float64))


class LogitEnsemble:
    """Networks that predict together.

    Parameters
    ----------
    members : Ensemble, or sequence of Ensemble, nn.Module or callable
        A callable maps X (n, ...) to logits (n, ..., k); all share X and the classes.
    average : {"logits", "probabilities"}

    Raises
    ------
    ValueError
        If there is no member or `average` is unknown.

    Examples
    --------
    >>> from overparam.nets.mlp import MLP
    >>> together = LogitEnsemble([MLP(3, 2, (8,), seed=s) for s in range(4)])
    >>> together.predict_proba(np.zeros((5, 3), dtype=np.float32)).shape
    (5, 2)
    """

    def __init__(self, members: Member | Sequence[Member], average: Average = "logits") -> None:
        self.members: list[Any] = list(members) if isinstance(members, (list, tuple)) else [members]
        if not self.members:
            raise ValueError("members must hold at least one network; got none.")
        self.average = average
        average_logits(np.zeros((1, 1)), average)  # checks the name

    def member_logits(self, X: Any) -> np.ndarray:
        """Logits (M, n, ..., k) of each member."""
        return np.concatenate([_logits(member, X) for member in self.members])

    def predict_logits(self, X: Any, *, block: int = 1024) -> np.ndarray:
        """Log probabilities (n, ..., k) of the average, `block` rows at once."""
        parts = range(0, len(X), block)
        return np.concatenate(
            [average_logits(self.member_logits(X[i : i + block]), self.average) for i in parts]
        )

    def predict_proba(self, X: Any, *, block: int = 1024) -> np.ndarray:
        """Probabilities (n, ..., k) of the average."""
        return np.exp(self.predict_logits(X, block=block))

    def loss(self, X: Any, y: Any, *, block: int = 1024) -> float:
        """Mean cross-entropy of labels y (n, ...) in nats, in memory for one block only."""
        total = 0.0
        for i in range(0, len(X), block):
            part = X[i : i + block]
            log_p = average_logits(self.member_logits(part), self.average)
            total += mean_nats(log_p, y[i : i + block]) * len(part)
        return total / len(X)


def _logits(member: Member, X: Any) -> np.ndarray:
    """Logits (members, n, ..., k) of one entry of the list."""
    if isinstance(member, Ensemble):
        return member.predict_logits(X)
    if isinstance(member, nn.Module):
        first = next(member.parameters())
        x = torch.as_tensor(X, device=first.device)
        x = x if getattr(member, "takes_tokens", False) else x.to(first.dtype)
        training = member.training
        with torch.no_grad():
            logits = member.eval()(x)
        member.train(training)
        return logits.cpu().numpy()[None]
    return np.asarray(member(X))[None]
