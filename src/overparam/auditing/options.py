"""What the user asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass

from overparam.evidence.errors import UserError


@dataclass(frozen=True)
class Options:
    """What the user asked for; a different value is a different audit."""

    target: str | None = None
    task: str | None = None
    group: str | None = None
    time: str | None = None
    test: str | None = None
    metric: str | None = None
    budget: float = 300.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rare: str | None = None
    model: str | None = None
    seed: int = 0
    refit: bool = True


def checked_seed(seed: int) -> int:
    """The seed of an audit, from 0 to 2^31 - 1."""
    if not 0 <= int(seed) < 2**31:
        raise UserError(f"seed must be an integer >= 0 and below 2^31; got {seed!r}.")
    return int(seed)


def checked_jobs(jobs: int | None) -> int:
    """Processes of an audit: as many as there are cores, unless asked otherwise."""
    processes = jobs if jobs is not None else os.cpu_count() or 1
    if processes < 1:
        raise UserError(f"jobs must be an integer >= 1; got {jobs!r}.")
    return processes
