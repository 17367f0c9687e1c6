"""Evidence for a claim, and the one place where a verdict is computed from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from overparam.evidence.intervals import Statistic
from overparam.evidence.regions import Region


class Verdict(StrEnum):
    """What the figures say about a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Evidence:
    """The figures behind one claim.

    Attributes
    ----------
    table : polars.DataFrame
        The raw figures.
    statistic : Statistic
        The one number that decides, with its interval.
    holds : Region
        Where that number must lie for the claim to hold.
    figure : dict or None
        A Vega-Lite specification.
    exact : bool
        True for a deterministic claim, which needs no interval.
    note : str
        What a reader must know beside the verdict.
    """

    table: pl.DataFrame
    statistic: Statistic
    holds: Region
    figure: dict[str, Any] | None = None
    exact: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.statistic.interval is None and not self.exact:
            raise ValueError(
                f"statistic must carry an interval; got none for {self.statistic.label!r}. "
                "Declare a deterministic claim with exact=True."
            )

    @property
    def verdict(self) -> Verdict:
        """``holds`` when the interval lies inside the region, ``fails`` when outside.

        An interval that lies across the threshold, or a statistic that is not a number,
        is ``inconclusive``. An exact claim is decided by its value alone.
        """
        value = self.statistic.value
        if self.exact or self.statistic.interval is None:
            low = high = value
        else:
            low, high = self.statistic.interval.low, self.statistic.interval.high
        if math.isnan(value) or math.isnan(low) or math.isnan(high):
            return Verdict.INCONCLUSIVE
        if self.holds.contains_interval(low, high):
            return Verdict.HOLDS
        if self.holds.disjoint_from(low, high):
            return Verdict.FAILS
        return Verdict.INCONCLUSIVE

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: statistic, label, n, interval, level, method, region, verdict, ..."""
        interval = self.statistic.interval
        return {
            "statistic": self.statistic.value,
            "label": self.statistic.label,
            "n": self.statistic.n,
            "interval": None if interval is None else [interval.low, interval.high],
            "level": None if interval is None else interval.level,
            "method": None if interval is None else interval.method,
            "region": self.holds.text,
            "verdict": str(self.verdict),
            "exact": self.exact,
            "note": self.note,
        }


# What decides one part of a claim: its statistic, where that must lie, and a note.
Part = tuple[Statistic, Region, str]


def judged(
    table: pl.DataFrame,
    figure: dict[str, Any] | None,
    parts: Mapping[str, Part],
    *,
    exact: bool | None = False,
) -> dict[str, Evidence]:
    """Return the evidence of each part; table and figure stand with the first.

    Whether the parts are `exact` is said by the claim; None means those without an interval.
    """
    found: dict[str, Evidence] = {}
    for name, (statistic, region, note) in parts.items():
        rows, picture = (table.clear(), None) if found else (table, figure)
        alone = statistic.interval is None if exact is None else exact
        found[name] = Evidence(rows, statistic, region, picture, alone, note)
    return found


def combine(parts: Mapping[str, Evidence]) -> Verdict:
    """Return the verdict of a claim with several parts.

    Parameters
    ----------
    parts : mapping of str to Evidence
        The named parts, at least one.

    Returns
    -------
    Verdict
        ``holds`` if every part holds, ``fails`` if any fails, else ``inconclusive``.
    """
    if not parts:
        raise ValueError("parts must hold at least one Evidence; got none.")
    verdicts = {part.verdict for part in parts.values()}
    if Verdict.FAILS in verdicts:
        return Verdict.FAILS
    return Verdict.HOLDS if verdicts == {Verdict.HOLDS} else Verdict.INCONCLUSIVE
