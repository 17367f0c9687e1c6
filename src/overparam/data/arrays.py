"""What is in memory or in an .npz file: arrays, data frames, torch data sets."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from overparam.data.source import Source
from overparam.evidence.errors import UserError

_FEATURE_KEYS = ("X", "x", "data", "images", "features")
_LABEL_KEYS = ("y", "Y", "target", "targets", "labels", "label")
_CHANNELS = (1, 3, 4)


def read_npz(path: Path) -> Source:
    """Read `X` and `y` (or the usual other names) of an .npz file; objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            keys = list(stored.keys())
            x_key = next((k for k in _FEATURE_KEYS if k in keys), None)
            y_key = next((k for k in _LABEL_KEYS if k in keys), None)
            if x_key is None:
                raise UserError(
                    f"{path.name} must hold an array X and its labels y; got {', '.join(keys)}."
                )
            X = stored[x_key]
            y = stored[y_key] if y_key else None
    except (OSError, EOFError, zipfile.BadZipFile, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path.name} must be an .npz file of plain arrays; got: {reason}"
        ) from None
    return from_arrays(X, y, name=path.stem, origin=path.name)


def from_arrays(X: Any, y: Any, *, name: str = "data", origin: str = "arrays") -> Source:
    """Take an array (n,), (n, d), (n, H, W), (n, H, W, C) or (n, C, H, W) and labels (n,).

    Raises
    ------
    UserError
        NaN or infinite values, a type that is not numeric, or different lengths.
    """
    array = np.asarray(X)
    notes: list[str] = []
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise UserError(
            f"X must be an array of numbers; got {origin} of type {array.dtype}. "
            "Pass columns of several types as a data frame."
        )
    if array.ndim == 1:
        array = array[:, None]
    if not 2 <= array.ndim <= 4:
        raise UserError(f"X must have 1 to 4 dimensions; got shape {array.shape}.")
    if array.ndim == 4 and array.shape[3] not in _CHANNELS and array.shape[1] in _CHANNELS:
        array = np.moveaxis(array, 1, 3)
        notes.append("the second axis of the images was taken for the colour channels")
    _refuse_nan(array)
    if y is None:
        return Source(name, origin, array, notes=notes)
    labels = _labels_of(y, len(array))
    return Source(name, origin, array, labels, target="y", notes=notes)


def _refuse_nan(array: np.ndarray) -> None:
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array.reshape(len(array), -1))
    if finite.all():
        return
    row, column = (int(i) for i in np.argwhere(~finite)[0])
    value = array.reshape(len(array), -1)[row, column]
    raise UserError(
        f"X must be finite; got {value} in row {row}, column {column} ({(~finite).sum()} in all). "
        "Pass a data frame or a file of columns: there missing values are handled."
    )


def from_frame(frame: Any, y: Any = None) -> Source:
    """Take a pandas, polars, Arrow, ... data frame and optionally labels apart from it."""
    table = to_polars(frame)
    if y is None:
        return Source("data", "data frame", table)
    labels = _labels_of(y, len(table))
    return Source("data", "data frame", table, labels, target=labels.name or "y")


def _labels_of(y: Any, n: int) -> pl.Series:
    labels = as_series(y, "y")
    if len(labels) != n:
        raise UserError(
            f"y must have one label per row of X; got {len(labels)} labels for {n} rows."
        )
    return labels


def is_frame(source: Any) -> bool:
    """Whether narwhals knows this object as a data frame."""
    return isinstance(_native(source), nw.DataFrame | nw.LazyFrame)


def to_polars(frame: Any) -> pl.DataFrame:
    """Any data frame as polars; columns of Python objects become text."""
    native = _native(frame)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    return pl.DataFrame([_to_polars_series(series) for series in native.iter_columns()])


def _native(source: Any) -> Any:
    try:
        return nw.from_native(source, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        twice = " ".join(str(error).split("\n")[1:]).lstrip("- ")
        raise UserError(f"data must have distinct column names; got {twice}.") from None


def _to_polars_series(series: nw.Series) -> pl.Series:
    try:
        return series.to_polars().alias(str(series.name))
    except ImportError:  # pandas columns that only pyarrow could hand over as they are
        missing = series.is_null().to_list()
        values = [None if m else v for v, m in zip(series.to_list(), missing, strict=True)]
        return _from_objects(values, str(series.name))


def _from_objects(values: Sequence[Any], name: str) -> pl.Series:
    plain = [None if isinstance(v, float) and v != v else v for v in values]
    try:
        return pl.Series(name, plain, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if v is None else str(v) for v in plain], dtype=pl.String)


def as_series(y: Any, name: str) -> pl.Series:
    """Labels of any kind as a polars series."""
    native = _native(y)
    if isinstance(native, nw.Series):
        series = _to_polars_series(native)
        return series if series.name not in ("", "None") else series.alias(name)
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(f"y must have one label per row; got an array of shape {array.shape}.")
    if array.dtype.kind == "O":
        return _from_objects(array.tolist(), name)
    return pl.Series(name, array)


def is_torch_dataset(source: Any) -> bool:
    """Whether this is a torch Dataset; torch is not imported to find out."""
    torch_data = sys.modules.get("torch.utils.data")
    return torch_data is not None and isinstance(source, torch_data.Dataset)


def from_torch(dataset: Any) -> Source:
    """Take a torch map-style Dataset of (features, label) pairs.

    Raises
    ------
    UserError
        When an item is not a pair, or features differ in shape.
    """
    if len(getattr(dataset, "tensors", ())) == 2:
        X, y = (tensor.detach().cpu().numpy() for tensor in dataset.tensors)
        return from_arrays(X, y, origin="torch Dataset")
    items = [dataset[i] for i in range(len(dataset))]
    if not items or any(not isinstance(item, tuple | list) or len(item) != 2 for item in items):
        raise UserError(
            "data must give (features, label) pairs; got a torch Dataset of other items."
        )
    X = [np.asarray(features) for features, _ in items]
    shapes = {x.shape for x in X}
    if len(shapes) > 1:
        raise UserError(f"data must give features of one shape; got {sorted(shapes)[:3]}.")
    y = np.array([label.item() if hasattr(label, "item") else label for _, label in items])
    return from_arrays(np.stack(X), y, origin="torch Dataset")
