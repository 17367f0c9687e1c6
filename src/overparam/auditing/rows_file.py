"""rows.csv: a line for each row of the input, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from overparam.auditing.label_quality import OutOfFold, quality, suspects
from overparam.data.dataset import Dataset, Split


def rows_table(
    dataset: Dataset, split: Split, found: OutOfFold | None, *, of_test: bool = False
) -> pl.DataFrame:
    """The table of rows.csv, or of rows-test.csv for a test set that came by itself.

    Columns `row`, `split`, `label`, `predicted` (out of fold), `label_quality`, `suspected`, and
    `name` where rows have file names. A row without a prediction has nulls there.
    """
    separate = bool(dataset.test_source)
    here = np.ones(dataset.n, dtype=bool)
    if separate and dataset.test_rows is not None:
        here = np.isin(np.arange(dataset.n), dataset.test_rows) == of_test
    n = dataset.n_test_input_rows if of_test else dataset.n_input_rows
    positions = np.flatnonzero(here)
    numbers = dataset.row[positions]

    part = np.full(n, "dropped", dtype=object)
    if not of_test:
        part[dataset.unlabelled_row] = "unlabelled"
    of_position = np.full(dataset.n, "unused", dtype=object)
    for name in ("train", "validation", "test"):
        of_position[getattr(split, name).rows] = name
    part[numbers] = of_position[positions]

    label = np.full(n, None, dtype=object)
    label[numbers] = _names(dataset, dataset.y[positions])
    predicted = np.full(n, None, dtype=object)
    score = np.full(n, np.nan)
    suspected = np.zeros(n, dtype=np.int64)
    if found is not None:
        mine = here[found.rows]
        at = dataset.row[found.rows[mine]]
        values = found.p.argmax(axis=1) if dataset.classes else found.p[:, 0]
        predicted[at] = _names(dataset, values[mine])
        score[at] = quality(dataset, found)[mine]
        suspected[at] = suspects(dataset, found)[mine]
    columns = {
        "row": np.arange(n),
        "split": part.tolist(),
        "label": label.tolist(),
        "predicted": predicted.tolist(),
        "label_quality": pl.Series(score).fill_nan(None),
        "suspected": suspected,
    }
    if dataset.names is not None and not of_test:
        columns["name"] = list(dataset.names)
    return pl.DataFrame(columns, strict=False)


def _names(dataset: Dataset, values: np.ndarray) -> np.ndarray:
    """Class names of codes; numbers as they are."""
    if dataset.classes:
        return np.asarray(dataset.classes, dtype=object)[values.astype(int)]
    return values.astype(object)


def write_rows(folder: Path, dataset: Dataset, split: Split, found: OutOfFold | None) -> None:
    """Write rows.csv, and rows-test.csv where the test set came by itself.

    One of an earlier audit in this folder goes where it did not.
    """
    rows_table(dataset, split, found).write_csv(folder / "rows.csv")
    of_test = folder / "rows-test.csv"
    if dataset.test_source:
        rows_table(dataset, split, found, of_test=True).write_csv(of_test)
    else:
        of_test.unlink(missing_ok=True)
