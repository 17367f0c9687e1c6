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
SLIMMEST = 0.4  # shorter side over longer side
WIDTH = 500


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
    reach = ROOM * np.abs(frame.select("x", "y").to_numpy()).max(axis=0)
    reach = np.maximum(reach, SLIMMEST * reach.max())
    across, up = (alt.Scale(domain=[-r, r], nice=False) for r in reach)
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
        way = np.array([-b, a], dtype=float)
        with np.errstate(divide="ignore"):
            share = (reach / np.abs(way)).min()
        steep = abs(way[1]) * share > (1 - 1e-9) * reach[1]
        # The named end: the upper one, or the right one of a line that leaves by the sides.
        way *= share * (1.0 if way[int(steep)] >= 0 else -1.0)
        ends = pl.DataFrame({"x": [-way[0], way[0]], "y": [-way[1], way[1]]})
        mark = alt.Chart(ends).mark_line(
            strokeDash=[1, 0] if place else [6, 4],
            strokeWidth=2,
            color=theme.LIGHT["ink"],
            tooltip=None,
        )
        layers.append(mark.encode(x=axis_x, y=axis_y))
        beside: dict[str, Any] = {"dy": -8} if steep else {"align": "left", "dx": 6}
        named = ends[1:].with_columns(label=pl.lit(name))
        text = alt.Chart(named).mark_text(color=theme.LIGHT["muted"], **beside)
        layers.append(text.encode(x=axis_x, y=axis_y, text="label:N"))
    layers.append(dots.add_params(picker) if picker is not None else dots)
    # In equal units, or angles would not be what they are.
    width = WIDTH if reach[0] == reach.max() else round(WIDTH * reach[0] / reach[1])
    height = round(width * reach[1] / reach[0])
    return {**finished(layers, title, notes, names, height=height), "width": width}
