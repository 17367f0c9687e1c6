"""The one form that every labelled source takes, and views of its parts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from overparam.data.bounded_cache import BoundedCache
from overparam.data.equal_rows import equal_row_groups
from overparam.data.fingerprint import fingerprint
from overparam.data.preprocessing import Preprocessor
from overparam.data.splitting import Layout, Parts, draw, folds, strata

Role = Literal["number", "category", "date", "text", "boolean"]
Task = Literal["classification", "regression"]

_ARRAYS: BoundedCache[np.ndarray] = BoundedCache(1 << 30, lambda array: array.nbytes)
_PARTS: BoundedCache[Parts] = BoundedCache(1 << 28, lambda parts: 8 * parts.size)
_PREPROCESSORS: BoundedCache[Preprocessor] = BoundedCache(32, lambda _: 1)
_RECEIVED: BoundedCache[Dataset] = BoundedCache(4, lambda _: 1)  # those that came by pickle


@dataclass(frozen=True)
class Dropped:
    """Something of the source that is not used: what, how much of it, and why.

    Attributes
    ----------
    kind : "column", "row" or "class"
    name : str
        The column or class; for rows, what they have in common.
    count : int
        Rows concerned.
    reason : str
    """

    kind: Literal["column", "row", "class"]
    name: str
    count: int
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled rows with their raw features; made by `overparam.data.load`.

    Attributes
    ----------
    name, source : str
        Short name, and where the rows came from.
    task : "classification" or "regression"
    frame : polars.DataFrame or None
        Raw feature columns of the n labelled rows of a table.
    array : ndarray (n, ...) or None
        The same of a matrix or of images ((n, H, W) or (n, H, W, C); bytes stay bytes).
    roles : mapping of column name to "number", "category", "date", "text" or "boolean"
    y : ndarray (n,)
        int64 class codes, or float64.
    classes : tuple of str
        Names of the classes in the order of their codes; empty for regression.
    target : str
    row : ndarray (n,) of int64
        Row number, from 0, in the input; rows of a separate test source count from 0 in theirs.
    group, time : ndarray (n,) or None
        Group numbers; what sorts rows from past to future.
    test_rows : ndarray or None
        Positions that form the test part, where the source or `test=` gives one.
    test_source : str
        Where these came from when it is not `source`.
    unlabelled : polars.DataFrame, ndarray or None
        Raw features of rows without a label; `unlabelled_row` are their numbers in the input.
    n_input_rows : int
        Rows of the input, whatever became of them; `n_test_input_rows` of a separate test source.
    dropped : tuple of Dropped
    notes : tuple of str
        Automatic choices, a sentence each.
    names : tuple of str or None
        File name of each row of the input, for a folder of images.
    formats : mapping of column name to str
        How dates that were text are written.
    """

    name: str
    task: Task
    source: str
    frame: pl.DataFrame | None
    array: np.ndarray | None
    roles: Mapping[str, Role]
    y: np.ndarray
    classes: tuple[str, ...]
    target: str
    row: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None
    test_rows: np.ndarray | None = None
    test_source: str = ""
    unlabelled: pl.DataFrame | np.ndarray | None = None
    unlabelled_row: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    n_input_rows: int = 0
    n_test_input_rows: int = 0
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    formats: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else "numbers"
        return f"Dataset({self.name!r}: {self.n} rows of {self.kind}, {what} in {self.target!r})"

    @property
    def n(self) -> int:
        """Number of labelled rows."""
        return len(self.y)

    @property
    def raw(self) -> pl.DataFrame | np.ndarray:
        """The raw features, whatever their form."""
        raw = self.frame if self.frame is not None else self.array
        assert raw is not None
        return raw

    @property
    def kind(self) -> Literal["table", "array", "image"]:
        """ "table" (columns with roles), "array" (a matrix of numbers) or "image"."""
        if self.frame is not None:
            return "table"
        assert self.array is not None
        return "array" if self.array.ndim == 2 else "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one raw example: (columns,), (H, W) or (H, W, C)."""
        return tuple(self.raw.shape[1:])

    @property
    def n_columns(self) -> int:
        """Number of raw columns, or of values in an image."""
        return int(np.prod(self.shape))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that can change a result (not of notes or where it came from)."""
        optional = (self.group, self.time, self.test_rows, self.unlabelled)
        given = [i for i, part in enumerate(optional) if part is not None]
        plain = [self.task, self.target, dict(self.roles), list(self.classes), given]
        arrays = [self.raw, self.y, self.row, self.unlabelled_row, *(optional[i] for i in given)]
        return fingerprint([plain, *arrays])

    @property
    def schema(self) -> dict[str, Any]:
        """What new data must look like, as JSON can hold it; see `loading.read_features`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "task": self.task,
            "target": self.target,
            "classes": list(self.classes),
            "columns": list(self.frame.columns) if self.frame is not None else [],
            "roles": dict(self.roles),
            "formats": dict(self.formats),
            "shape": list(self.shape),
            "dtype": self.array.dtype.name if self.array is not None else None,
        }

    def take(self, rows: np.ndarray) -> pl.DataFrame | np.ndarray:
        """Raw features at these positions."""
        return self.raw[rows]

    def subset(self, rows: np.ndarray) -> Dataset:
        """The data set of these positions only, in increasing order; the rest stays as it is."""
        rows = np.sort(np.asarray(rows))
        per_row = {
            name: value[rows]
            for name in ("frame", "array", "y", "row", "group", "time")
            if (value := getattr(self, name)) is not None
        }
        test_rows = None
        if self.test_rows is not None:
            test_rows = np.flatnonzero(np.isin(rows, self.test_rows))
        return replace(self, **per_row, test_rows=test_rows)

    @cached_property
    def equal_rows(self) -> np.ndarray:
        """(n,) numbers that are the same for rows with equal features."""
        return equal_row_groups(self.raw)

    @cached_property
    def layout(self) -> Layout:
        """What decides on which side of a split a row may lie."""
        return Layout(strata(self.y, self.task), self.equal_rows, self.group, self.time)

    def split(self, seed: int, *, test: float = 0.2, validation: float = 0.2) -> Split:
        """Divide into training, validation and test parts.

        Parameters
        ----------
        seed : int
            Same seed, same split.
        test, validation : float
            Shares of all rows. Where the test part is given, `validation` keeps its ratio to the
            training part.
        """
        return self._split(seed, test=test, validation=validation)

    def repeated(self, seed: int, n: int) -> list[Split]:
        """n splits with the test part of `split(seed)` and different training/validation parts."""
        return [self._split(seed, repeat=i, repeats=n) for i in range(n)]

    def _split(self, seed: int, **options: Any) -> Split:
        key = (self.fingerprint, seed, *sorted(options.items()))
        parts = _PARTS.get(
            key, lambda: draw(self.layout, seed, test_rows=self.test_rows, **options)
        )

        def view(rows: np.ndarray) -> View:
            return View(self, rows, parts.train)

        return Split(
            view(parts.train), view(parts.validation), view(parts.test), seed, parts.unused
        )

    def folds(self, rows: np.ndarray, k: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """k pairs (train_rows, held_rows) for out-of-fold work on `rows`; see `splitting.folds`."""
        return folds(self.layout, rows, k, seed)

    def view(self, rows: np.ndarray, fit_rows: np.ndarray) -> View:
        """These positions, prepared by what the positions `fit_rows` teach."""
        return View(self, np.asarray(rows), np.asarray(fit_rows))

    def preprocessor(self, fit_rows: np.ndarray) -> Preprocessor:
        """The preprocessor fitted on these positions, remembered in this process."""
        key = self._key(fit_rows)
        return _PREPROCESSORS.get(
            key, lambda: Preprocessor().fit(self.take(fit_rows), self.roles, key=key)
        )

    def _key(self, rows: np.ndarray) -> str:
        content = np.ascontiguousarray(rows, np.int64).tobytes()
        return hashlib.sha256(self.fingerprint.encode() + content).hexdigest()

    def __reduce__(self) -> tuple[Callable[..., Dataset], tuple[Any, ...]]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return _receive, (self.fingerprint, {**state, **self._packed})

    @cached_property
    def _packed(self) -> dict[str, np.ndarray]:
        """Frames as byte arrays, which joblib hands to its workers through shared memory."""
        frames = {"frame": self.frame, "unlabelled": self.unlabelled}
        return {n: _pack(f) for n, f in frames.items() if isinstance(f, pl.DataFrame)}


@dataclass(frozen=True, eq=False)
class View:
    """Some rows of a Dataset, prepared by a preprocessor that saw only `fit_rows`.

    Attributes
    ----------
    dataset : Dataset
    rows : ndarray
        Positions in the Dataset.
    fit_rows : ndarray
        Positions from which the preprocessor learns.
    """

    dataset: Dataset = field(repr=False)
    rows: np.ndarray = field(repr=False)
    fit_rows: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def y(self) -> np.ndarray:
        """(n,) labels."""
        return self.dataset.y[self.rows]

    @property
    def preprocessor(self) -> Preprocessor:
        """The preprocessor, fitted on first use."""
        return self.dataset.preprocessor(self.fit_rows)

    @property
    def X(self) -> np.ndarray:  # noqa: N802
        """(n, ...) float32 features, shared: do not write; the latest 1 GB of them are kept."""
        return self._cached("X", lambda: self.preprocessor.transform(self.dataset.take(self.rows)))

    @property
    def flat(self) -> np.ndarray:
        """(n, p) float32: `preprocessor.flat(X)`, shared: do not write."""
        return self._cached("flat", lambda: self.preprocessor.flat(self.X))

    def take(self, positions: np.ndarray) -> View:
        """The rows at these positions within the view, prepared in the same way."""
        return View(self.dataset, self.rows[positions], self.fit_rows)

    def _cached(self, what: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        key = self.dataset._key
        return _ARRAYS.get((what, key(self.rows), key(self.fit_rows)), compute)


@dataclass(frozen=True, eq=False)
class Split:
    """Three views that share no unit of rows; `unused` positions belong to none (times only)."""

    train: View
    validation: View
    test: View
    seed: int
    unused: np.ndarray

    @property
    def preprocessor(self) -> Preprocessor:
        """The preprocessor fitted on the training part."""
        return self.train.preprocessor


def _pack(frame: pl.DataFrame) -> np.ndarray:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="uncompressed")
    return np.frombuffer(buffer.getbuffer(), np.uint8)


def _receive(key: str, state: dict[str, Any]) -> Dataset:
    """Unpickle, once a process: a Dataset that has come before is the same object."""

    def unpack() -> Dataset:
        for name in ("frame", "unlabelled"):
            value = state[name]
            if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 1:
                state[name] = pl.read_ipc(io.BytesIO(value.tobytes()))
        dataset = Dataset(**state)
        dataset.__dict__["fingerprint"] = key  # spares hashing the content again
        return dataset

    return _RECEIVED.get((key, state["name"], state["source"]), unpack)
