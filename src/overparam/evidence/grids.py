"""Grids of independent cells: axes that are crossed, an axis that is batched, constants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Batched:
    """An axis whose values reach the function together; made by `batched`."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Fixed:
    """A list or tuple that is a constant, not an axis; made by `fixed`."""

    value: Any


@dataclass(frozen=True)
class Grid:
    """Axes and constants of an experiment; made by `grid`.

    Attributes
    ----------
    axes : mapping of str to tuple
        Every axis with its values, in the order given, the batched one too.
    batch : str or None
        Which axis is batched.
    constants : mapping of str to object
        Arguments that are the same in every cell.
    """

    axes: Mapping[str, tuple[Any, ...]]
    batch: str | None
    constants: Mapping[str, Any]

    def crossed(self) -> list[dict[str, Any]]:
        """Return every combination of the crossed axes, the last axis running fastest."""
        names = [name for name in self.axes if name != self.batch]
        return [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*(self.axes[name] for name in names))
        ]

    def order(self) -> list[tuple[int, int]]:
        """Return, for each row of the table, its place in `crossed` and on the batched axis.

        Rows run over all axes in the order given, the last one fastest.
        """
        names = [*(name for name in self.axes if name != self.batch)]
        sizes = [len(self.axes[name]) for name in names]
        if self.batch is None:
            return [(place, 0) for place in range(math.prod(sizes))]
        length = len(self.axes[self.batch])
        places = np.arange(math.prod(sizes) * length).reshape(*sizes, length)
        moved = np.moveaxis(places, -1, list(self.axes).index(self.batch))
        return [divmod(int(place), length) for place in moved.ravel()]


def batched(values: Iterable[Any]) -> Batched:
    """Return an axis that reaches the function as one list and is stored a value at a time.

    The function must return, under every name, one entry for each value; whatever belongs to one
    value must not depend on its neighbours, since only the missing values are computed.
    """
    return Batched(tuple(values))


def fixed(value: Any) -> Fixed:
    """Return a constant that happens to be a list or tuple (``widths=fixed((64, 64))``)."""
    return Fixed(value)


def grid(**axes: Any) -> Grid:
    """Return the grid of all combinations.

    Parameters
    ----------
    **axes
        A list, tuple or range is an axis and is crossed with the others; `batched` marks the one
        axis that reaches the function whole; everything else, and `fixed`, is a constant.

    Examples
    --------
    >>> len(grid(k=[2, 8], noise=[0.0, 0.5], n=100).crossed())
    4
    """
    crossed: dict[str, tuple[Any, ...]] = {}
    constants: dict[str, Any] = {}
    batch = None
    for name, value in axes.items():
        if isinstance(value, Batched):
            if batch is not None:
                raise ValueError(f"only one axis may be batched; got {batch!r} and {name!r}.")
            batch = name
            crossed[name] = value.values
        elif isinstance(value, (list, tuple, range)):
            crossed[name] = tuple(value)
        else:
            constants[name] = value.value if isinstance(value, Fixed) else value
    for name, values in crossed.items():
        if not values:
            raise ValueError(f"axis {name!r} must have at least one value; got none.")
    return Grid(crossed, batch, constants)
