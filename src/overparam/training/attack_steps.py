"""Steps inside a ball around each row, in the norms of adversarial attacks.

A row is one entry of the first axis, of any shape; its norm is that of the flattened row.

    linf   |d| = max |d_i|          steepest step   sign(g)
    l2     |d| = sqrt(sum d_i^2)    steepest step   g / |g|
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]
NORMS = ("linf", "l2")


def row_norms(rows: Tensor, norm: Norm) -> Tensor:
    """Norm (n,) of each row of an array (n, ...)."""
    return torch.linalg.vector_norm(rows.flatten(1), _order(norm), dim=1)


def over_rows(values: Tensor, rows: Tensor) -> Tensor:
    """One number a row (n,), shaped (n, 1, ...) so that it multiplies rows (n, ...)."""
    return values.view(-1, *[1] * (rows.dim() - 1))


def project(perturbation: Tensor, norm: Norm, radius: float) -> Tensor:
    """The nearest perturbation (n, ...), in Euclidean distance, within the ball around zero."""
    if norm == "linf":
        return perturbation.clamp(-radius, radius)
    lengths = row_norms(perturbation, norm)
    shrink = (radius / lengths.clamp(min=torch.finfo(lengths.dtype).tiny)).clamp(max=1.0)
    return perturbation * over_rows(shrink, perturbation)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The direction (n, ...) of norm 1 along which each row's value rises most; 0 where flat."""
    if norm == "linf":
        return gradient.sign()
    lengths = row_norms(gradient, norm)
    return gradient / over_rows(lengths.clamp(min=torch.finfo(lengths.dtype).tiny), gradient)


def random_perturbation(
    rows: Tensor, norm: Norm, radius: float, generator: torch.Generator
) -> Tensor:
    """Perturbations of rows (n, ...), uniform in the ball."""
    if norm == "linf":
        return torch.empty_like(rows).uniform_(-radius, radius, generator=generator)
    direction = torch.empty_like(rows).normal_(generator=generator)
    share = torch.rand(len(rows), generator=generator, device=rows.device, dtype=rows.dtype)
    size = rows[0].numel() if len(rows) else 1
    lengths = radius * share ** (1 / size)
    return steepest(direction, norm) * over_rows(lengths, rows)


def _order(norm: Norm) -> float:
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}; got {norm!r}.")
    return torch.inf if norm == "linf" else 2
