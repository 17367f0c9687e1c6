"""Kernel ridge regression for tens of thousands of rows, by conjugate gradients.

Solves (K + ridge I) alpha = y for all targets at once. The kernel is evaluated once: a partial
Cholesky factor F of randomly chosen pivots preconditions, the upper triangle of K - F F^T is
stored as exactly as the memory allows, and an iteration is one pass over it. Where not even half
precision fits, each pass evaluates the kernel anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from overparam.kernels.conjugate_gradients import Solution, conjugate_gradients, low_rank_inverse
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.infinite_kernel import Kernel
from overparam.kernels.pivoted_cholesky import pivoted_cholesky
from overparam.kernels.ridge_estimators import RidgeClassification, RidgeRegression
from overparam.kernels.symmetric_tiles import SymmetricTiles, storage_dtype

Progress = Callable[[str, float], None]
Array = NDArray[np.float64]


class _IterativeRidge(BaseEstimator):
    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        kind: Literal["ntk", "nngp"] = "ntk",
        ridge: float = 1e-3,
        rank: int = 1000,
        tolerance: float = 1e-4,
        max_iterations: int = 500,
        memory: float = 4e9,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        random_state: int = 0,
    ) -> None:
        self.kernel = kernel
        self.kind = kind
        self.ridge = ridge
        self.rank = rank
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.memory = memory
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def _fit(self, X: NDArray[Any], targets: Array) -> None:
        """Fit dual coefficients (n, k) to targets (n, k), whose mean is taken out."""
        self._check_parameters()
        kernel = self._kernel()
        n = len(X)
        self.X_fit_ = X
        self.intercept_ = targets.mean(0)
        b = targets - self.intercept_
        dtype = storage_dtype(n, self.memory)
        self.storage_ = "none" if dtype is None else dtype.name
        work = np.float64 if self.storage_ == "float64" else np.float32

        diagonal = np.asarray(kernel.diagonal(X, self.kind), dtype=np.float64)
        # Relative to the mean of the diagonal: the same ridge then suits kernels of any scale.
        shift = self.ridge * float(diagonal.mean())
        factor, self.pivots_ = pivoted_cholesky(
            diagonal,
            lambda pivots: kernel(X, X[pivots], self.kind).astype(np.float64, copy=False),
            min(self.rank, n),
            np.random.default_rng(self.random_state),
        )
        self._tell("pivots", 1.0)

        def tiles() -> Iterator[tuple[slice, slice, Tensor]]:
            for tile in kernel.tiles(X, dtype=work, block=1024):
                yield tile.rows, tile.others, getattr(tile, self.kind)

        matrix = SymmetricTiles(tiles, factor, dtype, lambda share: self._tell("tiles", share))
        saved = _Checkpoint(self.checkpoint, (X, targets, repr(kernel), self.kind, self.ridge))

        def after(iteration: int, x: Array, residuals: Array) -> None:
            saved.write(x, every=10, iteration=iteration)
            self._tell("residual", float(residuals.max()))

        solution = conjugate_gradients(
            lambda v: matrix @ v + shift * v,
            b,
            precondition=low_rank_inverse(factor, shift),
            start=saved.read(b.shape),
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            callback=after,
        )
        saved.write(solution.x)
        self._keep(solution)

    def _keep(self, solution: Solution) -> None:
        self.dual_coef_ = solution.x
        self.residual_ = float(solution.residuals.max())
        self.n_iter_ = max(solution.iterations, 1)
        self.converged_ = solution.converged

    def _tell(self, what: str, value: float) -> None:
        if self.progress is not None:
            self.progress(what, value)

    def _kernel(self) -> Kernel:
        return fully_connected("relu", 3, 2.0, 0.01) if self.kernel is None else self.kernel

    def _check_parameters(self) -> None:
        if self.kind not in ("ntk", "nngp"):
            raise ValueError(f"kind must be 'ntk' or 'nngp'; got {self.kind!r}.")
        # Below it the half-precision triangle or rounding decides the sign of eigenvalues.
        if not self.ridge > 0:
            raise ValueError(
                f"ridge must be a number > 0; got {self.ridge!r}. "
                "Without ridge the conjugate gradients need not converge: solve directly."
            )
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be a number > 0; got {self.tolerance!r}.")
        if self.max_iterations < 1:
            raise ValueError(
                f"max_iterations must be an integer >= 1; got {self.max_iterations!r}."
            )
        if self.memory < 0:
            raise ValueError(f"memory must be a number of bytes >= 0; got {self.memory!r}.")

    def _targets(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        work = np.float64 if self.storage_ == "float64" else np.float32
        result = np.zeros((len(X), self.dual_coef_.shape[1]))
        for tile in self._kernel().tiles(X, self.X_fit_, dtype=work):
            values = getattr(tile, self.kind).numpy()
            result[tile.rows] += values @ self.dual_coef_[tile.others].astype(work)
        return result + self.intercept_


_PARAMETERS = """
    The rows are used as they come: scale them first.

    Parameters
    ----------
    kernel : Kernel, optional
        From `fully_connected`; None is the ReLU net of three hidden layers with
        weight variance 2 and bias variance 0.01.
    kind : {"ntk", "nngp"}
        Which of its kernels.
    ridge : float
        Added to the kernel's diagonal, in units of the diagonal's mean; > 0. In half precision
        values below 1e-4 are below what the stored triangle knows.
    rank : int
        Columns of the preconditioner: more cost `n rank^2` once and save iterations.
    tolerance : float
        Relative residual of every target at which the iterations end.
    max_iterations : int
        End here at the latest; `converged_` is then False.
    memory : float
        Bytes for the stored upper triangle, `n^2 / 2` entries: float64 where it fits, else
        float32, else float16, else none (then each iteration evaluates the kernel, and takes as
        long). The factor and vectors add `8 n (rank + 6 targets)` bytes, tiles some 10 MB.
    checkpoint : path, optional
        A file: the solution of every tenth iteration, from which the same fit goes on.
    progress : callable, optional
        `progress(what, value)`: "tiles" and the share that is done, "residual" and its size.
    random_state : int
        Draws the pivots.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n, targets)
    n_iter_, residual_, converged_ : int, float, bool
        What the iterations reached.
    storage_ : str
        "float64", "float32", "float16" or "none".
"""


class IterativeKernelRidge(RidgeRegression, _IterativeRidge):  # noqa: D101
    __doc__ = f"""Kernel ridge regression beyond what a direct solver holds.
{_PARAMETERS}
    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> y = X[:, 0] * X[:, 1]
    >>> IterativeKernelRidge(ridge=1e-4).fit(X, y).score(X, y) > 0.99
    True
    """

    _accepts: ClassVar[dict[str, Any]] = {"dtype": [np.float64, np.float32]}


class IterativeKernelRidgeClassifier(RidgeClassification, _IterativeRidge):  # noqa: D101
    __doc__ = f"""Classification by kernel ridge regression on one-hot labels.
{_PARAMETERS}    classes_ : ndarray
        Labels, in the order of the columns.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> y = X[:, 0] > 0
    >>> float(IterativeKernelRidgeClassifier().fit(X, y).score(X, y))
    1.0
    """

    def fit(self, X: Any, y: Any) -> IterativeKernelRidgeClassifier:
        """Fit to features (n, d) and labels (n,)."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least 2 classes; got one class, {self.classes_[0]}.")
        self._fit(X, np.eye(len(self.classes_))[codes])
        return self


class _Checkpoint:
    """A solution on disk, valid for one problem only."""

    def __init__(self, path: str | os.PathLike[str] | None, problem: tuple[Any, ...]) -> None:
        self.path = None if path is None else Path(path)
        if self.path is None:
            return
        digest = hashlib.sha256()
        for part in problem:
            is_array = isinstance(part, np.ndarray)
            digest.update(np.ascontiguousarray(part).data if is_array else repr(part).encode())
        self.key = digest.hexdigest()

    def read(self, shape: tuple[int, ...]) -> Array | None:
        if self.path is None or not self.path.exists():
            return None
        with np.load(self.path) as saved:
            if str(saved["key"]) != self.key or saved["x"].shape != shape:
                return None
            return np.asarray(saved["x"])

    def write(self, x: Array, *, every: int = 1, iteration: int = 0) -> None:
        if self.path is None or iteration % every:
            return
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as file:
            np.savez(file, x=x, key=self.key)
        part.replace(self.path)  # a killed run leaves the old file or the new one
