"""Randomly pivoted partial Cholesky factor of a kernel matrix, from a few of its columns.

K ~ F F^T with F of r columns; the pivots are drawn in proportion to the diagonal of what is left,
K - F F^T, which stays positive semi-definite (Chen, Epperly, Tropp and Webber 2023,
arXiv 2207.06503). Pivots come in blocks, so that the work is matrix products: n r^2 + r n kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Array = NDArray[np.float64]


def pivoted_cholesky(
    diagonal: Array,
    columns: Callable[[NDArray[np.intp]], Array],
    rank: int,
    rng: np.random.Generator,
    *,
    block: int = 100,
) -> tuple[Array, NDArray[np.intp]]:
    """Factor a positive semi-definite matrix of which one sees the diagonal and chosen columns.

    Parameters
    ----------
    diagonal : ndarray of shape (n,)
        Of K.
    columns : callable
        `columns(pivots) -> K[:, pivots]`, of shape (n, len(pivots)).
    rank : int
        Columns of the factor, at most n; fewer come out where K is exhausted.
    rng : numpy.random.Generator
        Draws the pivots.
    block : int
        Pivots a step.

    Returns
    -------
    factor : ndarray of shape (n, r)
        K - factor @ factor.T is positive semi-definite up to rounding.
    pivots : ndarray of shape (r,)
        The rows at which it is 0.
    """
    if rank < 0:
        raise ValueError(f"rank must be an integer >= 0; got {rank!r}.")
    n = len(diagonal)
    rank = min(rank, n)
    factor, chosen = np.zeros((n, rank)), []
    left = np.array(diagonal, dtype=np.float64)
    floor = 1e-12 * left.max(initial=0.0)
    done = 0
    while done < rank:
        left[left < floor] = 0.0
        candidates = int(np.count_nonzero(left))
        if not candidates:
            break
        size = min(block, rank - done, candidates)
        pivots = rng.choice(n, size=size, replace=False, p=left / left.sum())
        residual = columns(pivots) - factor[:, :done] @ factor[pivots, :done].T
        core = residual[pivots]
        # Twins among the pivots leave a core without full rank; its trace times 1e-10 keeps it so.
        core = (core + core.T) / 2 + np.eye(size) * (1e-10 * np.trace(core) / size)
        new = solve_triangular(cholesky(core, lower=True), residual.T, lower=True).T
        factor[:, done : done + size] = new
        left -= np.einsum("ij,ij->i", new, new)
        left[pivots] = 0.0
        chosen.append(pivots)
        done += size
    pivots = np.concatenate(chosen) if chosen else np.empty(0, dtype=np.intp)
    return factor[:, :done], pivots
