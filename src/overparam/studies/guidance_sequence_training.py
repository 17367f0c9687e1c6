"""The training loop of guided sequence models, and their weights as what a cell can keep."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from overparam.studies.guidance_sequence_nets import state_names
from overparam.training.guidance import Guidance
from overparam.training.schedules import warmup_cosine

LARGEST_GRADIENT = 1.0  # its norm: recurrent networks need it

# A minibatch: tokens x (B, T), right answers y (B, T), and where they count, (B, T) of bool.
Batch = tuple[Tensor, Tensor, Tensor]


def train(
    net: nn.Module,
    batches: Callable[[], Batch],
    steps: int,
    rate: float,
    guide: nn.Module | None = None,
    depth: int = 2,
    alpha: float = 1.0,
) -> nn.Module:
    """Train a network of tokens in place: cross-entropy where it counts, plus the guide's term.

    AdamW without decay, the rate warmed up and then lowered along a cosine.

    Parameters
    ----------
    net : nn.Module
        Logits (B, T, vocab) of tokens (B, T), hidden layers named by `state_names(depth)`.
    batches : callable
        The next minibatch.
    steps : int
    rate : float
    guide : nn.Module, optional
        Frozen, with as many hidden layers of the same names.
    depth : int
        Hidden layers of both.
    alpha : float
        Weight of the guide's term.
    """
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: warmup_cosine(s, steps))
    names = state_names(depth)
    guidance = None if guide is None else Guidance(guide, net, names, names, alpha=alpha)
    net.train()
    with guidance or nullcontext():
        for _ in range(steps):
            x, y, counted = batches()
            loss = nn.functional.cross_entropy(net(x)[counted], y[counted])
            if guidance is not None:
                loss = loss + guidance.loss(x)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
    return net.eval()


def weights_of(net: nn.Module) -> np.ndarray:
    """All weights (n,) of a network."""
    return nn.utils.parameters_to_vector(net.parameters()).detach().numpy()


def restored(net: nn.Module, weights: np.ndarray) -> nn.Module:
    """A network of the same shape with these weights, in evaluation mode."""
    nn.utils.vector_to_parameters(torch.from_numpy(np.array(weights)), net.parameters())
    return net.eval()
