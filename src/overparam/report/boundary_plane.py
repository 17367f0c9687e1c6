"""Points of two classes and straight boundaries in a plane, with equal units on both axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from overparam.report import theme
from overparam.report.chart_data import Table, select
from overparam.report.encodings import finished, series, tooltips

ROOM = 1.1  # of the farthest point


def boundary_plane(
    points: Table,
    x: str,
    y: str,
    color: str,
    boundaries: Mapping[str, tuple[float, float]],
    *,
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
) -> dict[str, Any]:
    """Points, and lines through the origin that separate them.

    Parameters
    ----------
    points : DataFrame or list of records
    x, y, color : str
        Columns: coordinates, and the word that names a point's group.
    boundaries : mapping of str to (float, float)
        Normal vector (a, b) of each line ``a x + b y = 0``, by its name.

    Returns
    -------
    dict
        A Vega-Lite specification.
    """
    names: dict[str, str | None] = {"x": x, "y": y, "color": color}
    frame, notes = select(points, names)
    reach = ROOM * float(np.abs(frame.select("x", "y").to_numpy()).max())
    across, up = alt.Scale(domain=[-reach, reach]), alt.Scale(domain=[-reach, reach])
    axis_x = alt.X("x:Q", title=x if x_title is None else x_title, scale=across)
    axis_y = alt.Y("y:Q", title=y if y_title is None else y_title, scale=up)
    shades, faded, picker = series(frame, line=False)
    dots = (
        alt.Chart(frame)
        .mark_point(filled=True, size=30)
        .encode(x=axis_x, y=axis_y, opacity=faded(0.7), tooltip=tooltips(frame, names), **shades)
    )
    layers: list[Any] = []
    for place, (name, (a, b)) in enumerate(boundaries.items()):
        # The line's ends on the border of the square.
        way = np.array([-b, a]) * reach / max(abs(a), abs(b))
        way *= 1.0 if way[1] >= 0 else -1.0
        ends = pl.DataFrame({"x": [-way[0], way[0]], "y": [-way[1], way[1]]})
        dash = [1, 0] if place else [6, 4]
        mark = alt.Chart(ends).mark_line(
            strokeDash=dash, strokeWidth=2, color=theme.LIGHT["ink"], tooltip=None
        )
        layers.append(mark.encode(x=axis_x, y=axis_y))
        left = way[0] > 0.5 * reach
        label = alt.Chart(ends[1:].with_columns(label=pl.lit(name))).mark_text(
            align="right" if left else "left",
            dx=-8 if left else 8,
            dy=14 if abs(way[1]) > 0.9 * reach else -12,
            color=theme.LIGHT["muted"],
        )
        layers.append(label.encode(x=axis_x, y=axis_y, text="label:N"))
    layers.append(dots.add_params(picker) if picker is not None else dots)
    spec = finished(layers, title, notes, names, height=SIDE)
    return {**spec, "width": SIDE}


SIDE = 420  # a square, or angles would not be what they are
