"""Class means and the scatter of rows around them, in one pass over blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import eigh

BLOCK = 4096  # rows in double precision at once
EQUAL = 1e-12  # means that differ by less, relative to the largest number, are equal


class ClassScatter:
    """Rows of several classes, seen from their class means.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite numbers of any type; double precision is taken a block at a time.
    y : array-like of shape (n,)
        Labels, at least two distinct ones.

    Attributes
    ----------
    classes : ndarray (K,)
        The distinct labels, sorted.
    codes : ndarray (n,)
        Place of each row's label in `classes`.
    means : ndarray (K, d)

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or there is one class only.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self.X = finite_rows(X)
        labels = np.asarray(y)
        if labels.shape != (len(self.X),):
            raise ValueError(f"y must be ({len(self.X)},), a label a row; got {labels.shape}.")
        self.classes, self.codes = np.unique(labels, return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(f"y must hold at least two classes; got {self.classes.tolist()}.")
        sums = np.zeros((len(self.classes), self.X.shape[1]))
        for rows, block in blocks(self.X):
            sums += (self.codes[rows] == np.arange(len(self.classes))[:, None]) @ block
        self.means = sums / np.bincount(self.codes)[:, None]

    def gap(self, i: int = 0, j: int = 1) -> np.ndarray:
        """Mean of class j minus mean of class i (d,); see `mean_gap`."""
        return mean_gap(self.means[[i, j]], self.classes[[i, j]])

    def centred(self) -> Iterator[np.ndarray]:
        """Blocks of rows (block, d) minus their class means."""
        for rows, block in blocks(self.X):
            yield block - self.means[self.codes[rows]]

    @cached_property
    def covariance(self) -> np.ndarray:
        """Pooled within-class covariance (d, d), divided by n."""
        total = np.zeros((self.X.shape[1],) * 2)
        for block in self.centred():
            total += block.T @ block
        return total / len(self.X)

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Variances (r,), falling, and unit vectors (d, r); r = d, or n where rows are fewer."""
        n, d = self.X.shape
        if n < d:
            _, s, rows = np.linalg.svd(np.concatenate(list(self.centred())), full_matrices=False)
            return s**2 / n, rows.T
        variances, vectors = np.linalg.eigh(self.covariance)
        return np.maximum(variances[::-1], 0.0), vectors[:, ::-1]


def flattest_direction(X: Any, y: Any) -> tuple[np.ndarray, float]:
    """Return the direction in which rows of a class vary least, orthogonal to the means' line.

    Along it a linear boundary can be tilted (`tilt_along`) without changing what it says of the
    data. Among all directions orthogonal to b = j - i it has the least within-class variance.

    Parameters
    ----------
    X : array-like of shape (n, d), d >= 2
    y : array-like of shape (n,)
        Exactly two distinct labels.

    Returns
    -------
    direction : ndarray of shape (d,)
        Of norm 1; its largest entry is positive.
    variance : float
        Within-class variance along it.

    Raises
    ------
    ValueError
        If y is not binary, the means are identical, or there is one column only.

    Examples
    --------
    >>> flattest_direction([[0, 0, 1], [0, 1, 1], [2, 0, 1], [2, 1, 1]], [0, 0, 1, 1])
    (array([0., 0., 1.]), 0.0)
    """
    scatter = binary(X, y)
    gap = scatter.gap()
    if len(gap) < 2:
        raise ValueError("X must have at least two columns, to leave a direction orthogonal to b.")
    # The reflection that takes b to an axis: the other axes span what is orthogonal to b.
    u = gap / np.linalg.norm(gap)
    pivot = int(np.argmax(np.abs(u)))
    u[pivot] += np.sign(u[pivot])
    u /= np.linalg.norm(u)
    turned = scatter.covariance - 2 * np.outer(u, u @ scatter.covariance)
    turned -= 2 * np.outer(turned @ u, u)
    others = np.delete(np.arange(len(u)), pivot)
    direction = np.zeros(len(u))
    direction[others] = eigh(turned[np.ix_(others, others)], subset_by_index=[0, 0])[1][:, 0]
    direction -= 2 * u * (u @ direction)
    direction *= np.sign(direction[np.argmax(np.abs(direction))])
    # Measured along the direction: an eigenvalue is exact only to rounding of the largest one.
    squares = sum(float(((block @ direction) ** 2).sum()) for block in scatter.centred())
    return direction + 0.0, squares / len(scatter.X)


def mean_gap(means: np.ndarray, names: Any) -> np.ndarray:
    """Second mean minus first (d,).

    Raises
    ------
    ValueError
        If the two means are equal: there is then no nearest-centroid classifier.
    """
    gap = np.asarray(means[1] - means[0])
    if np.linalg.norm(gap) <= EQUAL * np.abs(means).max():
        raise ValueError(
            f"X must have different class means; those of {names[0]} and {names[1]} are identical."
        )
    return gap


def binary(X: Any, y: Any) -> ClassScatter:
    """The scatter of exactly two classes.

    Raises
    ------
    ValueError
        If y has more or fewer.
    """
    scatter = ClassScatter(X, y)
    if len(scatter.classes) != 2:
        raise ValueError(f"y must hold exactly two classes; got {len(scatter.classes)}.")
    return scatter


def finite_rows(X: Any, columns: int | None = None) -> np.ndarray:
    """Check a matrix of finite numbers (n, d).

    Raises
    ------
    ValueError
        If it is not one, or has not `columns` columns.
    """
    rows = np.asarray(X)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"X must be a matrix (n, d) of at least one row; got shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError("X must be finite; got NaN or infinite numbers.")
    if columns is not None and rows.shape[1] != columns:
        raise ValueError(f"X must have {columns} columns, as coef has; got {rows.shape[1]}.")
    return rows


def blocks(X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of rows and the rows in double precision."""
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, np.asarray(X[rows], dtype=np.float64)
