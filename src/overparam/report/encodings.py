"""What charts share: series, axes, tooltips, dashed rules, and the finish in the house's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from overparam.report import theme


class Rule(NamedTuple):
    """A dashed line at a value of interest: a threshold, chance, the size of the data at hand."""

    value: float
    label: str = ""
    axis: str = "x"


def series(
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


def one_color(color: str | None) -> dict[str, Any]:
    """The colour of the marks where no column gives it."""
    return {} if color else {"color": theme.LIGHT["blue"]}


def without_dashes(shades: Mapping[str, Any]) -> dict[str, Any]:
    """The encodings of a series for marks that have no line."""
    return {name: channel for name, channel in shades.items() if name != "strokeDash"}


def measure_axis(values: pl.Series, log: bool) -> tuple[alt.Scale, alt.Axis]:
    """Scale and ticks of a numeric column: its own range, perhaps logarithmic."""
    if log:
        return alt.Scale(type="log", nice=False), alt.Axis(values=_log_ticks(values), format=",~r")
    return alt.Scale(zero=False), alt.Axis()


def place_axis(frame: pl.DataFrame, title: str, log: bool) -> alt.X:
    """The horizontal axis of a column of numbers, dates or words."""
    if frame["x"].dtype.is_numeric():
        scale, ticks = measure_axis(frame["x"], log)
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


def label_axis(frame: pl.DataFrame) -> alt.Y:
    """The vertical axis of a chart with one line for each label, of one or two lines of text."""
    two_lines = {"test": "indexof(datum.label, '\\n') > 0", "value": -7}
    axis = alt.Axis(
        grid=False,
        labelColor=theme.LIGHT["ink"],
        labelOverlap=False,
        labelOffset={"condition": two_lines, "value": 0},
    )
    scale = alt.Scale(domain=frame["label"].to_list()) if frame.height else alt.Undefined
    return alt.Y("label:N", sort=None, title=None, axis=axis, scale=scale)


def tooltips(frame: pl.DataFrame, names: Mapping[str, str | None]) -> list[alt.Tooltip]:
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


def room_for_numbers(values: pl.Series) -> list[float]:
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


_NEAR = 0.25  # of the axis: labels of rules so close would run into each other
_LINE = 15  # pixels


def rule_layers(
    rules: Sequence[Rule | tuple[Any, ...] | float], along: pl.Series, log: bool = False
) -> list[alt.Chart]:
    """Dashed lines; a label stands on the side of its line where there is more room.

    Of lines that are close together the later ones have their labels lower.
    """
    layers = []
    labelled: list[float] = []
    muted = theme.LIGHT["muted"]
    for item in rules:
        rule = Rule(*item) if isinstance(item, tuple) else Rule(float(item))
        base = alt.Chart(pl.DataFrame({"at": [float(rule.value)], "label": [rule.label]}))
        place = alt.X("at:Q") if rule.axis == "x" else alt.Y("at:Q")
        mark = base.mark_rule(strokeDash=[4, 4], strokeWidth=1.5, color=muted, tooltip=None)
        layers.append(mark.encode(place))
        if rule.label and rule.axis == "x":
            share = _share(rule.value, along, log)
            left = share > 0.6
            below = sum(abs(share - other) < _NEAR for other in labelled)
            labelled.append(share)
            style: dict[str, Any] = (
                {"align": "right", "dx": -5} if left else {"align": "left", "dx": 5}
            )
            text = base.mark_text(dy=6, color=muted, **style)
            layers.append(text.encode(place, y=alt.value(4 + _LINE * below), text="label:N"))
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


def finished(
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
