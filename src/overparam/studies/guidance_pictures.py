"""Tables of the guidance study, a row a seed, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.intervals import t_statistic
from overparam.evidence.seed_tables import seed_means
from overparam.report.figures import curve, forest
from overparam.studies.guidance_cells import START

BOTH = ("untrained", "trained")
NAMES = {
    "none": "no guide",
    "untrained": "untrained guide",
    "trained": "trained guide",
    "untrained start": f"untrained guide, {START} steps",
    "trained start": f"trained guide, {START} steps",
    "noise": "untrained guide that sees noise",
    "network of its kind": "untrained network of the target's kind",
    "distilled": "distilled from the trained guide",
    "alignment alone": "trained guide, no labels, probe",
    "alignment alone, untrained": "untrained guide, no labels, probe",
    "guide": "the trained guide itself",
}


def joined(*tables: pl.DataFrame) -> pl.DataFrame:
    """Columns of all tables, a row a seed; what one measured first is not measured again."""
    found = tables[0].drop("group", strict=False)
    for table in tables[1:]:
        new = [name for name in table.columns if name not in (*found.columns, "group")]
        found = found.join(table.select("seed", *new), on="seed", how="left")
    return found.sort("seed")


def at(table: pl.DataFrame, name: str, epoch: int) -> np.ndarray:
    """Column NAME@EPOCH in the order of the seeds."""
    column = f"{name}@{epoch}"
    return table.drop_nulls(column).sort("seed")[column].to_numpy().astype(float)


def gain(table: pl.DataFrame, name: str, epoch: int) -> Any:
    """Statistic of a condition's accuracy over that without a guide."""
    return t_statistic(
        at(table, name, epoch) - at(table, "none", epoch), f"gain in accuracy, epoch {epoch}"
    )


def rise(table: pl.DataFrame, name: str, epochs: Sequence[int]) -> np.ndarray:
    """Log loss at the last epoch minus the least over epochs."""
    curves = np.stack([at(table, f"{name} nll", epoch) for epoch in epochs], axis=1)
    return curves[:, -1] - curves.min(axis=1)


def losses(table: pl.DataFrame, epoch: int) -> str:
    """Log losses in words."""
    each = ", ".join(
        f"{NAMES[name]} {at(table, f'{name} nll', epoch).mean():.3f}" for name in ("none", *BOTH)
    )
    return f"Log loss at epoch {epoch}: {each}."


def long_table(
    table: pl.DataFrame, names: Mapping[str, str], epochs: Sequence[int]
) -> pl.DataFrame:
    """A row a seed, column and epoch; `names` maps a title to a column's name."""
    return pl.concat(
        table.select(
            "seed", value=f"{name}@{epoch}", epoch=pl.lit(epoch), target=pl.lit(title)
        ).drop_nulls()
        for title, name in names.items()
        for epoch in epochs
    )


def accuracies(
    table: pl.DataFrame, conditions: Sequence[str], epochs: Sequence[int]
) -> dict[str, Any]:
    """Test accuracy over epochs, a line a condition."""
    names = {NAMES[name]: name for name in conditions}
    return lines(long_table(table, names, epochs), "epoch", "target", "test accuracy")


def losses_over_time(
    table: pl.DataFrame, conditions: Sequence[str], epochs: Sequence[int]
) -> dict[str, Any]:
    """Test log loss over epochs, a line a condition."""
    names = {NAMES[name]: f"{name} nll" for name in conditions}
    return lines(long_table(table, names, epochs), "epoch", "target", "test log loss")


def lines(long: pl.DataFrame, x: str, color: str, y_title: str) -> dict[str, Any]:
    """Means over seeds of column `value`, with intervals."""
    means = seed_means(long, "value", [x, color])
    return curve(means, x, "value", color=color, low="low", high="high", y_title=y_title)


def final(table: pl.DataFrame, conditions: Sequence[str], epoch: int) -> dict[str, Any]:
    """Test accuracy at one epoch, a dot and an interval a condition."""
    names = {NAMES[name]: name for name in conditions}
    return dots(long_table(table, names, [epoch]), "target", f"test accuracy, epoch {epoch}")


def dots(long: pl.DataFrame, label: str, title: str) -> dict[str, Any]:
    """Means over seeds of column `value`, a dot and an interval for each of column `label`."""
    means = seed_means(long, "value", [label])
    return forest(means, label, "value", "low", "high", reference=None, x_title=title)


# --- sequences: a row a condition and seed ------------------------------------------------------


def beside(table: pl.DataFrame, guides: pl.DataFrame) -> pl.DataFrame:
    """Targets, and below them their guides as one more condition; what guides lack is null."""
    rows = guides.with_columns(condition=pl.lit("guide"))
    return pl.concat([table, rows], how="diagonal")


def best_rates(table: pl.DataFrame) -> pl.DataFrame:
    """The row of each condition and seed whose loss is least on the text by which one chooses."""
    least = pl.col("choosing").min().over("condition", "seed")
    best = table.filter(pl.col("choosing") == least)
    return best.unique(["condition", "seed"], keep="first", maintain_order=True)


def said(table: pl.DataFrame, value: str) -> str:
    """Means over seeds in words."""
    means = table.group_by("condition", maintain_order=True).agg(pl.col(value).mean())
    return ", ".join(f"{NAMES[name]} {mean:.3f}" for name, mean in means.rows()).capitalize() + "."


def rates_said(table: pl.DataFrame) -> str:
    """The rates that were chosen, a condition after the other, in words."""
    each = table.group_by("condition", maintain_order=True).agg(pl.col("rate"))
    words = (
        f"{NAMES[name]} {', '.join(f'{rate:g}' for rate in rates)}" for name, rates in each.rows()
    )
    return f"Rates chosen, seed by seed: {'; '.join(words)}."


def conditions_apart(table: pl.DataFrame, value: str, title: str) -> dict[str, Any]:
    """A dot and an interval a condition (and task, where there are several)."""
    name = pl.col("condition").replace_strict(NAMES, return_dtype=pl.String)
    if "task" in table.columns:
        name = pl.concat_str([pl.col("task"), name], separator=": ")
    return dots(table.with_columns(target=name, value=value), "target", title)
