"""The kernel of an infinitely wide net as a function of rows, evaluated tile by tile.

An architecture says how variances run through the layers and what one tile of pairs is; the kernel
here does what all architectures share: inputs, the choice of NNGP and NTK, half the work where the
two sets of rows are one, and results written in place, so that no second n x n array exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from overparam.kernels.gaussian_moments import Pair

Kind = Literal["nngp", "ntk", "both"]
KINDS = ("nngp", "ntk", "both")
TORCH = {np.dtype(np.float64): torch.float64, np.dtype(np.float32): torch.float32}


@dataclass(frozen=True)
class Rows:
    """Examples as an architecture wants them, and the variances of their preactivations.

    `inputs` is (n, ...), `variances` (n, layers, ...): slices of rows are rows.
    """

    inputs: Tensor
    variances: Tensor

    def __getitem__(self, rows: slice) -> Rows:
        return Rows(self.inputs[rows], self.variances[rows])

    def __len__(self) -> int:
        return len(self.inputs)


TileFunction = Callable[[Rows, Rows], Pair]


class Architecture(Protocol):
    """What a kernel asks of a kind of network."""

    def inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Check the rows' shape and return them as rows of what `rows` takes."""

    def rows(self, inputs: Tensor) -> Rows:
        """Return the rows with the variance of every preactivation."""

    def diagonal(self, rows: Rows) -> Pair:
        """Return NNGP and NTK of each row with itself, each (n,)."""

    def tile_function(self, rows: Rows, others: Rows) -> TileFunction:
        """Return a function of slices of the two sets: NNGP and NTK of all their pairs."""

    @property
    def block(self) -> int:
        """Rows of a tile that suit the processor's cache."""


class Kernels(NamedTuple):
    """Both kernels of one network on the same pairs."""

    nngp: NDArray[Any]
    ntk: NDArray[Any]


class Tile(NamedTuple):
    """The kernels between two slices of rows."""

    rows: slice
    others: slice
    nngp: Tensor
    ntk: Tensor


@dataclass(frozen=True)
class Kernel:
    """NNGP and NTK of one architecture.

    Make one with `fully_connected` or `convolutional`. The NNGP is the covariance of the outputs
    at initialisation, the NTK the product of their gradients, both in the limit of infinite width
    and in the NTK parametrisation.
    """

    architecture: Architecture

    def __call__(
        self,
        X: Any,
        Z: Any = None,
        kind: Kind = "ntk",
        *,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
    ) -> Any:
        """Evaluate the kernel on all pairs.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            One example a row.
        Z : array-like of shape (m, ...), optional
            The second set; None is X itself, at half the cost and with an exactly symmetric result.
        kind : {"ntk", "nngp", "both"}
            What to return.
        dtype : float64 or float32
            Of arithmetic and result. float32 costs about half; entries of rows that nearly
            coincide then carry errors of 1e-4 (the angle between them is lost).
        block : int, optional
            Rows of a tile; None suits the cache.

        Returns
        -------
        ndarray of shape (n, m), or Kernels
            With "both", a named tuple `(nngp, ntk)`. Beyond its results the call needs one copy of
            the inputs and a few tiles.

        Raises
        ------
        ValueError
            If rows have a wrong shape or numbers that are not finite, or an option is unknown.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}; got {kind!r}.")
        rows = self._rows(X, "X", dtype)
        others = None if Z is None else self._rows(Z, "Z", dtype)
        shape = (len(rows), len(rows if others is None else others))
        results = {
            name: np.empty(shape, dtype=np.dtype(dtype))
            for name in ("nngp", "ntk")
            if kind in (name, "both")
        }
        views = {name: torch.from_numpy(result) for name, result in results.items()}
        with torch.no_grad():
            for tile in self._tiles(rows, others, block):
                for name, view in views.items():
                    values = getattr(tile, name)
                    view[tile.rows, tile.others] = values
                    if others is None and tile.rows != tile.others:
                        view[tile.others, tile.rows] = values.T
        return Kernels(**results) if kind == "both" else results[kind]

    def diagonal(
        self, X: Any, kind: Kind = "ntk", *, dtype: DTypeLike = np.float64
    ) -> NDArray[Any] | Kernels:
        """Return the kernel of each row with itself, (n,), in O(n)."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}; got {kind!r}.")
        with torch.no_grad():
            both = Kernels(
                *(d.numpy() for d in self.architecture.diagonal(self._rows(X, "X", dtype)))
            )
        return both if kind == "both" else getattr(both, kind)

    def tiles(
        self,
        X: Any,
        Z: Any = None,
        *,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
    ) -> Iterator[Tile]:
        """Yield the kernels block by block and keep none; without Z the upper triangle of blocks.

        A tile's tensors are overwritten or freed when the next one is asked for: copy what stays.
        """
        rows = self._rows(X, "X", dtype)
        others = None if Z is None else self._rows(Z, "Z", dtype)
        with torch.no_grad():
            yield from self._tiles(rows, others, block)

    def _rows(self, X: Any, name: str, dtype: DTypeLike) -> Rows:
        if np.dtype(dtype) not in TORCH:
            raise ValueError(f"dtype must be float64 or float32; got {np.dtype(dtype)}.")
        X = np.asarray(X)
        if X.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be an array of numbers; got dtype {X.dtype}.")
        if X.ndim < 2 or 0 in X.shape:
            raise ValueError(f"{name} must have at least one row and column; got {X.shape}.")
        inputs = np.ascontiguousarray(self.architecture.inputs(X), dtype=np.dtype(dtype))
        if not np.isfinite(inputs).all():
            raise ValueError(f"{name} must be finite; got NaN or infinity. Impute or drop the row.")
        with torch.no_grad():
            return self.architecture.rows(torch.from_numpy(inputs))

    def _tiles(self, rows: Rows, others: Rows | None, block: int | None) -> Iterator[Tile]:
        size = self.architecture.block if block is None else block
        if size != int(size) or size < 1:
            raise ValueError(f"block must be an integer >= 1; got {block!r}.")
        columns = rows if others is None else others
        if rows.inputs.shape[1:] != columns.inputs.shape[1:]:
            raise ValueError(
                f"Z must have rows like those of X; got {tuple(columns.inputs.shape[1:])} "
                f"beside {tuple(rows.inputs.shape[1:])}."
            )
        function = self.architecture.tile_function(rows, columns)
        for top in range(0, len(rows), size):
            here = slice(top, min(top + size, len(rows)))
            for left in range(top if others is None else 0, len(columns), size):
                there = slice(left, min(left + size, len(columns)))
                nngp, ntk = function(rows[here], columns[there])
                if others is None and here == there:
                    # The angle of a row with itself is rounding: its kernels are known better.
                    own = self.architecture.diagonal(rows[here])
                    nngp, ntk = (
                        _with_diagonal(*pair) for pair in zip((nngp, ntk), own, strict=True)
                    )
                yield Tile(here, there, nngp, ntk)


def _with_diagonal(tile: Tensor, diagonal: Tensor) -> Tensor:
    upper = tile.triu(1)  # and the same bits below as above
    return upper + upper.T + torch.diag(diagonal)
