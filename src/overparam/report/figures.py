"""Charts of the house: a table in, a Vega-Lite specification (a dict) out.

A table is a `polars.DataFrame` or a list of records. Columns may have any name: inside the chart
they are renamed (a dot or a bracket in a name means something to Vega). Values that are not finite
leave a gap; tables of more than 5,000 rows are averaged first. Either is said below the title and
in `spec["usermeta"]["notes"]`, so that no chart hides anything silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from overparam.report import theme
from overparam.report.chart_data import (
    Table,
    averaged,
    frame_of,
    labelled,
    missing,
    select,
    strongest,
    with_gaps,
)
from overparam.report.encodings import (
    Rule,
    finished,
    label_axis,
    measure_axis,
    one_color,
    place_axis,
    room_for_numbers,
    rule_layers,
    series,
    tooltips,
    without_dashes,
)

_ROW = 34  # height of one label in a chart that has one line for each


def curve(
    table: Table,
    x: str,
    y: str,
    *,
    color: str | None = None,
    low: str | None = None,
    high: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
    rules: Sequence[Rule | tuple[Any, ...] | float] = (),
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
) -> dict[str, Any]:
    """Lines with points, and a band where an interval is given.

    Parameters
    ----------
    table : DataFrame or list of records
    x, y : str
        Columns; `x` may hold words, which are then kept in their order.
    color : str, optional
        Column that tells the lines apart. Numbers get an ordered ramp, words get series colours.
    low, high : str, optional
        Columns of the interval around `y`.
    log_x, log_y : bool
        Logarithmic axes; values that are not positive leave a gap.
    rules : sequence of Rule, (value, label, axis) or number
        Dashed lines; a bare number is a vertical one.
    """
    names = {"x": x, "y": y, "color": color, "low": low, "high": high}
    frame, notes = select(table, names)
    frame = with_gaps(frame, "y", "low", "high", positive=log_y)
    if frame["x"].dtype.is_numeric():
        frame = with_gaps(frame, "x", positive=log_x)
    notes += missing(frame, "x", "y")
    frame, thinned = averaged(frame)
    shades, faded, picker = series(frame, line=True)
    fixed = one_color(color)
    scale, ticks = measure_axis(frame["y"], log_y)
    y_axis = alt.Y("y:Q", title=y if y_title is None else y_title, scale=scale, axis=ticks)
    base = alt.Chart(frame).encode(x=place_axis(frame, x if x_title is None else x_title, log_x))
    layers: list[Any] = []
    if {"low", "high"} <= set(frame.columns):
        band = base.mark_area(tooltip=None, **fixed)
        layers.append(
            band.encode(y=alt.Y("low:Q", scale=scale), y2="high:Q", opacity=faded(0.14), **shades)
        )
    line = base.mark_line(strokeWidth=2, **fixed)
    layers.append(line.encode(y=y_axis, opacity=faded(1.0), **shades))
    size = 44 if frame.height <= 400 else 12
    dots = base.mark_point(filled=True, size=size, **fixed).encode(
        y=y_axis, opacity=faded(1.0), tooltip=tooltips(frame, names), **without_dashes(shades)
    )
    layers.append(dots.add_params(picker) if picker is not None else dots)
    layers += rule_layers(rules, frame["x"], log_x)
    return finished(layers, title, notes + thinned, names)


def forest(
    table: Table,
    label: str,
    value: str,
    low: str,
    high: str,
    *,
    reference: float | None = 0.0,
    color: str | None = None,
    title: str = "",
    x_title: str | None = None,
) -> dict[str, Any]:
    """One line for each label: a dot and its interval, against a reference.

    Parameters
    ----------
    table : DataFrame or list of records
        Drawn in its order, at most 60 rows. A row without interval shows its dot only;
        a row without value keeps its label.
    label, value, low, high : str
        Columns.
    reference : float, optional
        Where "no difference" lies; None draws no line.
    color : str, optional
        Column of words; those in `theme.MEANING` (helps, hurts, holds, ...) have fixed colours.
    """
    columns = {"label": label, "value": value, "low": low, "high": high, "color": color}
    frame, notes = select(table, columns)
    frame, cut = labelled(frame)
    frame = with_gaps(frame, "value", "low", "high")
    notes += cut + missing(frame, "value")
    shades, _, _ = series(frame, line=False)
    fixed = one_color(color)
    base = alt.Chart(frame).encode(y=label_axis(frame), **shades)
    scale = alt.Scale(zero=False, padding=12)
    axis = alt.X(
        "value:Q",
        title=value if x_title is None else x_title,
        scale=scale,
        axis=alt.Axis(grid=True, gridColor=theme.LIGHT["line"], gridOpacity=0.7),
    )
    tips = tooltips(frame, columns)
    span = base.mark_rule(strokeWidth=2.5, opacity=0.75, **fixed).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", tooltip=tips
    )
    dot = base.mark_point(filled=True, size=80, opacity=1, **fixed).encode(x=axis, tooltip=tips)
    lines = [] if reference is None else rule_layers([Rule(reference)], frame["value"])
    return finished([*lines, span, dot], title, notes, columns, height=_ROW * max(frame.height, 1))


def reliability(table: Table, *, title: str = "") -> dict[str, Any]:
    """Accuracy against confidence in bins; on the diagonal a model is as right as it says.

    Parameters
    ----------
    table : DataFrame or list of records
        A row a bin: `confidence` and `accuracy` in [0, 1], `count`, and optionally `model`,
        `low`, `high`. Bins without examples are left out; the area of a dot is its count.
    """
    frame = frame_of(table)
    present = {name: name if name in frame.columns else None for name in ("low", "high")}
    columns = {"x": "confidence", "y": "accuracy", "count": "count", **present}
    columns["color"] = "model" if "model" in frame.columns else None
    frame, notes = select(frame, columns)
    frame = with_gaps(frame, "x", "y", "low", "high").filter(
        pl.col("x").is_not_null() & pl.col("y").is_not_null() & (pl.col("count") > 0)
    )
    frame, thinned = averaged(frame)
    notes += thinned
    shades, faded, picker = series(frame, line=False)
    fixed = one_color(columns["color"])
    unit = alt.Scale(domain=[0, 1])
    quarters = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    diagonal = (
        alt.Chart(pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}))
        .mark_line(strokeDash=[4, 4], strokeWidth=1.5, color=theme.LIGHT["muted"], tooltip=None)
        .encode(x="x:Q", y="y:Q")
    )
    axis_x = alt.X("x:Q", scale=unit, title="stated confidence", axis=quarters)
    axis_y = alt.Y("y:Q", scale=unit, title="share that is right", axis=quarters)
    base = alt.Chart(frame).encode(x=axis_x, y=axis_y, **shades)
    layers: list[Any] = [diagonal]
    if {"low", "high"} <= set(frame.columns):
        span = base.mark_rule(strokeWidth=2, **fixed)
        layers.append(span.encode(y=alt.Y("low:Q"), y2="high:Q", opacity=faded(0.5)))
    layers.append(base.mark_line(strokeWidth=1.5, **fixed).encode(opacity=faded(0.6)))
    size = alt.Size("count:Q", scale=alt.Scale(range=[25, 420], zero=True), legend=None)
    dots = base.mark_point(filled=True, **fixed).encode(
        size=size, opacity=faded(0.9), tooltip=tooltips(frame, columns)
    )
    layers.append(dots.add_params(picker) if picker is not None else dots)
    notes.append("A dot's area is the number of examples in its bin.")
    return finished(layers, title, notes, columns, height=340)


def histogram(
    table: Table,
    value: str,
    *,
    color: str | None = None,
    bins: int = 30,
    rules: Sequence[Rule | tuple[Any, ...] | float] = (),
    title: str = "",
    x_title: str | None = None,
) -> dict[str, Any]:
    """Counts of a column's values; any number of rows, since only the counts are in the chart.

    Parameters
    ----------
    table : DataFrame or list of records
    value : str
        A numeric column.
    color : str, optional
        Column of words: one translucent histogram each, on the same bins.
    bins : int
        Number of equal bins over the range of the finite values.
    """
    names = {"from": "from", "to": "to", "count": "rows", "color": color}
    frame, notes = select(table, {"value": value, "color": color})
    frame = with_gaps(frame, "value")
    notes += missing(frame, "value")
    frame = frame.drop_nulls("value")
    edges = np.histogram_bin_edges(frame["value"].cast(pl.Float64).to_numpy(), bins)
    groups = frame.partition_by("color", maintain_order=True) if color and frame.height else [frame]
    counted = [
        pl.DataFrame(
            {
                "from": edges[:-1],
                "to": edges[1:],
                "count": np.histogram(group["value"].cast(pl.Float64).to_numpy(), edges)[0],
            }
        ).with_columns([pl.lit(group["color"].first()).alias("color")] if color else [])
        for group in groups
    ]
    counts = pl.concat(counted).filter(pl.col("count") > 0)
    shades, faded, picker = series(counts, line=False)
    fixed = one_color(color)
    chart = (
        alt.Chart(counts)
        .mark_rect(stroke=None, **fixed)
        .encode(
            x=alt.X(
                "from:Q",
                title=value if x_title is None else x_title,
                scale=alt.Scale(domain=[edges[0], edges[-1]], nice=False),
            ),
            x2="to:Q",
            y=alt.Y("count:Q", title="rows", axis=alt.Axis(format=",d", tickMinStep=1)),
            y2=alt.datum(0),
            opacity=faded(0.55 if color else 0.85),
            tooltip=[
                alt.Tooltip("from:Q", format=".4~g"),
                alt.Tooltip("to:Q", format=".4~g"),
                alt.Tooltip("count:Q", title="rows", format=","),
            ],
            **shades,
        )
    )
    if picker is not None:
        chart = chart.add_params(picker)
    return finished([chart, *rule_layers(rules, counts["from"])], title, notes, names, height=240)


def bars(
    table: Table,
    label: str,
    value: str,
    *,
    color: str | None = None,
    title: str = "",
    x_title: str | None = None,
) -> dict[str, Any]:
    """One horizontal bar for each label, its value written at the end.

    Parameters
    ----------
    table : DataFrame or list of records
        Drawn in its order, at most 60 rows.
    label, value : str
        Columns.
    color : str, optional
        Column of words; see `forest`.
    """
    columns = {"label": label, "value": value, "color": color}
    frame, notes = select(table, columns)
    frame, cut = labelled(frame)
    frame = with_gaps(frame, "value")
    notes += cut + missing(frame, "value")
    shades, _, _ = series(frame, line=False)
    fixed = one_color(color)
    base = alt.Chart(frame).encode(
        x=alt.X(
            "value:Q",
            title=value if x_title is None else x_title,
            scale=alt.Scale(domain=room_for_numbers(frame["value"]), nice=False),
            axis=alt.Axis(grid=True, gridColor=theme.LIGHT["line"], gridOpacity=0.7),
        ),
        y=label_axis(frame),
        tooltip=tooltips(frame, columns),
    )
    bar = base.mark_bar(height=14, cornerRadiusEnd=2, opacity=0.85, **fixed).encode(**shades)
    text = base.mark_text(align="left", dx=6, color=theme.LIGHT["ink"])
    number = text.encode(text=alt.Text("value:Q", format=",.4~g"))
    return finished([bar, number], title, notes, columns, height=_ROW * max(frame.height, 1))


def heatmap(
    table: Table,
    x: str,
    y: str,
    value: str,
    *,
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
) -> dict[str, Any]:
    """A grid of cells; the stronger the colour, the larger the value (its sign gives the hue).

    Strength is opacity, so that small values fade into a light and into a dark ground alike. Cells
    that occur more than once are averaged.

    Parameters
    ----------
    table : DataFrame or list of records
        A row a cell; rows and columns keep the order of first appearance. Of more than
        40 rows or columns, those with the largest total of absolute values are shown.
    x, y, value : str
        Columns.
    """
    columns = {"x": x, "y": y, "value": value}
    frame, notes = select(table, columns)
    frame = with_gaps(frame, "value")
    notes += missing(frame, "value")
    frame = frame.group_by("x", "y", maintain_order=True).agg(pl.col("value").mean())
    for name, original in (("x", x), ("y", y)):
        frame, cut = strongest(frame, name, original)
        notes += cut
    frame = frame.drop_nulls("value").with_columns(
        strength=pl.col("value").abs(),
        sign=pl.when(pl.col("value") < 0).then(pl.lit("below 0")).otherwise(pl.lit("above 0")),
    )
    most = float(frame["strength"].max() or 1.0)  # type: ignore[arg-type]
    both = frame["sign"].n_unique() > 1
    n_x, n_y = frame["x"].n_unique(), frame["y"].n_unique()
    base = alt.Chart(frame).encode(
        x=place_axis(frame.with_columns(pl.col("x").cast(pl.String)), x_title or x, False),
        y=alt.Y(
            "y:O",
            sort=None,
            title=y if y_title is None else y_title,
            axis=alt.Axis(grid=False, labelLimit=130),
        ),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "sign:N",
            scale=alt.Scale(
                domain=["above 0", "below 0"],
                range=[theme.LIGHT["blue"], theme.LIGHT["vermilion"]],
            ),
            legend=alt.Legend() if both else None,
        ),
        opacity=alt.Opacity(
            "strength:Q", scale=alt.Scale(domain=[0, most], range=[0.04, 1]), legend=None
        ),
        tooltip=tooltips(frame, columns),
    )
    layers: list[Any] = [cells]
    if n_x * n_y <= 300 and n_x <= 17:
        strong = alt.datum.strength > 0.55 * most
        shade = alt.condition(
            strong, alt.value(theme.LIGHT["ground"]), alt.value(theme.LIGHT["ink"])
        )
        written = base.mark_text(fontSize=11).encode(
            text=alt.Text("value:Q", format=".3~g"), color=shade
        )
        layers.append(written)
    spec = finished(layers, title, notes, columns, height=max(24 * n_y, 48))
    spec["usermeta"]["least_width"] = 24 * n_x + 160  # narrower, the numbers cannot be read
    return spec
