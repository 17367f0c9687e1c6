"""Charts of the house: a table in, a Vega-Lite specification (a dict) out.

A table is a `polars.DataFrame` or a list of records. Columns may have any name: inside the chart
they are renamed (a dot or a bracket in a name means something to Vega). Values that are not finite
leave a gap; tables of more than 5,000 rows are averaged first. Either is said below the title and
in `spec["usermeta"]["notes"]`, so that no chart hides anything silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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

_ROW = 34  # height of one label in a chart that has one line for each


class Rule(NamedTuple):
    """A dashed line at a value of interest: a threshold, chance, the size of the data at hand."""

    value: float
    label: str = ""
    axis: str = "x"


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
    shades, faded, picker = _series(frame, line=True)
    fixed = _one_color(color)
    scale, ticks = _measure(frame["y"], log_y)
    y_axis = alt.Y("y:Q", title=y if y_title is None else y_title, scale=scale, axis=ticks)
    base = alt.Chart(frame).encode(x=_place_axis(frame, x if x_title is None else x_title, log_x))
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
        y=y_axis, opacity=faded(1.0), tooltip=_tooltip(frame, names), **_without_dashes(shades)
    )
    layers.append(dots.add_params(picker) if picker is not None else dots)
    layers += _rules(rules, frame["x"], log_x)
    return _finished(layers, title, notes + thinned, names)


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
    shades, _, _ = _series(frame, line=False)
    fixed = _one_color(color)
    base = alt.Chart(frame).encode(y=_label_axis(frame), **shades)
    scale = alt.Scale(zero=False, padding=12)
    axis = alt.X(
        "value:Q",
        title=value if x_title is None else x_title,
        scale=scale,
        axis=alt.Axis(grid=True, gridColor=theme.LIGHT["line"], gridOpacity=0.7),
    )
    tips = _tooltip(frame, columns)
    span = base.mark_rule(strokeWidth=2.5, opacity=0.75, **fixed).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", tooltip=tips
    )
    dot = base.mark_point(filled=True, size=80, opacity=1, **fixed).encode(x=axis, tooltip=tips)
    lines = [] if reference is None else _rules([Rule(reference)], frame["value"])
    return _finished([*lines, span, dot], title, notes, columns, height=_ROW * max(frame.height, 1))


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
    shades, faded, picker = _series(frame, line=False)
    fixed = _one_color(columns["color"])
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
        size=size, opacity=faded(0.9), tooltip=_tooltip(frame, columns)
    )
    layers.append(dots.add_params(picker) if picker is not None else dots)
    notes.append("A dot's area is the number of examples in its bin.")
    return _finished(layers, title, notes, columns, height=340)


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
    shades, faded, picker = _series(counts, line=False)
    fixed = _one_color(color)
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
    return _finished([chart, *_rules(rules, counts["from"])], title, notes, names, height=240)


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
    shades, _, _ = _series(frame, line=False)
    fixed = _one_color(color)
    base = alt.Chart(frame).encode(
        x=alt.X(
            "value:Q",
            title=value if x_title is None else x_title,
            scale=alt.Scale(domain=_room_for_numbers(frame["value"]), nice=False),
            axis=alt.Axis(grid=True, gridColor=theme.LIGHT["line"], gridOpacity=0.7),
        ),
        y=_label_axis(frame),
        tooltip=_tooltip(frame, columns),
    )
    bar = base.mark_bar(height=14, cornerRadiusEnd=2, opacity=0.85, **fixed).encode(**shades)
    text = base.mark_text(align="left", dx=6, color=theme.LIGHT["ink"])
    number = text.encode(text=alt.Text("value:Q", format=",.4~g"))
    return _finished([bar, number], title, notes, columns, height=_ROW * max(frame.height, 1))


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
        x=_place_axis(frame.with_columns(pl.col("x").cast(pl.String)), x_title or x, False),
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
        tooltip=_tooltip(frame, columns),
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
    spec = _finished(layers, title, notes, columns, height=max(24 * n_y, 48))
    spec["usermeta"]["least_width"] = 24 * n_x + 160  # narrower, the numbers cannot be read
    return spec


def _series(
    frame: pl.DataFrame, *, line: bool
) -> tuple[dict[str, Any], Callable[[float], Any], alt.Parameter | None]:
    """Encodings that tell series apart; a function of opacity; the click on the legend."""
    if "color" not in frame.columns or not frame.height:
        return {}, alt.value, None
    names = frame["color"].unique(maintain_order=True).drop_nulls().to_list()
    if frame["color"].dtype.is_numeric():
        names = sorted(names)
    colors = theme.series_colors(names)
    legend = alt.Legend(symbolType="stroke" if line else "circle")
    shades: dict[str, Any] = {
        "color": alt.Color("color:N", scale=alt.Scale(domain=names, range=colors), legend=legend)
    }
    if line and len(names) > len(theme.SERIES):
        dashes = [[[1, 0], [5, 3], [2, 2]][i // len(theme.SERIES) % 3] for i in range(len(names))]
        scale = alt.Scale(domain=names, range=dashes)
        shades["strokeDash"] = alt.StrokeDash("color:N", scale=scale, legend=legend)
    picker = alt.selection_point(name="picked", fields=["color"], bind="legend")
    return shades, lambda full: alt.condition(picker, alt.value(full), alt.value(0.08)), picker


def _one_color(color: str | None) -> dict[str, Any]:
    """The colour of the marks where no column gives it."""
    return {} if color else {"color": theme.LIGHT["blue"]}


def _without_dashes(shades: Mapping[str, Any]) -> dict[str, Any]:
    return {name: channel for name, channel in shades.items() if name != "strokeDash"}


def _measure(values: pl.Series, log: bool) -> tuple[alt.Scale, alt.Axis]:
    """Scale and ticks of a numeric column: its own range, perhaps logarithmic."""
    if log:
        return alt.Scale(type="log", nice=False), alt.Axis(values=_log_ticks(values), format=",~r")
    return alt.Scale(zero=False), alt.Axis()


def _place_axis(frame: pl.DataFrame, title: str, log: bool) -> alt.X:
    """The horizontal axis of a column of numbers, dates or words."""
    if frame["x"].dtype.is_numeric():
        scale, ticks = _measure(frame["x"], log)
        return alt.X("x:Q", title=title, scale=scale, axis=ticks)
    if frame["x"].dtype.is_temporal():
        return alt.X("x:T", title=title)
    words = frame["x"].unique().cast(pl.String)
    angle = 0 if words.str.len_chars().sum() <= 80 else -40
    return alt.X(
        "x:O",
        sort=None,
        title=title,
        axis=alt.Axis(labelAngle=angle, labelLimit=110, labelOverlap=angle == 0),
    )


def _label_axis(frame: pl.DataFrame) -> alt.Y:
    two_lines = {"test": "indexof(datum.label, '\\n') > 0", "value": -7}
    axis = alt.Axis(
        grid=False,
        labelColor=theme.LIGHT["ink"],
        labelOverlap=False,
        labelOffset={"condition": two_lines, "value": 0},
    )
    scale = alt.Scale(domain=frame["label"].to_list()) if frame.height else alt.Undefined
    return alt.Y("label:N", sort=None, title=None, axis=axis, scale=scale)


def _tooltip(frame: pl.DataFrame, names: Mapping[str, str | None]) -> list[alt.Tooltip]:
    """Every column under the user's name for it; a shortened label in full."""
    tips = []
    for new, old in names.items():
        if old is None or new not in frame.columns:
            continue
        column = "name" if new == "label" else new
        if frame[column].dtype.is_numeric():
            tips.append(alt.Tooltip(column, type="quantitative", title=old, format=",.4~g"))
        else:
            tips.append(alt.Tooltip(column, type="nominal", title=old))
    return tips


def _room_for_numbers(values: pl.Series) -> list[float]:
    """A domain from 0 with a margin in which the numbers at the bars' ends can be written."""
    known = values.drop_nulls()
    least, most = (min(0.0, *known, 0.0), max(0.0, *known, 0.0)) if len(known) else (0.0, 1.0)
    room = 0.12 * (most - least or 1.0)
    return [least - room if least < 0 else 0.0, most + room if most > 0 else 0.0]


def _log_ticks(values: pl.Series) -> list[float]:
    """Powers of ten over the range of `values`, and steps between them where those are few."""
    known = values.drop_nulls()
    if known.is_empty():
        return [1.0]
    first, last = float(known.min()), float(known.max())  # type: ignore[arg-type]
    decades = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    steps = (1, 2, 3, 5, 7) if len(decades) <= 3 else (1, 2, 5) if len(decades) <= 4 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps]


def _rules(
    rules: Sequence[Rule | tuple[Any, ...] | float], along: pl.Series, log: bool = False
) -> list[alt.Chart]:
    """Dashed lines; a label stands on the side of its line where there is more room."""
    layers = []
    muted = theme.LIGHT["muted"]
    for item in rules:
        rule = Rule(*item) if isinstance(item, tuple) else Rule(float(item))
        base = alt.Chart(pl.DataFrame({"at": [float(rule.value)], "label": [rule.label]}))
        place = alt.X("at:Q") if rule.axis == "x" else alt.Y("at:Q")
        mark = base.mark_rule(strokeDash=[4, 4], strokeWidth=1.5, color=muted, tooltip=None)
        layers.append(mark.encode(place))
        if rule.label and rule.axis == "x":
            left = _share(rule.value, along, log) > 0.6
            style: dict[str, Any] = (
                {"align": "right", "dx": -5} if left else {"align": "left", "dx": 5}
            )
            text = base.mark_text(dy=6, color=muted, **style)
            layers.append(text.encode(place, y=alt.value(4), text="label:N"))
        elif rule.label:
            text = base.mark_text(align="right", dx=-4, dy=-8, color=muted)
            layers.append(text.encode(place, x=alt.value("width"), text="label:N"))
    return layers


def _share(value: float, along: pl.Series, log: bool) -> float:
    """Where a value lies between the least (0) and the largest (1) of a column."""
    known = along.drop_nulls() if along.dtype.is_numeric() else pl.Series([], dtype=pl.Float64)
    if known.n_unique() < 2:
        return 0.0
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    if log and value > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _finished(
    layers: Sequence[Any],
    title: str,
    notes: Sequence[str],
    names: Mapping[str, str | None],
    *,
    height: int = theme.HEIGHT,
) -> dict[str, Any]:
    """The specification in the house's style; title, notes, columns also apart, for our pages."""
    note = " ".join(notes)
    chart: Any = alt.layer(*layers).properties(width=theme.WIDTH, height=height)
    if title:
        chart = chart.properties(title=alt.Title(title, subtitle=note or alt.Undefined))
    elif note:
        plain = alt.Title(note, fontSize=12, fontWeight="normal", color=theme.LIGHT["muted"])
        chart = chart.properties(title=plain)
    spec: dict[str, Any] = chart.to_dict()
    columns = {"name" if new == "label" else new: old for new, old in names.items() if old}
    meta = {"title": title, "notes": list(notes), "columns": columns}
    return {**spec, "config": theme.CONFIG, "usermeta": meta}
