"""The one input convention of every metric: (n, k) rows that sum to one, labels 0..k-1."""

from __future__ import annotations

from typing import Any

import numpy as np

TOLERANCE = 1e-4  # a float32 softmax over 1,000 classes sums to one within 1e-5


def as_array(values: Any) -> np.ndarray:
    """A NumPy view or copy of an array, a list or a torch tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def check_scores(scores: Any, name: str = "logits", least_rows: int = 2) -> np.ndarray:
    """Finite real scores of shape (n, k), n >= `least_rows` and k >= 2, as float64."""
    array = as_array(scores)
    if array.ndim != 2:
        hint = " For two classes stack [1 - p, p]." if array.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (n, k); got shape {array.shape}.{hint}")
    if array.shape[1] < 2:
        raise ValueError(f"{name} must have at least 2 classes; got {array.shape[1]}.")
    if array.shape[0] < least_rows:
        rows = "row" if least_rows == 1 else "rows"
        raise ValueError(f"{name} must have at least {least_rows} {rows}; got {array.shape[0]}.")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"{name} must be finite; got {array[row]} in row {row}.")
    return array


def check_probabilities(probs: Any, name: str = "probs") -> np.ndarray:
    """Probabilities of shape (n, k): not negative, every row sums to one within `TOLERANCE`."""
    array = check_scores(probs, name)
    if array.min() < 0:
        raise ValueError(f"{name} must not be negative; got {array.min():g}.")
    # Over short rows einsum and arg-max are several times faster than sum and max.
    error = np.abs(np.einsum("ij->i", array) - 1)
    row = int(error.argmax())
    if error[row] > TOLERANCE:
        raise ValueError(
            f"{name} must sum to 1 in every row; got {array[row].sum():g} in row {row}. "
            "Apply a softmax to logits first."
        )
    return array


def check_labels(y: Any, n: int, k: int) -> np.ndarray:
    """Integer labels 0..k-1, one for each of n rows, as int64."""
    labels = as_array(y)
    if labels.shape != (n,):
        raise ValueError(f"y must have shape ({n},), one label a row; got shape {labels.shape}.")
    if not np.issubdtype(labels.dtype, np.integer):
        rounded = labels.astype(np.int64) if np.issubdtype(labels.dtype, np.number) else None
        if rounded is None or not np.array_equal(rounded, labels):
            raise ValueError(f"y must hold integer labels 0..{k - 1}; got {labels.dtype} values.")
        labels = rounded
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(
            f"y must hold labels 0..{k - 1}; got values from {labels.min()} to {labels.max()}."
        )
    return labels.astype(np.int64, copy=False)
