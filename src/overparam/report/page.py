"""One self-contained HTML page: a template, its data, and charts that work offline.

Every chart is in the page twice: as an SVG drawn here, which is shown without scripts and in print,
and as a specification that the page draws again at the reader's width, with tooltips. The page
forbids itself by its Content-Security-Policy to load anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from overparam.report import formatting, rendering, theme

MOST_BYTES = 2_900_000
"""A page stays below this: the largest charts are then shown as pictures only."""

_FILTERS = (
    "count",
    "duration",
    "gain",
    "gain_span",
    "metric_title",
    "number",
    "percent",
    "score",
    "span",
    "statistic",
    "statistic_span",
)


@dataclass(frozen=True)
class Figure:
    """A chart as the templates need it."""

    id: str
    title: str
    notes: str
    svg: Markup
    problem: str = ""


@cache
def environment() -> Environment:
    """The templates, with HTML escaping always on and the filters of `formatting`."""
    found = Environment(
        loader=PackageLoader("overparam.report"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update({name: getattr(formatting, name) for name in _FILTERS})
    return found


@cache
def template_file(name: str) -> str:
    """The text of a style or script that lies beside the templates."""
    return (resources.files("overparam.report") / "templates" / name).read_text("utf-8")


def assemble(template: str, specs: Mapping[str, Mapping[str, Any]], **context: Any) -> str:
    """The page: `template` with `context`, the charts, style and script.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`.
    specs : mapping of str to Vega-Lite specification
        Charts by id; the template gets them as `figures`.
    """
    figures = {name: picture(name, spec) for name, spec in specs.items()}
    style = theme.css_variables() + template_file("style.css")
    parts = {
        "figures": figures,
        "style": Markup(style),
        "script": Markup(rendering.script()) if specs else "",
        "charts_script": Markup(template_file("charts.js")),
        **context,
    }
    page = environment().get_template(template)
    still = page.render(parts, specs=Markup("{}"))
    return page.render(parts, specs=_live(specs, MOST_BYTES - len(still.encode())))


def picture(name: str, spec: Mapping[str, Any]) -> Figure:
    """A chart as inline SVG in the page's colours; its title is lifted out, to be set in HTML."""
    meta = spec.get("usermeta", {})
    title, notes = str(meta.get("title") or ""), " ".join(meta.get("notes", ()))
    try:
        drawn = rendering.svg(_without_title(spec))
    except ValueError as problem:  # the page tells, and the rest of it still stands
        return Figure(name, title, notes, Markup(""), str(problem).splitlines()[0])
    return Figure(name, title, notes, Markup(theme.adaptive(_own_ids(drawn, name))))


def _without_title(spec: Mapping[str, Any]) -> dict[str, Any]:
    if "usermeta" not in spec:
        return dict(spec)
    return {key: value for key, value in spec.items() if key not in ("title", "usermeta")}


def _own_ids(svg: str, name: str) -> str:
    """Ids (of clip paths) made the figure's own: a page holds many pictures."""
    prefix = re.sub(r"[^A-Za-z0-9]", "-", name)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)


def _live(specs: Mapping[str, Mapping[str, Any]], room: int) -> Markup:
    """Specifications as one JSON object that is safe inside a script, the smallest first."""
    texts = []
    for name, spec in specs.items():
        meta = spec.get("usermeta", {})
        chart = {
            "spec": _without_title(spec),
            "columns": meta.get("columns", {}),
            "leastWidth": meta.get("least_width", 0),
        }
        text = theme.adaptive(json.dumps({name: chart}, separators=(",", ":")))[1:-1]
        for sign, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
            text = text.replace(sign, code)
        texts.append(text)
    kept = []
    for text in sorted(texts, key=len):
        room -= len(text.encode()) + 1
        if room > 0:
            kept.append(text)
    return Markup("{" + ",".join(kept) + "}")
