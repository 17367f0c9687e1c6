"""Versions that decide whether a model can be read and figures can be repeated."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("overparam", "torch", "scikit-learn", "skrub", "numpy", "scipy", "polars")


def versions() -> dict[str, str]:
    """Name to version of Python and the libraries, without importing them."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
