"""Which task a target column poses, its labels as codes or numbers, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import polars as pl

from overparam.data.dataset import Dropped, Task
from overparam.evidence.errors import UserError

MOST_INTEGER_CLASSES = 20
FEWEST_ROWS_A_CLASS = 5
IDENTIFIER_SHARE = 0.9  # distinct values per row above which text is a name, not a label
MERGED = "(rare)"


@dataclass(frozen=True)
class Target:
    """A target column understood.

    Attributes
    ----------
    task : "classification" or "regression"
    y : ndarray (n,)
        int64 codes (-1 where there is no usable label) or float64 (NaN there).
    classes : tuple of str
    missing : ndarray (n,) of bool
        Rows that came without a label.
    rare : ndarray (n,) of bool
        Rows of classes that were dropped.
    notes, dropped : tuple
    """

    task: Task
    y: np.ndarray
    classes: tuple[str, ...]
    missing: np.ndarray
    rare: np.ndarray
    notes: tuple[str, ...]
    dropped: tuple[Dropped, ...]


def nearest(word: str, names: Sequence[str]) -> str:
    """Words for "did you mean", or the first names where nothing is near."""
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    lower = {name.lower(): name for name in names}
    near = near or [lower[m] for m in get_close_matches(word.lower(), list(lower), n=3, cutoff=0.5)]
    if near:
        return "Did you mean " + " or ".join(repr(name) for name in near) + "?"
    more = ", ..." if len(names) > 10 else ""
    return f"It has {', '.join(names[:10])}{more}."


def read_target(
    values: pl.Series, name: str, task: str | None = None, rare: str | None = None
) -> Target:
    """Understand a column of labels.

    Parameters
    ----------
    values : polars.Series (n,)
        Strings, booleans or numbers; null, NaN and empty strings are missing labels.
    name : str
        How messages call the target.
    task : "classification", "regression" or None
        None decides: strings, booleans and at most 20 distinct whole numbers are classes.
    rare : "drop", "merge" or None
        What to do with classes of fewer than 5 rows; None makes them an error.

    Raises
    ------
    UserError
        One class only, rare classes, an identifier, dates, infinite numbers, no labels at all,
        or a task that the values do not allow.
    """
    if task not in (None, "classification", "regression"):
        raise UserError(f"task must be 'classification' or 'regression'; got {task!r}.")
    if rare not in (None, "drop", "merge"):
        raise UserError(f"rare must be 'drop' or 'merge'; got {rare!r}.")
    values = _tidy(values, name)
    missing = values.is_null().to_numpy()
    if missing.all():
        raise UserError(f"target must have labels; got {name!r} without a single one.")
    chosen, why = _choose_task(values, name, task)
    note = f"{chosen}: {name!r} {why}" if task is None else f"{chosen}, as asked for"
    if chosen == "regression":
        y = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        if np.isinf(y).any():
            row = int(np.flatnonzero(np.isinf(y))[0])
            raise UserError(f"target must be finite; got {y[row]} in {name!r}, row {row}.")
        if np.nanmin(y) == np.nanmax(y):
            raise UserError(f"target must vary; got {name!r} with the single value {np.nanmin(y)}.")
        return Target("regression", y, (), missing, np.zeros(len(y), bool), (note,), ())
    return _classes(values, name, missing, rare, note)


def _tidy(values: pl.Series, name: str) -> pl.Series:
    """Strings stripped, empty ones and NaN missing, booleans and numbers as they are."""
    dtype = values.dtype
    if dtype in (pl.Categorical, pl.Enum) or dtype == pl.String:
        stripped = values.cast(pl.String).str.strip_chars()
        return stripped.set(stripped == "", None)
    if dtype.is_float():
        return values.fill_nan(None)
    if dtype.is_decimal():
        return values.cast(pl.Float64)
    if dtype.is_integer() or dtype in (pl.Boolean, pl.Null):
        return values
    kind = "dates" if dtype.is_temporal() else f"values of type {dtype}"
    raise UserError(f"target must hold text, booleans or numbers; got {kind} in {name!r}.")


def _choose_task(values: pl.Series, name: str, task: str | None) -> tuple[Task, str]:
    if not values.dtype.is_numeric():
        if task == "regression" and values.dtype == pl.String:
            raise UserError(
                f"task must be 'classification' for the text in {name!r}; got 'regression'."
            )
        kind = "booleans" if values.dtype == pl.Boolean else "text"
        return ("regression" if task == "regression" else "classification"), f"holds {kind}"
    known = values.drop_nulls()
    distinct = known.n_unique()
    whole = known.dtype.is_integer() or bool((known == known.round()).all())
    if task == "classification":
        return "classification", ""
    if task == "regression":
        return "regression", ""
    if whole and distinct <= MOST_INTEGER_CLASSES:
        return "classification", f"holds {distinct} distinct whole numbers"
    kind = "whole numbers" if whole else "numbers"
    return "regression", f"holds {distinct} distinct {kind}"


def _classes(
    values: pl.Series, name: str, missing: np.ndarray, rare: str | None, note: str
) -> Target:
    names, codes = _codes(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    labelled = int(counts.sum())
    if len(names) < 2:
        raise UserError(
            f"target must have at least two classes; got only {names[0]!r} in {name!r}."
        )
    if len(names) > max(2, IDENTIFIER_SHARE * labelled) and len(names) > MOST_INTEGER_CLASSES:
        raise UserError(
            f"target must repeat its values; got {name!r} with {len(names)} distinct values in "
            f"{labelled} rows, which looks like an identifier."
        )
    few = counts < FEWEST_ROWS_A_CLASS
    if not few.any():
        return Target("classification", codes, tuple(names), missing, missing & False, (note,), ())
    if rare is None:
        raise UserError(
            f"target must have at least {FEWEST_ROWS_A_CLASS} rows in each class; got "
            f"{_listed(names, counts, few)}. Use --rare drop to leave them out or --rare merge to "
            "make them one class."
        )
    is_rare = few[codes] & (codes >= 0)
    total = int(counts[few].sum())
    if rare == "merge" and total >= FEWEST_ROWS_A_CLASS:
        kept = [c for c, f in zip(names, few, strict=True) if not f] + [MERGED]
        new_code = np.where(few, len(kept) - 1, np.cumsum(~few) - 1)
        merged_note = f"{few.sum()} classes with {total} rows in all became the class {MERGED}"
        dropped: tuple[Dropped, ...] = ()
        notes: tuple[str, ...] = (note, merged_note)
        is_rare[:] = False
    else:
        kept = [c for c, f in zip(names, few, strict=True) if not f]
        new_code = np.where(few, -1, np.cumsum(~few) - 1)
        reason = f"fewer than {FEWEST_ROWS_A_CLASS} rows"
        dropped = tuple(
            Dropped("class", names[i], int(counts[i]), reason) for i in np.flatnonzero(few)
        )
        notes = (note,)
    if len(kept) < 2:
        raise UserError(
            f"target must have two classes with at least {FEWEST_ROWS_A_CLASS} rows; got "
            f"{len(kept)} in {name!r} without the rare ones."
        )
    y = np.where(codes >= 0, new_code[codes], -1)
    return Target("classification", y, tuple(kept), missing, is_rare, notes, dropped)


def _codes(values: pl.Series) -> tuple[list[str], np.ndarray]:
    """Class names in sorted order, and the code of each row (-1 where missing)."""
    distinct = values.drop_nulls().unique().sort()
    if distinct.dtype.is_float() and bool((distinct == distinct.round()).all()):
        named = distinct.cast(pl.Int64)
    else:
        named = distinct
    if distinct.dtype == pl.Boolean:
        names = [str(value) for value in named.to_list()]
    else:
        names = named.cast(pl.String).to_list()
    codes = values.rank("dense").cast(pl.Int64) - 1
    return names, codes.fill_null(-1).to_numpy().astype(np.int64)


def _listed(names: Sequence[str], counts: np.ndarray, which: np.ndarray) -> str:
    indices = np.flatnonzero(which)
    shown = ", ".join(f"{names[i]!r} ({counts[i]})" for i in indices[:5])
    return shown + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")


def encode_target(values: pl.Series, name: str, like: Target) -> np.ndarray:
    """Labels of a separate test source in the codes of `like`; -1 or NaN where there is none.

    Raises
    ------
    UserError
        When a label is a class that `like` never had.
    """
    values = _tidy(values, name)
    if like.task == "regression":
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
            raise UserError(f"test must have numbers in {name!r}; got values of {values.dtype}.")
        y = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return np.where(np.isfinite(y), y, np.nan)
    names, codes = _codes(values)
    known = {c: i for i, c in enumerate(like.classes)}
    rare = {d.name for d in like.dropped}
    unknown = [c for c in names if c not in known and c not in rare]
    if unknown and MERGED not in known:
        raise UserError(
            f"test must have the classes of the data in {name!r}; got "
            f"{', '.join(map(repr, unknown[:5]))} too."
        )
    new = np.array([known.get(c, -1 if c in rare else known.get(MERGED, -1)) for c in names], int)
    return np.where(codes >= 0, new[codes], -1)
