"""Progress of cells: a bar on a terminal, sparse lines elsewhere, or a call of one's own."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from overparam.evidence.cell_settings import Reporter

_FIRST_LINE = 5.0  # seconds before anything is said: what is quick needs no progress
_BETWEEN_LINES = 30.0

# Called with the number of cells done so far.
Tick = Callable[[int], None]


@contextlib.contextmanager
def progress(chosen: bool | Reporter, label: str, total: int, done: int) -> Iterator[Tick]:
    """Show how far `total` cells are, of which `done` were there before.

    Parameters
    ----------
    chosen : bool or callable
        False is silent; a callable gets (label, done, total).
    label : str
        What is computed.
    total, done : int
        Cells in all, cells found in the store.
    """
    if callable(chosen):
        chosen(label, done, total)
        yield lambda now: chosen(label, now, total)
    elif not chosen or total == done:
        yield lambda now: None
    elif sys.stderr.isatty():
        with _bar(label, total, done) as tick:
            yield tick
    else:
        yield _lines(label, total, done, sys.stderr)


@contextlib.contextmanager
def _bar(label: str, total: int, done: int) -> Iterator[Tick]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as display:
        task = display.add_task(label, total=total, completed=done)
        yield lambda now: display.update(task, completed=now)


def _lines(label: str, total: int, done: int, stream: TextIO) -> Tick:
    start = time.monotonic()
    due = start + _FIRST_LINE

    def tick(now: int) -> None:
        nonlocal due
        moment = time.monotonic()
        if moment < due or now >= total:
            return
        due = moment + _BETWEEN_LINES
        left = (moment - start) / max(now - done, 1) * (total - now)
        print(f"{label}: {now} of {total} cells, about {_span(left)} left", file=stream, flush=True)

    return tick


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
