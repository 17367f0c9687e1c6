"""`load`: any labelled source becomes a Dataset; `read_features`: new rows for a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from overparam.data.dataset import Dataset, Dropped
from overparam.data.equal_rows import first_seen_codes
from overparam.data.idx import find_idx, read_idx
from overparam.data.images import image_files, read_images
from overparam.data.reading import read
from overparam.data.roles import assign_roles, conform, sortable
from overparam.data.source import Source
from overparam.data.targets import Target, encode_target, nearest, read_target
from overparam.evidence.errors import UserError

FEWEST_ROWS = 50


def load(
    source: Any,
    target: Any = None,
    task: str | None = None,
    *,
    group: str | None = None,
    time: str | None = None,
    test: Any = None,
    drop: Sequence[str] | str = (),
    rare: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Make a Dataset of anything labelled.

    Parameters
    ----------
    source : path, name of an embedded set, array, data frame or torch Dataset
        CSV/TSV (gzipped too), Parquet, Arrow, Feather, .npz with X and y, a folder with a
        sub-folder of images for each class, a folder of IDX files. An existing path wins over the
        name of an embedded set.
    target : str or array (n,), optional
        The column to predict, or the labels themselves. Rows without a label become the unlabelled
        pool. Sources that fix their labels (images, .npz, embedded sets) need none.
    task : "classification" or "regression", optional
        None decides: strings, booleans and at most 20 distinct whole numbers are classes.
    group : str, optional
        Column whose values must not lie on two sides of a split. It is no feature.
    time : str, optional
        Column of dates or numbers; the past predicts the future. It is no feature.
    test : like `source`, optional
        Rows that form the test part.
    drop : str or sequence of str
        Columns to leave out.
    rare : "drop" or "merge", optional
        What to do with classes of fewer than 5 rows; None makes them an error.
    name : str, optional
        Short name for reports.

    Returns
    -------
    Dataset

    Raises
    ------
    UserError
        A mistake that the user can mend, in one line.
    """
    raw = read(source, None if isinstance(target, str) else target)
    columns = _Columns.find(raw, target, group, time, drop)
    understood = read_target(columns.labels, columns.target, task, rare)
    labelled = ~understood.missing & ~understood.rare
    dropped = [*raw.dropped, *columns.dropped, *understood.dropped]
    notes = [*raw.notes, *understood.notes]
    blank = columns.blank & understood.missing
    if blank.any():
        dropped.append(Dropped("row", "blank rows", int(blank.sum()), "nothing in them"))
    when = None
    if columns.time is not None:
        when = sortable(columns.time, "time")
        labelled &= ~_without_time(labelled & np.isnan(when), str(time), dropped)
    row = np.flatnonzero(labelled)
    pool = np.flatnonzero(understood.missing & ~blank)
    if len(row) < FEWEST_ROWS:
        raise UserError(
            f"{raw.origin} must have at least {FEWEST_ROWS} labelled rows; got {len(row)}."
        )
    if len(pool):
        notes.append(f"{len(pool)} rows without a label are the unlabelled pool")
    dataset = Dataset(
        name=name or raw.name,
        task=understood.task,
        source=raw.origin,
        frame=None,
        array=None,
        roles={},
        y=understood.y[row],
        classes=understood.classes,
        target=columns.target,
        row=row,
        group=_group_codes(columns.group, row, notes),
        time=when[row] if when is not None else None,
        test_rows=_positions(raw.test_rows, row),
        unlabelled_row=pool,
        n_input_rows=len(columns.labels),
        names=raw.names,
    )
    dataset = _with_features(dataset, columns.features, row, pool, dropped, notes)
    if test is not None:
        dataset = _with_test(dataset, understood, test)
    return dataset


def _without_time(rows: np.ndarray, time: str, dropped: list[Dropped]) -> np.ndarray:
    if rows.any():
        reason = f"no value in the time column {time!r}"
        dropped.append(Dropped("row", "rows without a time", int(rows.sum()), reason))
    return rows


def _with_features(
    dataset: Dataset,
    features: pl.DataFrame | np.ndarray,
    row: np.ndarray,
    pool: np.ndarray,
    dropped: list[Dropped],
    notes: list[str],
) -> Dataset:
    if isinstance(features, np.ndarray):
        constant = int((features == features[:1]).all(axis=0).sum()) if features.ndim == 2 else 0
        if constant:
            notes.append(f"{constant} columns of the array are constant; they stay in it")
        everything = len(row) == len(features)
        return replace(
            dataset,
            array=features if everything else features[row],
            unlabelled=features[pool] if len(pool) else None,
            dropped=tuple(dropped),
            notes=tuple(notes),
        )
    used = np.sort(np.concatenate([row, pool]))
    columns = assign_roles(features if len(used) == len(features) else features[used])
    if not columns.roles:
        raise UserError(
            f"{dataset.source} must have a feature column beside {dataset.target!r}; got none "
            "that is neither empty, constant nor an identifier."
        )
    return replace(
        dataset,
        frame=columns.frame[np.searchsorted(used, row)] if len(pool) else columns.frame,
        unlabelled=columns.frame[np.searchsorted(used, pool)] if len(pool) else None,
        roles=columns.roles,
        formats=columns.formats,
        dropped=(*dropped, *columns.dropped),
        notes=(*notes, *columns.notes),
    )


@dataclass
class _Columns:
    """The columns of a source by their use."""

    features: pl.DataFrame | np.ndarray
    labels: pl.Series
    target: str
    group: pl.Series | None
    time: pl.Series | None
    blank: np.ndarray
    dropped: list[Dropped]

    @classmethod
    def find(
        cls,
        raw: Source,
        target: Any,
        group: str | None,
        time: str | None,
        drop: Sequence[str] | str,
    ) -> _Columns:
        names = raw.features.columns if isinstance(raw.features, pl.DataFrame) else []
        n = len(raw.features)
        name = target if isinstance(target, str) else raw.target
        labels = raw.labels
        if not name:
            raise _no_target(raw, names)
        inside = labels is None or name != raw.target
        if labels is None or inside:
            labels = _column(raw, names, name, "--target")
        special = {
            what: _column(raw, names, column, f"--{what}") if column else None
            for what, column in (("group", group), ("time", time))
        }
        drop = [drop] if isinstance(drop, str) else list(drop)
        for column in drop:
            _column(raw, names, column, "--drop")
            if column == name:
                raise UserError(f"--drop must not name the target; got {column!r}.")
        dropped = [Dropped("column", column, n, "left out as asked for") for column in drop]
        for what, used in (("group", group), ("time", time)):
            if used:
                dropped.append(Dropped("column", used, n, f"the {what} column is no feature"))
        features: pl.DataFrame | np.ndarray = raw.features
        blank = np.zeros(n, bool)
        if isinstance(features, pl.DataFrame):
            out = {*drop, group, time, name if inside else None}
            features = features.select([c for c in names if c not in out])
            if features.width:
                blank = (
                    features.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
                )
        groups = special["group"] if group else raw.groups
        return cls(features, labels, name, groups, special["time"], blank, dropped)


def _column(raw: Source, names: Sequence[str], column: str, option: str) -> pl.Series:
    if column in names:
        assert isinstance(raw.features, pl.DataFrame)
        return raw.features[column]
    if not names:
        raise UserError(
            f"{option} must be left out: {raw.origin} has no named columns; got {column!r}."
        )
    raise UserError(
        f"{option} must be a column of {raw.origin}; got {column!r}. {nearest(column, names)}"
    )


def _no_target(raw: Source, names: Sequence[str]) -> UserError:
    if names:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        return UserError(f"--target must be a column of {raw.origin}; got none. It has {shown}.")
    return UserError(f"y must hold the labels of {raw.origin}; got none.")


def _group_codes(group: pl.Series | None, row: np.ndarray, notes: list[str]) -> np.ndarray | None:
    if group is None:
        return None
    values = group[row]
    codes = first_seen_codes(values.rank("dense").fill_null(0).to_numpy())
    absent = values.is_null().to_numpy()
    if absent.any():
        codes[absent] = codes.max() + 1 + np.arange(absent.sum())
        codes = first_seen_codes(codes)
        notes.append(f"{absent.sum()} rows without a group are each a group of their own")
    return codes


def _positions(rows: np.ndarray | None, row: np.ndarray) -> np.ndarray | None:
    return None if rows is None else np.flatnonzero(np.isin(row, rows))


def _with_test(dataset: Dataset, understood: Target, test: Any) -> Dataset:
    """Append the labelled rows of another source as the test part."""
    raw = read(test, None)
    names = raw.features.columns if isinstance(raw.features, pl.DataFrame) else []
    labels = raw.labels
    if labels is None:
        labels = _column(raw, names, dataset.target, "--test")
    y = encode_target(labels, dataset.target, understood)
    usable = y >= 0 if dataset.task == "classification" else ~np.isnan(y)
    if not usable.any():
        raise UserError(f"{raw.origin} must have labels in {dataset.target!r}; got none.")
    features = _fitting(raw.features, dataset.schema, raw.origin)
    row = np.flatnonzero(usable)
    dropped = dataset.dropped
    if len(row) < len(y):
        reason = "no label, or one of a class that was dropped"
        dropped = (*dropped, Dropped("row", f"rows of {raw.origin}", len(y) - len(row), reason))
    joined: dict[str, Any] = {}
    if isinstance(features, pl.DataFrame):
        assert dataset.frame is not None
        joined["frame"] = pl.concat([dataset.frame, features[row]]).rechunk()
    else:
        assert dataset.array is not None
        joined["array"] = np.concatenate([dataset.array, features[row]])
    n, extra = dataset.n, len(row)
    for what in ("group", "time"):
        if (old := getattr(dataset, what)) is not None:
            # Beyond every old value: a given test part is never divided by group or time.
            joined[what] = np.concatenate([old, old.max() + 1 + np.arange(extra)])
    return replace(
        dataset,
        **joined,
        y=np.concatenate([dataset.y, y[row].astype(dataset.y.dtype)]),
        row=np.concatenate([dataset.row, row]),
        test_rows=np.arange(n, n + extra),
        test_source=raw.origin,
        n_test_input_rows=len(y),
        dropped=dropped,
    )


def read_features(source: Any, schema: Mapping[str, Any]) -> pl.DataFrame | np.ndarray:
    """Read rows to predict, in the form that a Dataset's preprocessor takes.

    Parameters
    ----------
    source : like that of `load`
        A target column and any column that was not a feature are ignored.
    schema : mapping
        `Dataset.schema` of the training data.

    Returns
    -------
    polars.DataFrame or ndarray
        As many rows as the source, in its order.

    Raises
    ------
    UserError
        A missing column, a value that its column cannot hold, another shape.
    """
    folder = Path(source) if isinstance(source, str | Path) else None
    if folder is not None and folder.is_dir() and schema["kind"] == "image":
        files = image_files(folder)
        if files:
            return read_images(files, folder, tuple(schema["shape"]))[0]
        found = find_idx(folder)
        images = found.get("test-images") or found.get("train-images")
        if images is None:
            raise UserError(f"{folder.name} must hold images; got none.")
        return _fitting(read_idx(images), schema, folder.name)
    raw = read(source, None)
    return _fitting(raw.features, schema, raw.origin)


def _fitting(
    features: pl.DataFrame | np.ndarray, schema: Mapping[str, Any], origin: str
) -> pl.DataFrame | np.ndarray:
    """Features in the form of the schema, or an error that says what does not fit."""
    if schema["kind"] == "table":
        if not isinstance(features, pl.DataFrame):
            raise UserError(f"{origin} must be a table, like {schema['name']}; got an array.")
        return conform(features, schema["roles"], schema["formats"], origin)
    shape = tuple(schema["shape"])
    if isinstance(features, pl.DataFrame):
        numeric = features.select(pl.selectors.numeric())
        if schema["kind"] == "array" and numeric.width == shape[0]:
            features = numeric.to_numpy()
        else:
            raise UserError(
                f"{origin} must hold an array of shape (n, {_words(shape)}); got a table."
            )
    if features.shape[1:] != shape:
        raise UserError(
            f"{origin} must hold an array of shape (n, {_words(shape)}); got {features.shape}."
        )
    return features.astype(schema["dtype"], copy=False)


def _words(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
