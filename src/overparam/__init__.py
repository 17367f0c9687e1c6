"""Overparameterised models: will they generalise, why, and what would help?"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from overparam.version import __version__

# Public name -> file that holds it. Loaded on first use, so that `import overparam` stays light.
_LAZY = {
    "Audit": "overparam.auditing.outcome",
    "audit": "overparam.auditing.running",
    "load_model": "overparam.auditing.saved_model",
}
_ROOMS = (
    "auditing",
    "data",
    "diagnostics",
    "evidence",
    "kernels",
    "nets",
    "report",
    "search",
    "studies",
    "theory",
    "training",
)

__all__ = ["Audit", "__version__", "audit", "load_model"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _ROOMS:
        return import_module(f"overparam.{name}")
    raise AttributeError(f"module 'overparam' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
