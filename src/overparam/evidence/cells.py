"""Experiments as grids of independent cells: cached, resumed, spread over processes.

    table = run(test_error, grid(width=[50, 200, 800], seed=batched(scale.seeds)))

A cell's function stands at the top level of a file and returns a mapping of names to numbers,
text, lists or arrays. A cell is computed once for its arguments, its code (`source_closure`) and
the versions of the numerical libraries; it should last at most about half a minute, since that is
what a kill can cost.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from overparam.evidence import source_closure
from overparam.evidence.backends import outcomes, polling
from overparam.evidence.cell_keys import encode, group_key, value_key
from overparam.evidence.cell_settings import current, settings
from overparam.evidence.cell_store import Cell, CellStore
from overparam.evidence.cell_work import CellFailure, Task
from overparam.evidence.errors import UserError
from overparam.evidence.grids import Batched, Fixed, Grid, batched, fixed, grid
from overparam.evidence.progress import progress

__all__ = [
    "Batched",
    "CellFailure",
    "CellResult",
    "CellsFailed",
    "Fixed",
    "Grid",
    "Meter",
    "batched",
    "call",
    "call_many",
    "fixed",
    "grid",
    "metered",
    "run",
    "settings",
]


@dataclass(frozen=True)
class CellResult:
    """What a cell returned.

    Attributes
    ----------
    value : dict
        Names to numbers, text, lists, arrays.
    seconds : float
        What it took when it was computed, the same number when it was cached.
    cached : bool
        Whether it was found in the store.
    """

    value: dict[str, Any]
    seconds: float
    cached: bool


class CellsFailed(RuntimeError):  # noqa: N818 - it tells what happened to the cells
    """Some cells raised; all others are finished and stored.

    Attributes
    ----------
    failures : list of CellFailure
        One a failed call, with its inputs.
    """

    def __init__(self, failures: Sequence[CellFailure], total: int) -> None:
        self.failures = list(failures)
        super().__init__(f"{len(failures)} of {total} cells failed, the first: {failures[0]}")


@dataclass
class Meter:
    """What the cells of a block cost: recorded seconds, cells in all, cells computed now."""

    seconds: float = 0.0
    cells: int = 0
    computed: int = 0


_meters: ContextVar[tuple[Meter, ...]] = ContextVar("overparam_meters", default=())


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Count what the cells of this block cost, cached or not."""
    meter = Meter()
    token = _meters.set((*_meters.get(), meter))
    try:
        yield meter
    finally:
        _meters.reset(token)


def run(
    function: Callable[..., Mapping[str, Any]],
    grid: Grid,
    *,
    errors: Literal["raise", "return"] = "raise",
    label: str | None = None,
) -> pl.DataFrame:
    """Return the table of a grid: a row a cell, its place on the axes and what it returned.

    Parameters
    ----------
    function : callable
        At the top level of a file; called by keyword.
    grid : Grid
        From `grid`. Constants are not repeated in the table.
    errors : {"raise", "return"}
        What failed cells do after all others have finished: raise `CellsFailed`, or stand in the
        table with nulls and their message in a column ``error``.
    label : str, optional
        What the progress bar says; the function's name by default.

    Returns
    -------
    polars.DataFrame
        Axes in the order of the grid, then results; rows in the order of the axes, the last
        running fastest. Arrays and lists become lists.
    """
    constants = _encode_all(grid.constants)
    values = grid.axes[grid.batch] if grid.batch is not None else (None,)
    encoded = tuple(encode(value, grid.batch or "") for value in values)
    source = source_closure.digest(function)
    tasks = []
    for point in grid.crossed():
        arguments = {**grid.constants, **point}
        codes = {**constants, **_encode_all(point)}
        tasks.append(_task(function, source, arguments, codes, grid.batch, values, encoded))
    results = _complete(tasks, label)
    _raise_failures([result for row in results for result in row], errors)
    points = grid.crossed()
    records = []
    for place, member in grid.order():
        point = {**points[place], **({grid.batch: values[member]} if grid.batch else {})}
        row = {name: point[name] for name in grid.axes}
        records.append(_record(row, results[place][member], errors))
    return pl.DataFrame(records, infer_schema_length=None, strict=False)


def call(function: Callable[..., Mapping[str, Any]], /, **arguments: Any) -> CellResult:
    """Return one cell, computed in this process unless it is stored.

    Raises
    ------
    CellsFailed
        If the function raised.
    """
    with settings(backend="sequential"):
        result = call_many(function, [arguments], errors="raise")[0]
    assert isinstance(result, CellResult)
    return result


def call_many(
    function: Callable[..., Mapping[str, Any]],
    arguments: Iterable[Mapping[str, Any]],
    *,
    label: str | None = None,
    errors: Literal["raise", "return"] = "return",
) -> list[CellResult | CellFailure]:
    """Return a cell for each set of arguments, in their order, computed side by side.

    Parameters
    ----------
    function : callable
        At the top level of a file.
    arguments : iterable of mappings
        Keyword arguments, one mapping a cell.
    label, errors
        As in `run`; with ``"return"`` a failed cell is a `CellFailure` in the list.
    """
    source = source_closure.digest(function)
    wanted = [_task(function, source, each, _encode_all(each)) for each in arguments]
    tasks = list({task.group: task for task in wanted}.values())
    results = dict(zip((t.group for t in tasks), _complete(tasks, label), strict=True))
    found = [results[task.group][0] for task in wanted]
    _raise_failures(found, errors)
    return found


def _encode_all(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encode(value, name) for name, value in arguments.items()}


def _task(
    function: Callable[..., Any],
    source: str,
    arguments: Mapping[str, Any],
    codes: Mapping[str, Any],
    batch: str | None = None,
    values: tuple[Any, ...] = (None,),
    encoded: tuple[Any, ...] = (None,),
) -> Task:
    names = [*arguments, batch] if batch is not None else list(arguments)
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"arguments must fit {function.__qualname__}; {error}.") from None
    name = source_closure.name(function)
    group = group_key(name, source, codes, batch)
    return Task(
        function=function,
        arguments=dict(arguments),
        batch=batch,
        values=values,
        keys=(group,) if batch is None else tuple(value_key(group, code) for code in encoded),
        group=group,
        about={"function": name, "arguments": dict(codes)},
        source=source,
        store=CellStore(current().folder),
    )


def _complete(tasks: list[Task], label: str | None) -> list[list[CellResult | CellFailure]]:
    """Read what is stored, compute what is missing, and read that too."""
    found: list[list[Cell | None]] = [[t.store.read(key) for key in t.keys] for t in tasks]
    cached = [[cell is not None for cell in cells] for cells in found]
    todo = {i: cells.count(None) for i, cells in enumerate(found) if None in cells}
    failures: dict[int, CellFailure] = {}
    if todo:
        failures = _compute(tasks, todo, label, total=sum(map(len, found)))
        for i in todo:
            found[i] = [tasks[i].store.read(key) for key in tasks[i].keys]
    return [
        [
            _result(cell, was, failures.get(i), task)
            for cell, was in zip(found[i], cached[i], strict=True)
        ]
        for i, task in enumerate(tasks)
    ]


def _compute(
    tasks: list[Task], todo: Mapping[int, int], label: str | None, total: int
) -> dict[int, CellFailure]:
    """Run the tasks at the places of `todo` (place -> missing cells); return the failures."""
    failures: dict[int, CellFailure] = {}
    chosen = current()
    places = list(todo)
    done = total - sum(todo.values())
    label = label or tasks[0].function.__name__.replace("_", " ")
    with contextlib.ExitStack() as stack:
        tick = stack.enter_context(progress(chosen.progress, label, total, done))
        if chosen.backend == "ray":  # it reports at the end only: count files meanwhile
            paths = [tasks[i].store.path(key) for i in places for key in tasks[i].keys]
            before = total - len(paths)
            stack.enter_context(polling(lambda: tick(before + sum(p.exists() for p in paths))))
        ended = stack.enter_context(
            contextlib.closing(outcomes([tasks[i] for i in places], chosen))
        )
        for place, outcome in ended:
            if outcome.failure is not None:
                failures[places[place]] = outcome.failure
            done += todo[places[place]]
            tick(done)
    return failures


def _result(
    cell: Cell | None, cached: bool, failure: CellFailure | None, task: Task
) -> CellResult | CellFailure:
    if cell is None:
        if failure is not None:
            return failure
        raise UserError(
            f"a cell of {task.name} was computed but is not in {task.store.root}; "
            "workers on other machines must share that folder (OVERPARAM_CACHE)."
        )
    for meter in _meters.get():
        meter.seconds += cell.seconds
        meter.cells += 1
        meter.computed += not cached
    return CellResult(cell.value, cell.seconds, cached)


def _raise_failures(results: Sequence[CellResult | CellFailure], errors: str) -> None:
    if errors not in ("raise", "return"):
        raise ValueError(f"errors must be 'raise' or 'return'; got {errors!r}.")
    failures = [result for result in results if isinstance(result, CellFailure)]
    if failures and errors == "raise":
        raise CellsFailed(failures, len(results))


def _record(
    row: Mapping[str, Any], result: CellResult | CellFailure, errors: str
) -> dict[str, Any]:
    record = {name: _cell_text(value) for name, value in row.items()}
    if isinstance(result, CellFailure):
        return {**record, "error": result.error}
    clash = record.keys() & result.value.keys()
    if clash:
        raise ValueError(f"a cell must not return the name of an axis; got {sorted(clash)}.")
    for name, value in result.value.items():
        record[name] = value.tolist() if hasattr(value, "tolist") else value
    if errors == "return":
        record["error"] = None
    return record


def _cell_text(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item"):
        return value.item()
    return str(getattr(value, "name", getattr(value, "__name__", value)))
