"""Dates and times written as text: in which format, and what they are."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

DATES = pl.Datetime("us")
_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
_TIMES = ("", "{}%H:%M", "{}%H:%M:%S%.f", "{}%H:%M:%S%.fZ", "{}%H:%M:%S%.f%z")
_SAMPLE = 1_000


class DateFormat(NamedTuple):
    """How dates are written.

    Attributes
    ----------
    written : str
        In the signs of strftime.
    ambiguous : bool
        With day and month exchanged they would be dates too; the day is then taken to come first.
    """

    written: str
    ambiguous: bool


def find_format(texts: pl.Series) -> DateFormat | None:
    """Find the format in which all texts are dates.

    Parameters
    ----------
    texts : polars.Series of strings
        Missing values are passed over.

    Returns
    -------
    DateFormat or None
        None where no format fits all.
    """
    known = texts.drop_nulls()
    head = known.head(_SAMPLE)
    if not len(head) or not head.str.contains(r"\d{4}").all():
        return None
    fitting = [written for written in _formats() if _fits(head[:1], written)]
    fitting = [w for w in fitting if _fits(head, w) and _fits(known, w)]
    if not fitting:
        return None
    day_first = fitting[0].startswith(("%d/", "%d-"))
    return DateFormat(fitting[0], day_first and any(w.startswith("%m") for w in fitting))


def parse_dates(texts: pl.Series, written: str | None) -> pl.Series:
    """Parse; what does not fit is missing. Times with an offset are brought to UTC."""
    parsed = texts.str.to_datetime(written, strict=False, time_unit="us")
    return parsed.dt.replace_time_zone(None)


def _formats() -> list[str]:
    return [
        day + time.format(separator)
        for time in _TIMES
        for separator in (" ", "T")
        for day in _DAYS
        if time or separator == " "
    ]


def _fits(texts: pl.Series, written: str) -> bool:
    return parse_dates(texts, written).null_count() == 0
