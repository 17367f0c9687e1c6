"""One form for what training runs record, whoever trained and whoever reads.

A row a figure: when (`step`, and `epoch` where the trainer counts epochs), whose (`member`), on
which rows (`split`), where in the network (`layer`), what (`quantity`), how much (`value`), and
over how many `rows` it is a mean. Fields that do not apply are empty text or null.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from overparam.evidence.atomic_write import write_whole

SCHEMA: Mapping[str, Any] = {
    "step": pl.Int64,
    "epoch": pl.Float64,
    "member": pl.Int64,
    "split": pl.String,
    "layer": pl.String,
    "quantity": pl.String,
    "value": pl.Float64,
    "rows": pl.Int64,
}


class _Place(NamedTuple):
    """What one figure is about: of two figures with the same place the later one counts."""

    step: int
    member: int
    split: str
    layer: str
    quantity: str


@dataclass(frozen=True)
class Curve:
    """One quantity over time.

    Attributes
    ----------
    steps : ndarray of shape (T,), int
        Ascending.
    values : ndarray of shape (M, T)
        NaN where a member recorded nothing.
    members : ndarray of shape (M,), int
    rows : int or None
        Examples over which the values are means, where that was told.
    """

    steps: np.ndarray
    values: np.ndarray
    members: np.ndarray
    rows: int | None


@dataclass(frozen=True)
class LogSpaced:
    """About `per_decade` steps in every factor of ten, with 0, 1 and `last`: ask ``step in at``.

    A `last` step is not needed: a run of unknown length can be recorded, and gone on with.

    Examples
    --------
    >>> [step for step in range(2000) if step in LogSpaced(per_decade=3)]
    [0, 1, 3, 5, 10, 22, 47, 100, 216, 465, 1000]
    """

    per_decade: int = 10
    last: int | None = None

    def __post_init__(self) -> None:
        if self.per_decade < 1:
            raise ValueError(f"per_decade must be an integer >= 1; got {self.per_decade!r}.")

    def __contains__(self, step: object) -> bool:
        if not isinstance(step, int | np.integer):
            return False
        return bool(step <= 1 or step == self.last or self._place(step) > self._place(step - 1))

    def _place(self, step: int | np.integer) -> int:
        return math.floor(self.per_decade * math.log10(step))


class RunHistory:
    """What training runs recorded, from any trainer, in one table.

    A figure that comes again for the same step, member, split, layer and quantity replaces the
    old one: a run that resumes from a checkpoint may record some of its steps twice.

    Examples
    --------
    >>> history = RunHistory()
    >>> for step in range(3):
    ...     two_members = {"accuracy": [0.5 + step / 10, 0.6]}
    ...     history.add(step, two_members, split="test", rows=500)
    >>> history.curve("accuracy", "test").values
    array([[0.5, 0.6, 0.7],
           [0.6, 0.6, 0.6]])
    """

    def __init__(self) -> None:
        self._figures: dict[_Place, tuple[float | None, float, int | None]] = {}

    def __len__(self) -> int:
        return len(self._figures)

    def add(
        self,
        step: int,
        quantities: Mapping[str, Any],
        *,
        split: str = "",
        epoch: float | None = None,
        members: Sequence[int] | np.ndarray | None = None,
        layer: str = "",
        rows: int | None = None,
    ) -> None:
        """Record figures of one moment.

        Parameters
        ----------
        step : int
            Updates done, >= 0, or what else the trainer counts.
        quantities : mapping of str to float or sequence of float
            Name -> value, one for each member; NaN records nothing.
        split : str
            The rows measured, such as "train" or "test"; empty for what concerns no rows.
        epoch : float, optional
            Epochs done, where the trainer counts them beside steps.
        members : sequence of int, optional
            Whose the values are; 0, 1, 2, ... by default.
        layer : str
            The layer measured; empty for the whole network.
        rows : int, optional
            Examples over which the values are means.

        Raises
        ------
        ValueError
            If the step is negative or a quantity has not one value a member.
        """
        if step < 0:
            raise ValueError(f"step must be >= 0; got {step!r}.")
        for name, value in quantities.items():
            values = np.atleast_1d(np.asarray(value, dtype=float))
            whose = np.arange(values.size) if members is None else np.asarray(members)
            if values.shape != whose.shape:
                raise ValueError(
                    f"{name} must have one value for each of {whose.size} members; "
                    f"got shape {values.shape}."
                )
            for member, number in zip(whose.tolist(), values.tolist(), strict=True):
                if not math.isnan(number):
                    place = _Place(int(step), member, split, layer, name)
                    self._figures[place] = (epoch, number, rows)

    def extend(self, other: RunHistory) -> None:
        """Take over all figures of another history; they replace those of the same place."""
        self._figures.update(other._figures)

    @property
    def table(self) -> pl.DataFrame:
        """All figures, a row each, ordered by step (columns: see the module's docstring)."""
        rows = []
        for place in sorted(self._figures):
            epoch, value, count = self._figures[place]
            rows.append({**place._asdict(), "epoch": epoch, "value": value, "rows": count})
        return pl.DataFrame(rows, schema=dict(SCHEMA))

    @property
    def last_step(self) -> int | None:
        """The latest step of which something is recorded."""
        return max((place.step for place in self._figures), default=None)

    def curve(self, quantity: str, split: str = "", layer: str = "") -> Curve:
        """One quantity of all members over time.

        Raises
        ------
        ValueError
            If it was never recorded there; the text names what was.
        """
        found = {
            (place.member, place.step): (value, rows)
            for place, (_, value, rows) in self._figures.items()
            if (place.quantity, place.split, place.layer) == (quantity, split, layer)
        }
        if not found:
            there = {(place.quantity, place.split, place.layer) for place in self._figures}
            raise ValueError(
                f"quantity, split, layer must be recorded ones; got {(quantity, split, layer)}. "
                f"Recorded: {sorted(there)}."
            )
        members = np.array(sorted({member for member, _ in found}))
        steps = np.array(sorted({step for _, step in found}))
        values = np.full((len(members), len(steps)), np.nan)
        for (member, step), (value, _) in found.items():
            values[np.searchsorted(members, member), np.searchsorted(steps, step)] = value
        counts = {rows for _, rows in found.values()}
        return Curve(steps, values, members, counts.pop() if len(counts) == 1 else None)

    def save(self, path: str | Path) -> None:
        """Write the table as Parquet; a killed process leaves the old file or the new one."""
        file = io.BytesIO()
        self.table.write_parquet(file)
        write_whole(Path(path), file.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> RunHistory:
        """Read what `save` wrote, to read it or to go on recording.

        Raises
        ------
        ValueError
            If the file is no table of this form.
        """
        try:
            return cls.from_table(pl.read_parquet(Path(path)))
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise ValueError(f"path must be a history written by save; got {path}: {error}") from (
                None
            )

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> RunHistory:
        """The history of a table of this form (columns may come in any order).

        Raises
        ------
        ValueError
            If columns are missing.
        """
        missing = set(SCHEMA) - set(table.columns)
        if missing:
            raise ValueError(
                f"table must have the columns {list(SCHEMA)}; got none of the name "
                f"{', '.join(sorted(missing))}."
            )
        history = cls()
        for row in table.select(*SCHEMA).cast(pl.Schema(SCHEMA)).iter_rows(named=True):
            place = _Place(*(row[name] for name in _Place._fields))
            history._figures[place] = (row["epoch"], row["value"], row["rows"])
        return history
