"""The layers of a tile as one compiled loop, where the machine has a compiler.

Eager torch passes over a tile about twenty times a layer; compiled, the whole depth of an entry
stays in registers: a third of the time. The price is paid once a process and kind of net: 3 to 20
seconds (the longer without the compiler's cache on disk). So it is asked for by a fixed rule of
shapes, and never noticed where there is no compiler: the eager layers give the same numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LayerFunction = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

# Entries times layers from which compiling pays for itself even in a fresh process.
WORTH_IT = 100_000_000

_compiled: dict[Any, LayerFunction] = {}
_log = logging.getLogger(__name__)


def compiled_layers(key: Any, eager: LayerFunction, depth: int) -> LayerFunction:
    """Return a compiled `eager`, shared by all calls with this key; `eager` if that fails.

    Parameters
    ----------
    key : hashable
        Equal keys promise equal functions.
    eager : callable
        `(first covariance (a, b), variances (a, depth), variances (b, depth)) -> (nngp, ntk)`.
    depth : int
        Layers of the variances.
    """
    if key not in _compiled:
        _compiled[key] = _compile(eager, depth)
    return _compiled[key]


def _compile(eager: LayerFunction, depth: int) -> LayerFunction:
    try:
        fast: LayerFunction = torch.compile(eager, dynamic=True)
        # Compilation happens at the first call: here, where it may fail without harm.
        k = torch.eye(8, dtype=torch.float64)[:5, :7]
        fast(k, k.new_ones(5, depth), k.new_ones(7, depth))
    except Exception as failure:
        _log.info("no compiler for kernel tiles, going on without: %s", failure)
        return eager
    return fast
