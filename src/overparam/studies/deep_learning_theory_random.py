"""Measurements of random nets beside the theory's figures: tables and pictures of C1 and C2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.seed_tables import seed_means
from overparam.report.figures import curve

TOLERANCE = 0.03  # relative, where standard errors are smaller


def beside_theory(table: pl.DataFrame, quantities: Sequence[str]) -> pl.DataFrame:
    """Pool the seeds of `random_nets`: a row an activation and quantity.

    `of_tolerance` is |measured - theory| over the larger of 3 standard errors and 3 %.
    """
    rows = []
    for quantity in quantities:
        for (name,), group in table.group_by("activation", maintain_order=True):
            theory, mean = group[f"{quantity}_theory"][0], group[quantity].to_numpy().mean()
            error = np.sqrt((group[f"{quantity}_error"].to_numpy() ** 2).sum()) / group.height
            allowed = max(3 * error, TOLERANCE * theory)
            rows.append((name, quantity, theory, mean, error, abs(mean - theory) / allowed))
    columns = ["activation", "quantity", "theory", "measured", "standard_error", "of_tolerance"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def ratios_to_theory(found: pl.DataFrame) -> dict[str, Any]:
    """Picture of `beside_theory`, with 3 standard errors."""
    reach = 3 * pl.col("standard_error") / pl.col("theory")
    ratio = pl.col("measured") / pl.col("theory")
    return curve(
        found.with_columns(ratio=ratio, low=ratio - reach, high=ratio + reach),
        "quantity",
        "ratio",
        color="activation",
        low="low",
        high="high",
        y_title="measured / theory, 3 standard errors",
    )


def by_layer(table: pl.DataFrame, layers: Sequence[int]) -> pl.DataFrame:
    """`metric_moments` with a row a layer: `measured`, `theory` and `ratio`, (l - 1) / n."""
    parts = []
    for layer in layers:
        names = {f"{name}_{layer}": name for name in ("measured", "theory")}
        part = table.select("activation", "width", "seed", *names).rename(names)
        parts.append(part.with_columns(layer=pl.lit(layer), ratio=(layer - 1) / pl.col("width")))
    return pl.concat(parts)


def collapse(long: pl.DataFrame) -> dict[str, Any]:
    """V / (n K^2) against depth / width: one line for each activation if the theory is right."""
    excess = long.with_columns(
        excess=pl.col("measured") / pl.col("width"),
        net=pl.format("{}, n = {}", "activation", "width"),
    )
    return curve(
        seed_means(excess.sort("net", "layer"), "excess", ["net", "ratio"]),
        "ratio",
        "excess",
        color="net",
        low="low",
        high="high",
        log_x=True,
        log_y=True,
        x_title="depth / width",
        y_title="V / (n K^2)",
    )
