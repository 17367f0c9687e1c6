"""The work on one cell, wherever it runs: lock, look, compute, store."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from filelock import Timeout

from overparam.evidence import source_closure
from overparam.evidence.cell_store import CellStore


@dataclass(frozen=True)
class Task:
    """One call of a cell's function; with a batched axis it fills several cells.

    Attributes
    ----------
    function, arguments
        What is called, without the batched axis.
    batch : str or None
        The batched axis' name.
    values : tuple
        Its values; one placeholder when nothing is batched.
    keys : tuple of str
        The cell of each value.
    group : str
        The key whose lock is held meanwhile.
    about : mapping
        The arguments as JSON.
    source : str
        Digest of the code; a worker with other code refuses.
    store : CellStore
        Where the cells lie.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    batch: str | None
    values: tuple[Any, ...]
    keys: tuple[str, ...]
    group: str
    about: Mapping[str, Any]
    source: str
    store: CellStore

    @property
    def name(self) -> str:
        """The function's name with its module, for messages."""
        return self.about["function"]


@dataclass(frozen=True)
class CellFailure:
    """A cell whose function raised.

    Attributes
    ----------
    function : str
        Its name.
    arguments : mapping of str to str
        The inputs, shortened.
    error : str
        Type and text of the exception.
    traceback : str
        Where it was raised.
    """

    function: str
    arguments: Mapping[str, str]
    error: str
    traceback: str

    def __str__(self) -> str:
        inputs = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.function.rpartition(':')[2]}({inputs}): {self.error}"


@dataclass(frozen=True)
class Outcome:
    """How a task ended: ``done``, ``busy`` (another process is at it) or ``failed``."""

    state: Literal["done", "busy", "failed"]
    failure: CellFailure | None = None


def work(task: Task, *, wait: bool) -> Outcome:
    """Compute the cells of `task` that are still missing, and store them.

    Parameters
    ----------
    task : Task
        What to do.
    wait : bool
        Whether to wait while another process computes the same cells; otherwise ``busy``.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    lock = task.store.lock(task.group)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return Outcome("busy")
    try:
        missing = [i for i, key in enumerate(task.keys) if task.store.read(key) is None]
        if missing:
            _compute(task, missing)
            task.store.forget_lock(task.group)
        return Outcome("done")
    except Exception as error:
        return Outcome("failed", failure(task, error))
    finally:
        lock.release()


def failure(task: Task, error: BaseException) -> CellFailure:
    """Return the record of `error`, raised by the cell of `task`."""
    inputs = {name: _short(value) for name, value in task.arguments.items()}
    if task.batch is not None:
        inputs[task.batch] = _short(list(task.values))
    text = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    return CellFailure(task.name, inputs, " ".join(text.split()), trace)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold numerical libraries to one thread: cells side by side must not fight for cores."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 1
    if torch is not None and before != 1:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        if torch is not None and before != 1:
            torch.set_num_threads(before)


def _compute(task: Task, missing: list[int]) -> None:
    if task.function.__module__ != "__main__":  # a script travels to workers by value
        found = source_closure.digest(task.function)
        if found != task.source:
            raise RuntimeError(
                f"{task.name} has other code here than where the run was started; "
                "all workers must have the same version, and sources must not change meanwhile."
            )
    arguments = dict(task.arguments)
    if task.batch is not None:
        arguments[task.batch] = [task.values[i] for i in missing]
    started = time.perf_counter()
    with one_thread():
        result = task.function(**arguments)
    seconds = (time.perf_counter() - started) / len(missing)
    if not isinstance(result, Mapping):
        raise TypeError(f"a cell must return a mapping of names; got {type(result).__name__}.")
    for place, i in enumerate(missing):
        value = _row(result, place, len(missing)) if task.batch is not None else result
        about = dict(task.about)
        if task.batch is not None:
            about["value"] = _short(task.values[i])
        task.store.write(task.keys[i], value, seconds, about)


def _row(result: Mapping[str, Any], place: int, length: int) -> dict[str, Any]:
    for name, entries in result.items():
        if not hasattr(entries, "__len__") or isinstance(entries, str) or len(entries) != length:
            raise ValueError(
                f"under {name!r} a batched cell must return one entry for each of its {length} "
                f"values; got {_short(entries)}."
            )
    return {name: entries[place] for name, entries in result.items()}


def _short(value: Any, width: int = 80) -> str:
    text = getattr(value, "name", None) if hasattr(value, "fingerprint") else None
    if not isinstance(text, str):
        shape = getattr(value, "shape", None)
        text = f"array{tuple(shape)}" if shape else " ".join(repr(value).split())
    return text if len(text) <= width else f"{text[: width - 3]}..."
