"""Schedules: the factor on every learning rate, by step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]  # (step from 0, total steps) -> factor

WARMUP = 0.05  # share of all steps over which a warm-up rises linearly to 1


def constant(step: int, total: int) -> float:
    """Always 1."""
    return 1.0


def cosine(step: int, total: int) -> float:
    """Half a cosine from 1 at the first step towards 0 after the last."""
    return 0.5 * (1.0 + math.cos(math.pi * step / total))


def warmup(step: int, total: int) -> float:
    """Linear rise over the first `WARMUP` of the steps, then 1."""
    return min(1.0, (step + 1) / max(1.0, WARMUP * total))


def warmup_cosine(step: int, total: int) -> float:
    """Linear rise over the first `WARMUP` of the steps, times the cosine."""
    return warmup(step, total) * cosine(step, total)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "warmup": warmup,
    "warmup_cosine": warmup_cosine,
}


def resolve_schedule(schedule: str | Schedule) -> Schedule:
    """Find a schedule by name, or take any function of (step, total) as it is.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {sorted(SCHEDULES)} or a function of (step, total); "
            f"got {schedule!r}."
        )
    return SCHEDULES[schedule]
