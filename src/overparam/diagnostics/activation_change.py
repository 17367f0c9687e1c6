"""The coordinate check: does training change every layer by as much, whatever the width?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from overparam.evidence.seed_tables import log_log_slopes
from overparam.nets.init import WEIGHT_LAYERS

Module = nn.Module | tuple[nn.Module, Sequence[dict[str, Any]]]

STANDS_STILL, EXPLODES = -0.25, 0.25
_OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
_WEIGHTED = (*WEIGHT_LAYERS, nn.Embedding)


@dataclass(frozen=True)
class CoordinateCheck:
    """How much training changed the activations of each layer, over width.

    Attributes
    ----------
    table : polars.DataFrame
        layer, width, seed, change: root mean square over examples and units of what the steps added
        to the layer's output.
    exponents : mapping of str to float
        Slope of log change over log width, a layer.
    intervals : mapping of str to (float, float)
        95 % interval of each slope over seeds; NaN for one seed.
    verdict : {"width-independent", "stands still", "explodes"}
        The worst layer's: an exponent above 0.25 explodes, one below -0.25 stands still.
    """

    table: pl.DataFrame
    exponents: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    verdict: Literal["width-independent", "stands still", "explodes"]


def coordinate_check(
    make_module: Callable[..., Module],
    widths: Sequence[int],
    batch: tuple[Tensor, Tensor],
    *,
    steps: int = 5,
    learning_rate: float = 1e-2,
    optimizer: Literal["adam", "sgd"] = "adam",
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
) -> CoordinateCheck:
    """Train networks of several widths for a few steps on one batch and compare their layers.

    Under the maximal update parametrisation each layer's change does not depend on the width: the
    learning rate found on a small network holds for a wide one. Under the standard parametrisation
    it grows with the width for one rate, and under the NTK parametrisation hidden layers stand
    still.

    Parameters
    ----------
    make_module : callable
        ``make_module(width, seed)`` gives a module, or a module and its parameter groups.
    widths : sequence of int
        At least two.
    batch : (Tensor, Tensor)
        Inputs and targets of the one batch.
    steps : int
        Updates, >= 1.
    learning_rate : float
        Where `make_module` gives no parameter groups.
    optimizer : {"adam", "sgd"}
    loss : callable, optional
        ``loss(outputs, targets)``; cross-entropy for integer targets, else mean squared error.
    seeds : sequence of int

    Returns
    -------
    CoordinateCheck

    Raises
    ------
    ValueError
        If there are fewer than two widths, `steps` is below 1 or `optimizer` is unknown.

    References
    ----------
    Yang and Hu, arXiv:2011.14522; Yang et al., arXiv:2203.03466, appendix D.
    """
    widths = sorted(set(widths))
    if len(widths) < 2:
        raise ValueError(f"widths must hold at least two widths; got {widths}.")
    if steps < 1:
        raise ValueError(f"steps must be an integer >= 1; got {steps!r}.")
    if optimizer not in _OPTIMIZERS:
        raise ValueError(f"optimizer must be 'adam' or 'sgd'; got {optimizer!r}.")
    x, targets = batch
    if loss is None:
        numbers = targets.is_floating_point()
        loss = nn.functional.mse_loss if numbers else nn.functional.cross_entropy
    rows = []
    for width in widths:
        for seed in seeds:
            made = make_module(width, seed)
            module, groups = made if isinstance(made, tuple) else (made, None)
            given = list(groups) if groups is not None else list(module.parameters())
            updates = _OPTIMIZERS[optimizer](given, lr=learning_rate)
            before = _activations(module, x)
            for _ in range(steps):
                updates.zero_grad()
                loss(module(x), targets).backward()
                updates.step()
            after = _activations(module, x)
            rows += [
                {
                    "layer": name,
                    "width": width,
                    "seed": seed,
                    "change": float((after[name] - before[name]).square().mean().sqrt()),
                }
                for name in before
            ]
    table = pl.DataFrame(rows)
    exponents, intervals = {}, {}
    for (layer,), part in table.group_by("layer", maintain_order=True):
        slopes = _slopes(part, widths)
        half = 1.96 * slopes.std(ddof=1) / np.sqrt(len(slopes)) if len(slopes) > 1 else np.nan
        exponents[str(layer)] = float(slopes.mean())
        intervals[str(layer)] = (float(slopes.mean() - half), float(slopes.mean() + half))
    return CoordinateCheck(table, exponents, intervals, _verdict(list(exponents.values())))


def _activations(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Outputs of the layers with weights, by name."""
    seen: dict[str, Tensor] = {}
    hooks = []
    for name, layer in module.named_modules():
        if isinstance(layer, _WEIGHTED):

            def keep(layer: Any, inputs: Any, output: Tensor, name: str = name) -> None:
                seen[name or "output"] = output.detach().clone()

            hooks.append(layer.register_forward_hook(keep))
    try:
        with torch.no_grad():
            module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _slopes(part: pl.DataFrame, widths: Sequence[int]) -> np.ndarray:
    """Slope of log change over log width, for each seed (S,)."""
    changes = part.sort("seed", "width")["change"].to_numpy().reshape(-1, len(widths))
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = log_log_slopes(widths, changes)
    return np.where(np.isnan(slopes), np.inf, slopes)  # what is no longer finite has exploded


def _verdict(
    exponents: Sequence[float],
) -> Literal["width-independent", "stands still", "explodes"]:
    if max(exponents) > EXPLODES:
        return "explodes"
    return "stands still" if min(exponents) < STANDS_STILL else "width-independent"
