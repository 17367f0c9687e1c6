"""A symmetric kernel matrix as tiles of its upper triangle, in little memory.

What is stored is the remainder K - F F^T of a partial factor F, not K: its entries are small, so
that half precision loses little of K. A product adds F (F^T v) back. With `dtype=None` nothing is
stored, and each product evaluates the kernel anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

STORED = (np.float64, np.float32, np.float16)
_TORCH = {
    np.dtype(np.float64): torch.float64,
    np.dtype(np.float32): torch.float32,
    np.dtype(np.float16): torch.float16,
}

Tiles = Callable[[], Iterator[tuple[slice, slice, Tensor]]]


def storage_dtype(n: int, memory: float) -> np.dtype[Any] | None:
    """Return the most exact of float64, float32, float16 whose upper triangle fits, or None.

    Parameters
    ----------
    n : int
        Rows of the matrix.
    memory : float
        Bytes for the triangle.
    """
    for dtype in map(np.dtype, STORED):
        if n * (n + 1) / 2 * dtype.itemsize <= memory:
            return dtype
    return None


class SymmetricTiles:
    """Multiply by K without holding it.

    Parameters
    ----------
    tiles : callable
        Returns an iterator over `(rows, columns, values)` of the upper triangle of tiles, band by
        band, each from its diagonal tile on.
    factor : ndarray of shape (n, r)
        F; r may be 0.
    dtype : float64, float32, float16 or None
        Of the stored tiles.
    progress : callable, optional
        Called with the share of tiles that are stored, in [0, 1].
    """

    def __init__(
        self,
        tiles: Tiles,
        factor: NDArray[np.float64],
        dtype: DTypeLike | None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.n = len(factor)
        self.factor = torch.from_numpy(factor)
        self._tiles = tiles
        self._stored: list[tuple[slice, slice, Tensor]] | None = None
        if dtype is None:
            return
        kept = _TORCH[np.dtype(dtype)]
        work = torch.float64 if kept == torch.float64 else torch.float32
        factor_work = self.factor.to(work)
        stored, entries = [], 0
        with torch.no_grad():
            for rows, columns, values in tiles():
                if rows == columns:
                    # One allocation a band of tiles: small ones would leave holes in the heap.
                    height = rows.stop - rows.start
                    band = torch.empty(height * (self.n - rows.start), dtype=kept)
                    used = 0
                tile = band[used : used + values.numel()].view_as(values)
                used += values.numel()
                tile.copy_(values.to(work) - factor_work[rows] @ factor_work[columns].T)
                stored.append((rows, columns, tile))
                entries += tile.numel() * (1 if rows == columns else 2)
                if progress is not None:
                    progress(entries / self.n**2)
        self._stored = stored

    @property
    def nbytes(self) -> int:
        """Bytes of the stored tiles."""
        return sum(t.numel() * t.element_size() for _, _, t in self._stored or ())

    def __matmul__(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K @ vectors, of shape (n, k)."""
        with torch.no_grad():
            v = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float64))
            # Products with few columns are slow in BLAS, and ten times slower when the large
            # factor is transposed: columns are padded to 16, and the mirrored half is v^T @ tile.
            width = -(-v.shape[1] // 16) * 16
            padded = torch.nn.functional.pad(v, (0, width - v.shape[1]))
            result, mirrored = torch.zeros_like(padded), torch.zeros_like(padded.T.contiguous())
            given: dict[torch.dtype, tuple[Tensor, Tensor]] = {}
            for rows, columns, values in self._tiles() if self._stored is None else self._stored:
                tile = values if values.dtype == torch.float64 else values.float()
                if tile.dtype not in given:
                    cast = padded.to(tile.dtype)
                    given[tile.dtype] = cast, cast.T.contiguous()
                down, across = given[tile.dtype]
                result[rows] += tile @ down[columns]
                if rows != columns:
                    mirrored[:, columns] += across[:, rows] @ tile
            result = (result + mirrored.T)[:, : v.shape[1]]
            if self._stored is not None:
                result += self.factor @ (self.factor.T @ v)
        return np.ascontiguousarray(result.numpy())
