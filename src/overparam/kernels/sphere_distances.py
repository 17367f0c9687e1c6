"""Half squared distances between unit vectors, t = |x - x'|^2 / 2 = 1 - <x, x'>.

One matrix product a block of rows, after the training mean is subtracted from both sides, which
changes no distance but keeps the digits of those that are small beside 1. What still loses digits
to the subtraction in |c|^2 + |c'|^2 - 2 <c, c'> is computed again from the difference of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WIDE = 64  # features above which the product is worth doing in float32
LOST = {np.dtype(np.float32): 1e-2, np.dtype(np.float64): 1e-6}  # of |c|^2 + |c'|^2: digits gone
EQUAL = 1e-28  # t of rows that differ by rounding only
NUMBERS = 4_000_000  # of a block: test rows times training rows, 32 MB in float64
PAIRS = 2_000_000  # numbers in rows that are subtracted at once


def to_sphere(X: np.ndarray, normalize: str | None) -> np.ndarray:
    """Return the rows of X (n, p) divided by their norms, or check that they have norm 1.

    Raises
    ------
    ValueError
        For a row of zeros, or with `normalize=None` for a row whose norm is not 1 within 1e-6.
    """
    if normalize not in ("sphere", None):
        raise ValueError(
            "normalize must be 'sphere' or None (DeepLimitClassifier: or 'orthant'); "
            f"got {normalize!r}."
        )
    if normalize == "sphere":
        return _divided(X)
    norms = np.sqrt(np.einsum("ij,ij->i", X, X))
    wrong = np.abs(norms - 1) > 1e-6
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"X must have rows of norm 1 with normalize=None; got norm {norms[row]:.6g} in "
            f"row {row}. normalize='sphere' divides by it."
        )
    return X


def _divided(X: np.ndarray) -> np.ndarray:
    """A copy of X with rows of norm 1."""
    largest = np.maximum(X.max(axis=1), -X.min(axis=1))
    if not largest.all():
        raise ValueError(
            f"X must not have a row of zeros, which has no direction; got one in row "
            f"{int((largest == 0).argmax())}. A constant column beside the features prevents it."
        )
    # In two steps: a norm may lie beyond the largest or below the smallest float.
    rows = X / largest[:, None]
    rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows


class SphereDistances:
    """t between any rows and the training rows, a block at a time.

    Parameters
    ----------
    train : ndarray of shape (n, p)
        Unit vectors.
    dtype : dtype, optional
        Of the product and the result; by default float32 for more than 64 features, where far pairs
        then have 5 digits.
    """

    def __init__(self, train: np.ndarray, dtype: type[np.floating] | None = None) -> None:
        self.train = train
        self.dtype = np.dtype(dtype or (np.float32 if train.shape[1] > WIDE else np.float64))
        self.centre = train.mean(axis=0)
        self._centred, self._squares = self._centre(train)

    def _centre(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centred rows in the working precision, and half their squared norms."""
        centred = np.empty(rows.shape, self.dtype)
        squares = np.empty(len(rows), self.dtype)
        step = max(1, PAIRS // rows.shape[1])
        for start in range(0, len(rows), step):
            few = slice(start, start + step)
            exact = rows[few] - self.centre
            centred[few] = exact
            squares[few] = np.einsum("ij,ij->i", exact, exact) / 2
        return centred, squares

    def blocks(self, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (slice of `rows`, t (block, n)); t is the caller's to write over."""
        step = max(1, NUMBERS // len(self.train))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            yield part, self.between(rows[part])

    def between(self, rows: np.ndarray) -> np.ndarray:
        """t (m, n), at least 0, of unit vectors `rows` (m, p)."""
        centred, squares = self._centre(rows)
        t = centred @ self._centred.T
        np.subtract(squares[:, None], t, out=t)
        t += self._squares
        lost = LOST[self.dtype] * (squares + self._squares.max())
        self.correct(t, rows, t < lost[:, None])
        return t

    def correct(self, t: np.ndarray, rows: np.ndarray, where: np.ndarray) -> None:
        """Write t (m, n) of `rows` anew, to full precision, where `where` (m, n) is true."""
        again = np.flatnonzero(where)
        i, j = np.divmod(again, t.shape[1])
        flat, step = t.reshape(-1), max(1, PAIRS // rows.shape[1])
        for start in range(0, len(again), step):
            few = slice(start, start + step)
            difference = rows[i[few]] - self.train[j[few]]
            flat[again[few]] = np.einsum("ij,ij->i", difference, difference) / 2
