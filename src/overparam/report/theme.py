"""One house theme for charts and pages: a light and a dark palette, and the style of charts.

A chart's specification carries the light palette in plain hex, so that it is right anywhere: as a
PNG, in a notebook, in another editor. Inside our pages the same hex strings are replaced by CSS
variables (`adaptive`), so that one picture follows the reader's light or dark setting and prints
light. The hues are those of Okabe and Ito (2008), darkened or lightened for contrast with the
ground; tests measure contrast and the distances that colour-blind readers see.
"""

from __future__ import annotations

import re
from typing import Any

LIGHT = {
    "ground": "#ffffff",
    "raised": "#f6f7f9",
    "ink": "#1c2530",
    "muted": "#5a6675",
    "line": "#dfe3e8",
    "blue": "#1767b5",
    "vermilion": "#b54708",
    "green": "#0a7d52",
    "purple": "#b4588c",
    "amber": "#8f6000",
    "sky": "#3a93c9",
    "grey": "#7f8a98",
}
DARK = {
    "ground": "#14181d",
    "raised": "#1c2229",
    "ink": "#e8ebef",
    "muted": "#a3adb9",
    "line": "#303843",
    "blue": "#4f9ff0",
    "vermilion": "#f0884e",
    "green": "#46c488",
    "purple": "#dc90bb",
    "amber": "#dba63a",
    "sky": "#8fd0f5",
    "grey": "#8c97a5",
}
SERIES = ("blue", "vermilion", "green", "purple", "amber", "sky", "grey")
"""Names of the colours of unordered series, in the order in which they are given out."""

ORDERED = ("#5fb4c9", "#4a90c2", "#5b6fc0", "#7d52ad", "#93398a")
"""A ramp for ordered series (widths, sizes); mid-tones that can be read on both grounds."""

MEANING = {
    "issue": "vermilion",
    "tip": "amber",
    "fine": "green",
    "not_applicable": "grey",
    "not_run": "grey",
    "holds": "green",
    "fails": "vermilion",
    "inconclusive": "amber",
    "helps": "green",
    "hurts": "vermilion",
    "no difference": "grey",
}
"""Words that have one colour everywhere, whatever else a chart shows."""

FONT = "Helvetica Neue, Helvetica, Arial, sans-serif"
WIDTH = 640
HEIGHT = 300

CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "lineBreak": "\n",
    "view": {"stroke": None},
    "padding": {"left": 4, "top": 4, "bottom": 4, "right": 20},  # half of a last tick's label
    "title": {
        "anchor": "start",
        "fontSize": 15,
        "fontWeight": 600,
        "color": LIGHT["ink"],
        "subtitleColor": LIGHT["muted"],
        "subtitleFontSize": 12,
        "offset": 14,
    },
    "axis": {
        "labelColor": LIGHT["muted"],
        "labelFontSize": 12,
        "titleColor": LIGHT["muted"],
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 10,
        "labelPadding": 6,
        "grid": False,
        "domainColor": LIGHT["line"],
        "tickColor": LIGHT["line"],
        "tickSize": 4,
        "labelLimit": 220,
        "tickCount": 5,
        "labelOverlap": True,
    },
    "axisX": {"labelFlush": False},
    "axisY": {
        "grid": True,
        "gridColor": LIGHT["line"],
        "gridOpacity": 0.7,
        "domain": False,
        "ticks": False,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "labelColor": LIGHT["ink"],
        "labelFontSize": 12,
        "labelLimit": 240,
        "symbolStrokeWidth": 2.5,
        "symbolOpacity": 1,
        "offset": 12,
        "columns": 4,
    },
    "text": {"color": LIGHT["ink"], "fontSize": 12},
    "range": {"category": [LIGHT[name] for name in SERIES]},
}
"""The `config` block of every Vega-Lite specification that `report.figures` makes."""

_HEX = re.compile("|".join(LIGHT.values()))
_NAME_OF = {code: name for name, code in LIGHT.items()}


def adaptive(text: str) -> str:
    """`text` (an SVG, or a specification as JSON) with house colours as CSS variables."""
    return _HEX.sub(lambda match: f"var(--{_NAME_OF[match[0]]})", text)


def css_variables(scope: str = ":root") -> str:
    """CSS that declares both palettes on `scope`: dark where the reader asks, light on paper."""
    light, dark = (
        "".join(f"--{name}:{code};" for name, code in palette.items()) for palette in (LIGHT, DARK)
    )
    return (
        f"{scope}{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{{scope}{{{dark}}}}}"
    )


def series_colors(names: list[Any]) -> list[str]:
    """A colour for each name: its meaning where it has one, a ramp for numbers, else the series.

    Parameters
    ----------
    names : list
        Distinct names, in the order of the legend.
    """
    if names and all(str(name).lower() in MEANING for name in names):
        return [LIGHT[MEANING[str(name).lower()]] for name in names]
    if len(names) > 1 and all(isinstance(name, int | float) for name in names):
        last = len(ORDERED) - 1
        return [ORDERED[round(i * last / (len(names) - 1))] for i in range(len(names))]
    return [LIGHT[SERIES[i % len(SERIES)]] for i in range(len(names))]
