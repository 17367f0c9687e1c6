"""A torch classifier as attacks see it: rows on its device, logits of at least two classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.diagnostics.recording import evaluating

# Low and high, each a number or a tensor that broadcasts over a row; None is no limit.
Bounds = tuple[float | Tensor, float | Tensor] | None
Classifier = Callable[[Tensor], Tensor]


@contextmanager
def attacking(module: nn.Module) -> Iterator[None]:
    """Evaluation mode with gradients; modes and the global random stream come back."""
    with evaluating(module), torch.inference_mode(False), torch.enable_grad():
        yield


def laid_out(module: nn.Module, x: Tensor) -> Classifier:
    """The module, fed with images in the layout that is fast for it.

    On a CPU convolutions take about half as long on channels-last images. A module that calls
    `view` on what comes out of them cannot take such images: this is tried on two rows.
    """
    convolves = any(isinstance(layer, nn.Conv2d) for layer in module.modules())
    if x.device.type != "cpu" or x.dim() != 4 or not convolves:
        return module

    def channels_last(images: Tensor) -> Tensor:
        return module(images.to(memory_format=torch.channels_last))

    try:
        with torch.no_grad():
            channels_last(x[:2])
    except RuntimeError:
        return module  # and what is really wrong shows there
    return channels_last


def logits_of(module: Classifier, x: Tensor) -> Tensor:
    """Logits (b, K) with K >= 2; a single logit z, of shape (b,) or (b, 1), becomes (0, z).

    Raises
    ------
    ValueError
        If the module gives anything else.
    """
    z = module(x)
    if z.shape == (len(x),):
        z = z[:, None]
    if z.dim() != 2 or len(z) != len(x) or z.shape[1] < 1:
        raise ValueError(
            f"module must give logits of shape (n, classes); got {tuple(z.shape)} for {len(x)} "
            "rows."
        )
    return torch.cat([torch.zeros_like(z), z], 1) if z.shape[1] == 1 else z


def rows_for(module: nn.Module, X: Any) -> Tensor:
    """X (n, ...) on the module's device and in its precision, detached.

    Raises
    ------
    ValueError
        If X is not finite floating-point numbers with at least one row.
    """
    # A copy of read-only arrays would warn in torch.
    x = (X if isinstance(X, Tensor) else torch.as_tensor(np.array(X))).detach()
    if x.dim() < 2 or not len(x) or not x.is_floating_point():
        raise ValueError(
            "X must be floating-point numbers of shape (n, ...) with n >= 1; "
            f"got {x.dtype} of shape {tuple(x.shape)}."
        )
    if not bool(torch.isfinite(x).all()):
        bad = int((~torch.isfinite(x.flatten(1))).any(1).sum())
        raise ValueError(f"X must be finite; got NaN or infinity in {bad} of {len(x)} rows.")
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    return x if like is None else x.to(like.device, like.dtype)


def labels_for(y: Any, x: Tensor) -> Tensor:
    """Labels (n,), integers >= 0, on the device of the rows.

    Raises
    ------
    ValueError
        If their shape or type does not fit. What is >= the number of classes shows with the first
        logits: see `attacked.in_blocks`.
    """
    labels = (y if isinstance(y, Tensor) else torch.as_tensor(np.array(y))).detach()
    if labels.shape != (len(x),) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"y must be integers, one per row of X; got {labels.dtype} of shape "
            f"{tuple(labels.shape)} for {len(x)} rows."
        )
    if int(labels.min()) < 0:
        raise ValueError(f"y must be class indices >= 0; got {int(labels.min())}.")
    return labels.to(x.device, torch.int64)


def bounds_for(bounds: Any, x: Tensor) -> Bounds:
    """Bounds as numbers or tensors of the rows' precision, after checking the rows themselves.

    Raises
    ------
    ValueError
        If bounds are not a pair low <= high that broadcasts over a row, or X leaves them.
    """
    if bounds is None:
        return None
    try:
        low, high = bounds
        low, high = (
            float(b)
            if np.ndim(b) == 0
            else torch.as_tensor(b).detach().to(x.device, x.dtype).expand(x.shape[1:])
            for b in (low, high)
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            "bounds must be None or a pair (low, high) of numbers or of arrays that fit a row of "
            f"shape {tuple(x.shape[1:])}; got {bounds!r}."
        ) from error
    if not bool(torch.all(torch.as_tensor(low) <= torch.as_tensor(high))):
        raise ValueError(f"bounds must have low <= high; got {bounds!r}.")
    # A pixel of 1.0000001 comes from rounding, not from a scaling that was forgotten.
    slack = 1e-6
    if bool(((x < low - slack) | (x > high + slack)).any()):
        raise ValueError(
            f"X must lie within bounds; got values from {float(x.min()):.4g} to "
            f"{float(x.max()):.4g} for bounds={bounds!r}. Give the range of your data, or "
            "bounds=None for none."
        )
    return low, high


def clipped(x: Tensor, bounds: Bounds) -> Tensor:
    """Rows within the bounds."""
    if bounds is None:
        return x
    low, high = bounds
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return torch.minimum(torch.maximum(x, _tensor(low, x)), _tensor(high, x))
    return x.clamp(low, high)


def _tensor(bound: float | Tensor, x: Tensor) -> Tensor:
    return bound if isinstance(bound, Tensor) else x.new_tensor(bound)
