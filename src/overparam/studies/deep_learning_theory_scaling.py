"""How what training changes depends on depth and width: tables and fits of C5 to C8."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import batched, grid, run
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means
from overparam.report.figures import curve
from overparam.studies.deep_learning_theory_kernel_cells import fitted_nets
from overparam.theory.initialization import criticality
from overparam.theory.signal_recursion import signal_propagation
from overparam.training.layerwise_rates import layer_factors


def fits(scale: Scale) -> pl.DataFrame:
    """Nets of both activations, trained with a step and with a quarter of it (C5, C7).

    Twelve nets a setting at quick scale already: exponents of single nets are noisy, and small nets
    are cheap.
    """
    axes = grid(
        activation=["tanh", "relu"],
        layers=scale.pick(smoke=[2, 3], quick=[2, 4, 8], full=[2, 4, 8]),
        width=scale.pick(smoke=[8, 16], quick=[32, 64, 128], full=[32, 64, 128, 256]),
        rows=scale.pick(smoke=6, quick=16, full=16),
        test_rows=64,
        quarter=True,
        seed=batched(range(scale.pick(smoke=2, quick=12, full=12))),
    )
    return run(fitted_nets, axes)


def exponents(table: pl.DataFrame, value: str) -> np.ndarray:
    """Least-squares exponents (seeds, 2) of L and n in `value` ~ L^a n^b, for each seed."""
    found = []
    for _, part in table.sort("seed").group_by("seed", maintain_order=True):
        logs = np.log(part.select("layers", "width", value).to_numpy())
        design = np.column_stack([logs[:, :2], np.ones(len(logs))])
        found.append(np.linalg.lstsq(design, logs[:, 2], rcond=None)[0][:2])
    return np.array(found)


def against_width(table: pl.DataFrame, value: str, title: str) -> dict[str, Any]:
    """Curves of `value` over the width, one for each activation and depth."""
    named = table.with_columns(net=pl.format("{}, L = {}", "activation", "layers"))
    return curve(
        seed_means(named, value, ["net", "width"]),
        "width",
        value,
        color="net",
        log_x=True,
        log_y=True,
        y_title=title,
    )


def share_spread(activation: str, depth: int) -> float:
    """Coefficient of variation over layers of their terms in H_L, with the layer-wise rates."""
    critical = criticality(activation)
    path = signal_propagation(activation, critical.C_W, critical.C_b, depth, 1.0)
    second = np.concatenate([[1.0], (path["K"].to_numpy()[1:] - critical.C_b) / critical.C_W])
    after = np.cumprod(np.append(path["chi_perp"].to_numpy()[:-1], 1.0)[::-1])[::-1]
    factors_W, factors_b = layer_factors(activation, depth)
    shares = (factors_b + factors_W * second) * after
    return float(shares.std() / shares.mean())
