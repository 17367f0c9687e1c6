"""The pictures of `infinite_compute`: loss against members, and against anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from overparam.evidence.seed_tables import seed_means
from overparam.report.figures import curve
from overparam.studies.infinite_compute_subsets import mean_over_subsets


def over_members(losses: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    """Mean loss over all ensembles of K models, a row for each K and name."""
    return pl.DataFrame(
        [
            {"models": name, "K": k, "loss": mean_over_subsets(found, k)}
            for name, found in losses.items()
            for k in range(1, (len(found) + 1).bit_length())
        ]
    )


def member_curve(table: pl.DataFrame) -> dict[str, Any]:
    """Loss against the number of members, a line for each name."""
    return curve(table, "K", "loss", color="models", x_title="members", y_title="nats a character")


def loss_curve(
    table: pl.DataFrame, x: str, names: Sequence[str], *, y: str = "loss", log_x: bool = False
) -> dict[str, Any]:
    """Mean loss with its interval over seeds, a line for each name (one a row of the table)."""
    named = table.with_columns(model=pl.Series(list(names))).sort("model", x)
    return curve(
        seed_means(named, y, ["model", x]),
        x,
        y,
        color="model",
        low="low",
        high="high",
        log_x=log_x,
        x_title=x.replace("_", " "),
        y_title="nats a character",
    )
