"""One time budget for the whole audit: its shares, and what has been spent of each."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from overparam.evidence.errors import UserError

# What is left of the budget when a stage ends goes to the stages after it.
SHARES = {"baselines": 0.25, "nets": 0.45, "treatments": 0.15, "reserve": 0.15}
# Seconds of an audit outside its cells: starting and the page; reading, dividing and writing rows.
AROUND = 20.0
AROUND_A_ROW = 35e-6
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str | float) -> float:
    """Seconds of a duration such as `90s`, `5m`, `1h30m` or a plain number of seconds."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        seconds = float(text)
    else:
        parts = re.findall(r"(\d+(?:\.\d+)?)([smh]?)", str(text).strip().lower())
        whole = "".join(number + unit for number, unit in parts)
        if not parts or whole != str(text).strip().lower().replace(" ", ""):
            raise UserError(f"budget must be a time such as 90s, 5m or 1h30m; got {text!r}.")
        seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if not seconds >= 10:
        raise UserError(f"budget must be at least 10s; got {text!r}.")
    return seconds


def working_seconds(budget: float, rows: int) -> float:
    """What is left of a budget for cells: starting, reading the data and the page take the rest."""
    return max(budget - AROUND - AROUND_A_ROW * rows, 0.6 * budget)


def makespan(seconds: Sequence[float], jobs: int) -> float:
    """Wall-clock seconds of pieces of work that `jobs` processes take one after the other."""
    free = [0.0] * jobs
    for piece in seconds:
        heapq.heapreplace(free, free[0] + piece)
    return max(free)


@dataclass
class Ledger:
    """What each stage may take and has taken, in seconds of wall-clock time.

    A cell that comes from the cache is charged the seconds that it took when it was computed, so
    that a second run of one plan takes the same decisions as the first.
    """

    total: float
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHARES, 0.0))

    def allowance(self, stage: str) -> float:
        """Seconds that `stage` may use: its own share and what earlier stages left over.

        The reserve is kept whole whatever the others have used.
        """
        names = list(SHARES)
        until = names[: names.index(stage) + 1]
        left = sum(SHARES[n] for n in until) * self.total - sum(self.spent[n] for n in until)
        if stage == "reserve":
            return max(left, SHARES[stage] * self.total - self.spent[stage])
        return left

    def charge(self, stage: str, seconds: float) -> None:
        """Add what a stage has used."""
        self.spent[stage] += seconds

    def affords(self, stage: str, seconds: float) -> bool:
        """Whether an estimate still fits into what the stage may use."""
        return seconds <= self.allowance(stage)
