"""A table made ready for a chart: safe column names, gaps, few enough rows, and notes that say so.

Charts call columns by their own names (`x`, `y`, `color`, ...), because a dot or a bracket in a
user's column name means something to Vega. Every function that leaves something out returns a
sentence about it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

Table = pl.DataFrame | Sequence[Mapping[str, Any]]

MOST_ROWS = 5_000
MOST_LABELS = 60
MOST_CELLS = 40  # labels along one side of a heat map: 1,600 cells are a picture of 0.4 MB
_LABEL_WIDTH = 26  # characters: on a phone the labels leave half of the width to the chart


def frame_of(table: Table) -> pl.DataFrame:
    """A table as a polars frame; records may lack keys."""
    if isinstance(table, pl.DataFrame):
        return table
    return pl.DataFrame([dict(row) for row in table], infer_schema_length=None, strict=False)


def select(table: Table, names: Mapping[str, str | None]) -> tuple[pl.DataFrame, list[str]]:
    """The asked columns under the chart's own names, and notes.

    Raises
    ------
    ValueError
        If the table lacks a column.
    """
    frame = frame_of(table)
    wanted = {new: old for new, old in names.items() if old is not None}
    if not frame.height:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.Float64)), ["There is nothing to show."]
    for old in wanted.values():
        if old not in frame.columns:
            raise ValueError(f"the table must have a column {old!r}; got {frame.columns}.")
    return frame.select(pl.col(old).alias(new) for new, old in wanted.items()), []


def with_gaps(frame: pl.DataFrame, *names: str, positive: bool = False) -> pl.DataFrame:
    """Numbers that are not finite (or, for a logarithmic axis, not positive) become null."""
    for name in names:
        if name in frame.columns:
            number = pl.col(name).cast(pl.Float64, strict=False)
            shown = number.is_finite() & (number > 0) if positive else number.is_finite()
            frame = frame.with_columns(pl.when(shown).then(number).alias(name))
    return frame


def missing(frame: pl.DataFrame, *names: str) -> list[str]:
    """A note when rows have a null in any of these columns."""
    lost = frame.select(pl.any_horizontal(pl.col(name).is_null() for name in names).sum()).item()
    return [f"{lost:,} of {frame.height:,} rows have no value to show."] if lost else []


def averaged(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """At most `MOST_ROWS` rows: means of y, low, high (sums of count) in equal bins of x.

    Each series (`color`) is averaged for itself. Words on the x axis are their own bins.
    """
    if frame.height <= MOST_ROWS:
        return frame, []
    series = ["color"] if "color" in frame.columns else []
    measures = pl.col([name for name in ("y", "low", "high") if name in frame.columns]).mean()
    counts = pl.col([name for name in ("count",) if name in frame.columns]).sum()
    if not frame["x"].dtype.is_numeric():
        means = frame.group_by("x", *series, maintain_order=True).agg(measures, counts)
        return means.head(MOST_ROWS), [f"Means of {frame.height:,} rows."]
    bins = max(2, min(100, MOST_ROWS // (frame["color"].n_unique() if series else 1)))
    place, size = pl.col("x").rank("dense") - 1, pl.col("x").n_unique()
    if series:
        place, size = place.over("color"), size.over("color")
    means = (
        frame.drop_nulls("x")
        .group_by(*series, (place * bins // size).alias("bin"), maintain_order=True)
        .agg(pl.col("x").mean(), measures, counts)
        .sort("x", maintain_order=True)
        .drop("bin")
    )
    return means, [f"Means of {frame.height:,} rows in {bins} bins."]


def labelled(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """`label` as distinct text of at most two lines, `name` in full; at most `MOST_LABELS` rows.

    Equal labels get invisible spaces, so that each keeps its own line in the chart.
    """
    notes = []
    if frame.height > MOST_LABELS:
        notes.append(f"The first {MOST_LABELS} of {frame.height:,} rows.")
        frame = frame.head(MOST_LABELS)
    frame = frame.with_columns(name=pl.col("label").cast(pl.String).fill_null("(no name)"))
    seen: dict[str, int] = {}
    labels = []
    for name in frame["name"]:
        lines = textwrap.wrap(name, _LABEL_WIDTH, max_lines=2, placeholder=" …") or ["(no name)"]
        label = "\n".join(lines)
        labels.append(label + "\u200b" * seen.get(label, 0))
        seen[label] = seen.get(label, 0) + 1
    return frame.with_columns(label=pl.Series(labels, dtype=pl.String)), notes


def strongest(frame: pl.DataFrame, side: str, title: str) -> tuple[pl.DataFrame, list[str]]:
    """At most `MOST_CELLS` labels of one side of a heat map: the largest totals of |value|."""
    total = frame.group_by(side, maintain_order=True).agg(pl.col("value").abs().sum())
    if total.height <= MOST_CELLS:
        return frame, []
    kept = total.sort("value", descending=True, maintain_order=True).head(MOST_CELLS)
    note = f"{MOST_CELLS} of {total.height:,} values of {title}: those with the largest totals."
    return frame.filter(pl.col(side).is_in(kept[side].implode())), [note]
