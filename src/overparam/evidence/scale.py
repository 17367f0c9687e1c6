"""How much is spent on a claim: smoke, quick, full or long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """What a study may spend.

    Attributes
    ----------
    name : str
        ``smoke``, ``quick``, ``full`` or ``long``.
    seeds : tuple of int
        The independent repetitions over which intervals are taken.
    verdicts : bool
        Whether a verdict may be given at this scale.
    """

    name: str
    seeds: tuple[int, ...]
    verdicts: bool = True

    def pick(self, *, smoke: T, quick: T, full: T, long: T | None = None) -> T:
        """Return the value for this scale; ``long`` is ``full`` unless given."""
        values = {"smoke": smoke, "quick": quick, "full": full}
        values["long"] = full if long is None else long
        return values[self.name]


SMOKE = Scale("smoke", (0, 1), verdicts=False)  # proves that the code runs
QUICK = Scale("quick", (0, 1, 2))  # about a minute a claim on two cores
FULL = Scale("full", (0, 1, 2, 3, 4))  # about ten minutes a claim
LONG = Scale("long", (0, 1, 2, 3, 4))  # whatever the paper asks for, in the background

SCALES: dict[str, Scale] = {scale.name: scale for scale in (SMOKE, QUICK, FULL, LONG)}
