"""A configuration that no neighbour on its grid beats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Configuration = Mapping[str, Any]


@dataclass(frozen=True)
class LocalOptimum:
    """A local optimum and its certificate.

    Attributes
    ----------
    configuration : dict
    value : float
    neighbours : list of (dict, float)
        Every configuration one notch away in one coordinate, with its value: none is lower.
    evaluated : list of (dict, float)
        All that was tried, in order, each once.
    at_edge : tuple of str
        Coordinates at an end of their grid: the optimum may lie beyond.
    """

    configuration: dict[str, Any]
    value: float
    neighbours: list[tuple[dict[str, Any], float]]
    evaluated: list[tuple[dict[str, Any], float]]
    at_edge: tuple[str, ...]


def locally_optimal(
    evaluate: Callable[[dict[str, Any]], float],
    start: Configuration,
    grids: Mapping[str, Sequence[Any]],
) -> LocalOptimum:
    """Walk down one coordinate after the other until every one-notch step goes up.

    Parameters
    ----------
    evaluate : callable
        A configuration to its loss, lower is better; NaN counts as infinite (a run that diverged).
    start : mapping
        A value of each grid.
    grids : mapping of str to sequence
        The values of each coordinate, in order.

    Returns
    -------
    LocalOptimum

    Raises
    ------
    ValueError
        If `start` and `grids` name different coordinates, or a start is not on its grid.

    Examples
    --------
    >>> found = locally_optimal(
    ...     lambda at: (at["decay"] - 3) ** 2 + at["epochs"],
    ...     {"decay": 1, "epochs": 32},
    ...     {"decay": [0.1, 1, 3, 10], "epochs": [16, 32, 64]},
    ... )
    >>> found.configuration, found.at_edge, len(found.neighbours)
    ({'decay': 3, 'epochs': 16}, ('epochs',), 3)
    """
    names = list(grids)
    if set(start) != set(names):
        raise ValueError(f"start must have the coordinates of grids; got {sorted(start)}.")
    for name in names:
        if start[name] not in grids[name]:
            raise ValueError(
                f"start must lie on its grid: {name} in {list(grids[name])}; got {start[name]!r}."
            )
    place = tuple(list(grids[name]).index(start[name]) for name in names)
    values: dict[tuple[int, ...], float] = {}

    def at(point: tuple[int, ...]) -> dict[str, Any]:
        return {name: grids[name][i] for name, i in zip(names, point, strict=True)}

    def value(point: tuple[int, ...]) -> float:
        if point not in values:
            found = float(evaluate(at(point)))
            values[point] = math.inf if math.isnan(found) else found
        return values[point]

    def steps(point: tuple[int, ...], axis: int) -> list[tuple[int, ...]]:
        """The neighbours along one coordinate."""
        moved = (point[axis] - 1, point[axis] + 1)
        inside = (i for i in moved if 0 <= i < len(grids[names[axis]]))
        return [(*point[:axis], i, *point[axis + 1 :]) for i in inside]

    value(place)
    moving = True
    while moving:
        moving = False
        for axis in range(len(names)):
            while around := steps(place, axis):
                best = min(around, key=value)
                if value(best) >= value(place):
                    break
                place, moving = best, True
    beside = [point for axis in range(len(names)) for point in steps(place, axis)]
    edge = tuple(
        name
        for name, i in zip(names, place, strict=True)
        if len(grids[name]) > 1 and i in (0, len(grids[name]) - 1)
    )
    return LocalOptimum(
        at(place),
        value(place),
        [(at(point), value(point)) for point in beside],
        [(at(point), found) for point, found in values.items()],
        edge,
    )
