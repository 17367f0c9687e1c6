"""Which role a column has, which columns are of no use, and how values take the form of a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from overparam.data.dataset import Dropped, Role
from overparam.data.date_formats import DATES, DateFormat, find_format, parse_dates
from overparam.evidence.errors import UserError

MOST_CATEGORIES = 40  # text with more distinct values is read as text, not as categories
_IDENTIFIER_SHARE = 0.95
_IDENTIFIER_NAMES = ("id", "index", "idx", "row", "rowid", "uuid", "guid", "")
_SAMPLE = 1_000


@dataclass(frozen=True)
class Columns:
    """Feature columns brought to the form of their roles.

    Attributes
    ----------
    frame : polars.DataFrame
    roles : dict of column name to role
    formats : dict of column name to str
        How dates that were text are written.
    dropped : tuple of Dropped
    notes : tuple of str
    """

    frame: pl.DataFrame
    roles: dict[str, Role]
    formats: dict[str, str]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...]


def assign_roles(frame: pl.DataFrame) -> Columns:
    """Decide the role of each column; empty, constant and identifier-like ones are dropped.

    Numbers stay numbers (infinite ones count as missing). Text whose values are all numbers or all
    dates becomes these; with at most 40 distinct values it is a category, else text. Text, and
    whole numbers called "id" or counting the rows, with almost every value distinct and no blank
    inside are identifiers.
    """
    kept: list[pl.Series] = []
    roles: dict[str, Role] = {}
    formats: dict[str, str] = {}
    dropped: list[Dropped] = []
    notes: list[str] = []
    for raw in frame:
        series, found = _simplify(raw)
        written = found.written if found else None
        reason = _useless(series)
        if reason:
            dropped.append(Dropped("column", raw.name, len(raw), reason))
            continue
        role = _role(series)
        if found and written:
            formats[raw.name] = written
            doubt = ", the day first (the month first would fit too)" if found.ambiguous else ""
            notes.append(f"{raw.name!r} was read as dates written {written}{doubt}")
        if role == "number":
            infinite = int(series.is_infinite().sum()) if series.dtype.is_float() else 0
            if infinite:
                notes.append(f"{infinite} infinite values in {raw.name!r} count as missing")
        kept.append(_conform(series, role, written))
        roles[raw.name] = role
    return Columns(pl.DataFrame(kept), roles, formats, tuple(dropped), tuple(notes))


def conform(
    frame: pl.DataFrame,
    roles: Mapping[str, Role],
    formats: Mapping[str, str],
    origin: str,
) -> pl.DataFrame:
    """Bring new data to the columns and types of old.

    Parameters
    ----------
    frame : polars.DataFrame
        New rows; columns without a role are left out.
    roles, formats : mapping
        What `assign_roles` found.
    origin : str
        How messages call the new data.

    Raises
    ------
    UserError
        A missing column, or a value that its role does not allow.
    """
    absent = [name for name in roles if name not in frame.columns]
    if absent:
        raise UserError(
            f"{origin} must have the columns of the data; got none called "
            f"{', '.join(map(repr, absent[:5]))}{' ...' if len(absent) > 5 else ''}."
        )
    columns = []
    for name, role in roles.items():
        if role in ("category", "text"):
            columns.append(_as_text(frame[name]))
            continue
        series, _ = _simplify(frame[name], dates=False)
        made = _conform(series, role, formats.get(name))
        lost = made.is_null() & series.is_not_null()
        if role == "number" and series.dtype.is_float():
            lost &= series.is_finite()
        if lost.any():
            row = int(lost.arg_max() or 0)
            raise UserError(
                f"{origin} must hold a {role} in column {name!r}; got {series[row]!r} in row {row}."
            )
        columns.append(made)
    return pl.DataFrame(columns)


def _simplify(series: pl.Series, *, dates: bool = True) -> tuple[pl.Series, DateFormat | None]:
    """Bring to one of few types: numbers, booleans, text, dates; and how dates are written."""
    dtype = series.dtype
    if dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    elif dtype.is_decimal():
        return series.cast(pl.Float64), None
    elif dtype == pl.Duration:
        return series.dt.total_microseconds() / 1e6, None
    elif dtype == pl.Time:
        return series.cast(pl.Int64) / 1e9, None
    elif dtype == pl.Date or dtype == pl.Datetime:
        if getattr(dtype, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.cast(DATES), None
    elif dtype.is_float():
        return series.fill_nan(None), None
    if series.dtype != pl.String:
        return series, None
    series = series.str.strip_chars()
    series = series.set(series == "", None)
    known = series.drop_nulls()
    head = known.head(_SAMPLE)
    if not len(known):
        return series, None
    if head.cast(pl.Float64, strict=False).null_count() == 0:
        numbers = series.cast(pl.Float64, strict=False)
        if numbers.null_count() == series.null_count():
            return numbers.fill_nan(None), None
    elif dates and (found := find_format(series)):
        return parse_dates(series, found.written), found
    return series, None


def _useless(series: pl.Series) -> str | None:
    n_known = len(series) - series.null_count()
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        return f"values of type {series.dtype} are not supported"
    if n_known == 0:
        return "empty"
    distinct = series.drop_nulls().n_unique()
    if distinct == 1 and n_known == len(series):
        return "constant"
    if distinct < max(2, _IDENTIFIER_SHARE * n_known) or n_known <= MOST_CATEGORIES:
        return None
    if series.dtype == pl.String:
        blanks = series.drop_nulls().head(_SAMPLE).str.contains(r"\s").mean()
        return "looks like an identifier" if float(blanks or 0) < 0.5 else None  # type: ignore[arg-type]
    if series.dtype.is_integer():
        name = series.name.lower()
        called = name in _IDENTIFIER_NAMES or name.endswith(("_id", " id"))
        counts = n_known == len(series) and bool((series.diff().drop_nulls() == 1).all())
        return "looks like an identifier" if called or counts else None
    return None


def _role(series: pl.Series) -> Role:
    if series.dtype == pl.Boolean:
        return "boolean"
    if series.dtype == DATES:
        return "date"
    if series.dtype == pl.String:
        return "category" if series.drop_nulls().n_unique() <= MOST_CATEGORIES else "text"
    return "number"


def _conform(series: pl.Series, role: Role, written: str | None) -> pl.Series:
    if role == "number":
        numbers = series.cast(pl.Float64, strict=False)
        return numbers.set(~numbers.is_finite(), None)
    if role == "boolean":
        if series.dtype == pl.String:
            low = series.str.to_lowercase()
            return low.replace_strict(
                {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
            ).alias(series.name)
        return series.cast(pl.Boolean, strict=False)
    if role == "date":
        if series.dtype == pl.String:
            return parse_dates(series, written)
        return series.cast(DATES, strict=False) if series.dtype.is_temporal() else _nulls(series)
    return _as_text(series)


def _as_text(series: pl.Series) -> pl.Series:
    """Stripped text, empty where missing; 3.0 becomes "3", as it would be read from a file."""
    if series.dtype.is_float():
        series = series.fill_nan(None)
        known = series.drop_nulls()
        if bool((known == known.round()).all()):
            series = series.cast(pl.Int64, strict=False)
    text = series.cast(pl.String, strict=False).str.strip_chars()
    return text.set(text == "", None)


def _nulls(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None] * len(series), dtype=DATES)


def sortable(series: pl.Series, argument: str) -> np.ndarray:
    """A time column as numbers that sort from past to future; NaN where missing."""
    simple, _ = _simplify(series)
    if simple.dtype == DATES:
        micro = simple.to_physical()
        return micro.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if simple.dtype.is_numeric():
        return simple.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    raise UserError(
        f"{argument} must be a column of dates or numbers; got {series.name!r}, which holds text "
        f"such as {simple.drop_nulls()[0]!r}."
    )
