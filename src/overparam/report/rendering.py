"""Pictures and the script of interactive charts, made offline by vl-convert."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import vl_convert

# Nothing may be fetched while a picture is drawn: no address is allowed as a source of data.
_NOWHERE: list[str] = ["data:"]


def png(spec: Mapping[str, Any], *, scale: float = 2.0, ground: str | None = "#ffffff") -> bytes:
    """A Vega-Lite specification as a PNG.

    Parameters
    ----------
    spec : mapping
        Vega-Lite, as `report.figures` makes it.
    scale : float
        Pixels for each unit of the specification.
    ground : str or None
        Colour behind the chart; None leaves it transparent.
    """
    spec = {**spec, "config": {**spec.get("config", {}), "background": ground}}
    image: bytes = vl_convert.vegalite_to_png(spec, scale=scale, allowed_base_urls=_NOWHERE)
    return image


def svg(spec: Mapping[str, Any]) -> str:
    """A Vega-Lite specification as an SVG document with a transparent ground."""
    picture: str = vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=_NOWHERE)
    return picture


@cache
def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (0.9 MB), to be written into a page.

    Addresses in it that only serve menus we do not show are emptied, so that a page can be
    searched for outside addresses; XML namespaces, which are names and not places, stay.
    Takes 2 s the first time in a process.
    """
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub is wrong
    for address in (
        "https://vega.github.io/editor/",
        "https://github.com/vega/vega-lite/issues/2415",
    ):
        bundle = bundle.replace(address, "")
    bundle = bundle.replace("https://vega.github.io/schema/", "/schema/")
    return bundle.replace("</script", "<\\/script")
