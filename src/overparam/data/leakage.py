"""What makes a test figure too good: copies across labels or parts, and a column that tells all."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from overparam.data.dataset import Dataset

ALMOST_PERFECT = 0.99  # balanced accuracy or R2 of one column alone
_ROWS = 2_000
_FEWEST_A_CLASS = 3  # in the subsample, as many as folds


def duplicates(dataset: Dataset) -> dict[str, int]:
    """Count rows with equal features.

    Returns
    -------
    dict
        `sets`: how often two or more rows are equal; `rows`: rows in these sets; `extra`: rows
        beyond the first of each; `conflicting_sets`, `conflicting_rows`: those in which the labels
        differ.
    """
    rows = _own_rows(dataset)
    code = dataset.equal_rows[rows]
    y = dataset.y[rows]
    _, unit, count = np.unique(code, return_inverse=True, return_counts=True)
    low = np.full(len(count), np.inf)
    high = np.full(len(count), -np.inf)
    np.minimum.at(low, unit, y)
    np.maximum.at(high, unit, y)
    repeated = count > 1
    conflicting = repeated & (low < high)
    return {
        "sets": int(repeated.sum()),
        "rows": int(count[repeated].sum()),
        "extra": int((count - 1).sum()),
        "conflicting_sets": int(conflicting.sum()),
        "conflicting_rows": int(count[conflicting].sum()),
    }


def leakage(dataset: Dataset, *, seed: int = 0) -> list[dict[str, Any]]:
    """Look for what would make a test figure too good.

    Returns
    -------
    list of dict
        Each with `kind`, `name`, `value` and `sentence`. Kinds: "shared_with_test" (rows of a
        given test part that equal other rows), "conflicting_duplicates" (equal rows with different
        labels), "single_column" (a shallow tree on that column alone reaches 0.99 balanced
        accuracy or R2 out of fold, on at most 2,000 rows; tables and matrices only).
    """
    found = []
    if dataset.test_rows is not None:
        shared = shared_with_test(dataset)
        if shared:
            sentence = f"{shared} of {len(dataset.test_rows)} test rows equal a row of the data."
            found.append(_entry("shared_with_test", "", shared, sentence))
    counts = duplicates(dataset)
    if counts["conflicting_sets"] and dataset.task == "classification":
        n = counts["conflicting_rows"]
        sentence = f"{n} rows equal another row in every column but have another label."
        found.append(_entry("conflicting_duplicates", "", n, sentence))
    what = "balanced accuracy" if dataset.task == "classification" else "R2"
    for name, score in single_columns(dataset, seed=seed).items():
        sentence = (
            f"{name!r} alone predicts {dataset.target!r} almost perfectly ({what} {score:.3f}). "
        )
        sentence += f"If it is not known before the label, leave it out: --drop {name}"
        found.append(_entry("single_column", name, score, sentence))
    return found


def shared_with_test(dataset: Dataset) -> int:
    """Rows of the given test part whose features equal those of a row outside it."""
    if dataset.test_rows is None:
        return 0
    code = dataset.equal_rows
    return int(np.isin(code[dataset.test_rows], code[_own_rows(dataset)]).sum())


def single_columns(dataset: Dataset, *, seed: int = 0) -> dict[str, float]:
    """Columns that alone predict the target almost perfectly, with their out-of-fold score."""
    if dataset.kind == "image":
        return {}
    rng = np.random.default_rng([seed, 3])
    rows = _own_rows(dataset)
    if len(rows) > _ROWS:
        rows = np.sort(rng.choice(rows, _ROWS, replace=False))
    y = dataset.y[rows]
    folds: Any = KFold(3, shuffle=True, random_state=seed)
    if dataset.task == "classification":
        counts = np.bincount(y, minlength=len(dataset.classes))
        enough = counts[y] >= _FEWEST_A_CLASS
        rows, y = rows[enough], y[enough]
        if len(np.unique(y)) < 2:
            return {}
        folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    raw = dataset.take(rows)
    scores = {name: _score(x, y, dataset.task, folds, seed) for name, x in _columns(raw)}
    return {name: score for name, score in scores.items() if score >= ALMOST_PERFECT}


def _own_rows(dataset: Dataset) -> np.ndarray:
    rows = np.arange(dataset.n)
    return rows if dataset.test_rows is None else np.setdiff1d(rows, dataset.test_rows)


def _entry(kind: str, name: str, value: float, sentence: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "value": value, "sentence": sentence}


def _columns(raw: pl.DataFrame | np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Every column as floats; text by its rank, missing values below everything."""
    if isinstance(raw, np.ndarray):
        return [(f"x{i}", column.astype(np.float64)) for i, column in enumerate(raw.T)]
    return [
        (series.name, series.rank("dense").cast(pl.Float64).fill_null(-1.0).to_numpy())
        for series in raw
    ]


def _score(x: np.ndarray, y: np.ndarray, task: str, folds: Any, seed: int) -> float:
    X = x[:, None]
    if task == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=256, min_samples_leaf=2, random_state=seed)
        predicted = cross_val_predict(tree, X, y, cv=folds)
        return float(1 - np.mean((y - predicted) ** 2) / np.var(y))
    leaves = 4 * len(np.unique(y)) + 16
    classifier = DecisionTreeClassifier(
        max_leaf_nodes=leaves, class_weight="balanced", random_state=seed
    )
    predicted = cross_val_predict(classifier, X, y, cv=folds)
    return float(np.mean([np.mean(predicted[y == c] == c) for c in np.unique(y)]))
