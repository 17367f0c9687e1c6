"""Where a statistic must lie for a claim to hold."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """An interval of the real line, each end open or closed.

    Attributes
    ----------
    low, high : float
        The ends; infinite where there is none.
    low_closed, high_closed : bool
        Whether the end itself belongs to the region.
    """

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = True
    high_closed: bool = True

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"low must be <= high; got {self.low} and {self.high}.")

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the region (NaN never does)."""
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return above and below

    def contains_interval(self, low: float, high: float) -> bool:
        """Whether the whole closed interval from `low` to `high` lies in the region."""
        return self.contains(low) and self.contains(high)

    def disjoint_from(self, low: float, high: float) -> bool:
        """Whether no point of the closed interval from `low` to `high` lies in the region."""
        if self.low_closed:
            below = high < self.low
        else:
            below = high <= self.low
        if self.high_closed:
            above = low > self.high
        else:
            above = low >= self.high
        return below or above

    @property
    def text(self) -> str:
        """The region in words, such as ``at most 0.02``."""
        if math.isinf(self.low) and math.isinf(self.high):
            return "any number"
        if math.isinf(self.low):
            return f"{'at most' if self.high_closed else 'less than'} {self.high:g}"
        if math.isinf(self.high):
            return f"{'at least' if self.low_closed else 'more than'} {self.low:g}"
        return f"between {self.low:g} and {self.high:g}"


def at_most(threshold: float) -> Region:
    """Everything up to `threshold`, which belongs to it."""
    return Region(high=threshold)


def at_least(threshold: float) -> Region:
    """Everything from `threshold` on, which belongs to it."""
    return Region(low=threshold)


def less_than(threshold: float) -> Region:
    """Everything below `threshold`, which does not belong to it."""
    return Region(high=threshold, high_closed=False)


def more_than(threshold: float) -> Region:
    """Everything above `threshold`, which does not belong to it."""
    return Region(low=threshold, low_closed=False)


def between(low: float, high: float) -> Region:
    """From `low` to `high`, both of which belong to it."""
    return Region(low, high)
