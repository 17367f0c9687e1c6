"""What every kind of source is read into before targets and roles are decided."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from overparam.data.dataset import Dropped


@dataclass
class Source:
    """Rows as they were read.

    Attributes
    ----------
    name, origin : str
        Short name, and where the rows came from, as error messages call it.
    features : polars.DataFrame or ndarray (n, ...)
        For tables all columns, the target too.
    labels : polars.Series or None
        (n,) labels that are not a column of `features`.
    target : str
        Name of the target where the source fixes it, else "".
    names : tuple of str or None
        A name for each row.
    test_rows : ndarray or None
        Rows that the source sets apart as test part.
    group : str
        Column of groups where the source has one, else "".
    notes, dropped : list
        Automatic choices in words; what was left out.
    """

    name: str
    origin: str
    features: pl.DataFrame | np.ndarray
    labels: pl.Series | None = None
    target: str = ""
    names: tuple[str, ...] | None = None
    test_rows: np.ndarray | None = None
    group: str = ""
    notes: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
