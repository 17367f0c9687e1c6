"""Which rows train, validate and test: seeded, stratified, whole groups, past before future.

A *unit* is a set of rows that must stay together: equal rows, and rows of one group. Units are
sorted by stratum (class, or tenth of a numeric target), by size, and at random within these; every
1/share-th one is then taken, from a random start. So any five neighbours give one unit to a part of
20 %, and a class of five rows reaches all three parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from overparam.evidence.errors import UserError

_TENTHS = 10


@dataclass(frozen=True)
class Parts:
    """Positions of the rows of each part, sorted; `unused` rows belong to none."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unused: np.ndarray

    @property
    def size(self) -> int:
        """Positions in all."""
        return len(self.train) + len(self.validation) + len(self.test) + len(self.unused)


@dataclass(frozen=True)
class Layout:
    """What decides on which side a row may lie; all arrays have shape (n,).

    Attributes
    ----------
    stratum : ndarray of int64
        Rows of one stratum are spread evenly over the parts.
    equal : ndarray of int64
        Number of the set of equal rows.
    group : ndarray of int64 or None
        Number of the user's group.
    time : ndarray or None
        Sorts rows from past to future.
    """

    stratum: np.ndarray
    equal: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None

    @cached_property
    def unit(self) -> np.ndarray:
        """(n,) number of the unit of each row."""
        if self.group is None:
            return self.equal
        groups = int(self.group.max()) + 1
        size = groups + int(self.equal.max()) + 1
        edges = (np.ones(len(self.equal), bool), (self.group, groups + self.equal))
        _, component = connected_components(coo_array(edges, shape=(size, size)), directed=False)
        return component[self.group].astype(np.int64)


def strata(y: np.ndarray, task: str) -> np.ndarray:
    """Class codes, or the tenth of its sorted values in which a numeric target lies."""
    if task == "classification":
        return np.asarray(y, np.int64)
    inner = np.quantile(y, np.linspace(0, 1, _TENTHS + 1)[1:-1])
    return np.searchsorted(inner, y, side="right").astype(np.int64)


def draw(
    layout: Layout,
    seed: int,
    *,
    test: float = 0.2,
    validation: float = 0.2,
    repeat: int = 0,
    repeats: int = 1,
    test_rows: np.ndarray | None = None,
) -> Parts:
    """Draw one split.

    Parameters
    ----------
    layout : Layout
        Strata, equal rows, groups and times.
    seed : int
        Same seed, same split.
    test, validation : float
        Shares of all rows, > 0, together < 1.
    repeat, repeats : int
        The `repeat`-th of `repeats` splits that share one test part. With times, repeat i ends its
        validation part i/repeats of that part's length earlier; what is later than that is unused.
    test_rows : ndarray or None
        Positions of a test part that is given; `validation` keeps its ratio to the training part.

    Raises
    ------
    UserError
        When groups or times leave a part empty.
    """
    for name, share in (("test", test), ("validation", validation)):
        if not 0 < share < 1:
            raise UserError(f"{name} must be a share between 0 and 1; got {share!r}.")
    if test + validation >= 1:
        raise UserError(f"test + validation must be below 1; got {test} + {validation}.")
    n = len(layout.stratum)
    everything = np.arange(n)
    ratio = validation / (1 - test)
    if test_rows is None:
        rng = np.random.default_rng([seed, 0])
        rest, test_part = _divide(layout, everything, test, rng)
    else:
        test_part = np.sort(test_rows)
        rest = np.setdiff1d(everything, test_part, assume_unique=True)
    if layout.time is not None and repeat:
        later = round(ratio * len(rest) * repeat / repeats)
        rest = np.sort(rest[np.argsort(layout.time[rest], kind="stable")][: len(rest) - later])
    rng = np.random.default_rng([seed, 1 + repeat])
    train, validation_part = _divide(layout, rest, ratio, rng)
    if layout.time is not None:
        validation_part = _without_copies(layout, validation_part, test_part)
        train = _without_copies(layout, train, np.concatenate([validation_part, test_part]))
    used = np.concatenate([train, validation_part, test_part])
    return Parts(train, validation_part, test_part, np.setdiff1d(everything, used))


def folds(
    layout: Layout, rows: np.ndarray, k: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide `rows` into k folds for out-of-fold work.

    Parameters
    ----------
    layout : Layout
        Strata, equal rows, groups and times.
    rows : ndarray (m,)
        Positions to divide.
    k : int
        Number of folds, >= 2.
    seed : int
        Same seed, same folds.

    Returns
    -------
    list of (train_rows, held_rows)
        k pairs; together the held rows are `rows`, each once. With times, fold i trains on what is
        older than its held block, so the oldest of the k + 1 blocks is held by none.
    """
    if k < 2:
        raise ValueError(f"k must be an integer >= 2; got {k!r}.")
    rows = np.sort(np.asarray(rows))
    if layout.time is not None:
        return _time_folds(layout, rows, k)
    order, unit = _unit_order(layout, rows, np.random.default_rng([seed, 2]))
    if len(order) < k:
        raise UserError(
            f"folds must have at least one group or distinct row each; got {len(order)} of these "
            f"for {k} folds. Pass a smaller k or a finer group column."
        )
    fold_of_unit = np.empty(len(order), np.int64)
    fold_of_unit[order] = np.arange(len(order)) % k
    fold = fold_of_unit[unit]
    return [(rows[fold != i], rows[fold == i]) for i in range(k)]


def _divide(
    layout: Layout, rows: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into (rest, part), where part is about `share` of them."""
    if layout.time is not None:
        return _divide_by_time(layout.time, rows, share)
    order, unit = _unit_order(layout, rows, rng)
    if len(order) < 2:
        what = "group" if layout.group is not None else "rows"
        raise UserError(
            f"{what} must differ enough to divide into training, validation and test; "
            "got a single set that must stay together."
        )
    position = np.arange(len(order) + 1) * share + rng.random()
    taken = np.empty(len(order), bool)
    taken[order] = np.diff(np.floor(position)) > 0
    size = np.bincount(unit)
    taken &= size <= max(1, len(rows) // 2)  # the bulk of the rows must train
    if not taken.any():
        taken[order[np.argmin(size[order])]] = True
    inside = taken[unit]
    return rows[~inside], rows[inside]


def _divide_by_time(
    time: np.ndarray, rows: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    when = np.sort(time[rows])
    cut = when[min(len(when) - 1, round(len(when) * (1 - share)))]
    if cut == when[0]:  # so many rows share the oldest time that the part would take them all
        later = when[when > cut]
        if not len(later):
            raise UserError(
                "time must have at least three distinct values, for training, validation and "
                f"test; got too few in {len(rows)} rows."
            )
        cut = later[0]
    inside = time[rows] >= cut
    return rows[~inside], rows[inside]


def _without_copies(layout: Layout, rows: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Leave out rows whose unit also lies in a later part: time order holds, no unit is shared.

    Where equal rows alone would cost more than half of the part (few distinct rows), they stay.
    """
    unit = layout.unit
    kept = rows[~np.isin(unit[rows], unit[later])]
    if layout.group is not None and not len(kept):
        raise UserError(
            "group must have groups that end before the later parts begin when time is given; "
            "got groups that all reach into them. Leave out one of the two."
        )
    if layout.group is None and len(kept) < len(rows) / 2:
        return rows
    return kept


def _time_folds(layout: Layout, rows: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    assert layout.time is not None
    when = layout.time[rows]
    cuts = np.sort(when)[[round(len(rows) * i / (k + 1)) for i in range(1, k + 1)]]
    block = np.searchsorted(cuts, when, side="right")
    pairs = ((rows[block < i], rows[block == i]) for i in range(1, k + 1))
    return [
        (_without_copies(layout, old, held), held) for old, held in pairs if len(old) and len(held)
    ]


def _unit_order(
    layout: Layout, rows: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The order in which units are dealt to parts, and the unit (from 0) of each of `rows`."""
    _, unit, size = np.unique(layout.unit[rows], return_inverse=True, return_counts=True)
    stratum = _most_common(layout.stratum[rows], unit)
    bucket = np.floor(np.log2(size))
    return np.lexsort((rng.random(len(size)), -bucket, stratum)), unit


def _most_common(stratum: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """(units,) the stratum that most rows of each unit have."""
    width = int(stratum.max()) + 1
    pair, count = np.unique(unit * width + stratum, return_counts=True)
    order = np.lexsort((count, pair // width))
    last = np.flatnonzero(np.diff(pair[order] // width, append=-1))
    return pair[order][last] % width
