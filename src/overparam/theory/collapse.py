"""The geometry of neural collapse under squared error, in closed form (arXiv 2301.00437).

Features H (d, N) are free variables below M linear layers without biases (W_M has K rows):

    1/(2N) ||W_M ... W_1 H - Y||^2 + sum_m (l_m / 2) ||W_m||^2 + (l_H / 2) ||H||^2        (1)

At the global minimum the K classes decouple into orthogonal directions. A class of n_k examples has
the output p_k on its own label that minimises over p >= 0

    n_k/(2N) (p - 1)^2 + (M + 1)/2 c_k p^(2/(M+1)),    c_k = (n_k l_H l_1 ... l_M)^(1/(M+1))  (2)

that is p = 0 or the largest root of (n_k/N) (1 - p) p^((M-1)/(M+1)) = c_k, whichever is lower. The
class survives where

    c_k < (n_k/N) (1/M) ((M-1)/M)^((M-1)/(M+1)),                                          (3)

and jumps there from p = (M-1)/M to 0; below it, its features and its row of the classifier are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Geometry:
    """The global minimum of (1), class by class.

    Attributes
    ----------
    outputs : ndarray of shape (K,)
        p_k, the output on the own label of an example of class k; 0 on all others.
    singular_values : ndarray of shape (M, K)
        Of each linear layer, along the direction of class k.
    feature_norms : ndarray of shape (K,)
        Norm of the (equal) features of a class. Features of different classes are orthogonal.
    weight_norms : ndarray of shape (K,)
        Norm of a class's row of the last layer.
    collapsed_classes : ndarray of int
        Classes with output 0: too few examples for these decays.
    loss : float
        The value of (1).
    """

    outputs: np.ndarray
    singular_values: np.ndarray
    feature_norms: np.ndarray
    weight_norms: np.ndarray
    collapsed_classes: np.ndarray
    loss: float


def mse_geometry(
    class_sizes: Sequence[int], weight_decays: Sequence[float] | np.ndarray, feature_decay: float
) -> Geometry:
    """Where a classifier with free features ends under squared error and weight decay.

    Parameters
    ----------
    class_sizes : sequence of K int
        Examples of each class, >= 1.
    weight_decays : sequence of M float
        l_1, ..., l_M > 0, from the features up.
    feature_decay : float
        l_H > 0.

    Returns
    -------
    Geometry

    Raises
    ------
    ValueError
        If a class is empty or a decay is not positive.

    Notes
    -----
    The features are as wide as there are classes, at least. Only products of the decays move the
    outputs; each decay alone sets how the norms are shared between the layers.

    Examples
    --------
    >>> mse_geometry([200, 100, 50, 20], [0.016], 0.016).outputs.round(3)
    array([0.581, 0.408, 0.163, 0.   ])
    """
    sizes = as_class_sizes(class_sizes)
    decays = _as_decays(weight_decays, feature_decay)
    depth, share = len(decays) - 1, sizes / sizes.sum()
    cost = (sizes * decays.prod()) ** (1 / (depth + 1))
    p = np.where(cost < share * _reach(depth), _largest_root(cost / share, depth), 0.0)
    energy = cost * p ** (2 / (depth + 1))
    loss = (share * (p - 1) ** 2 / 2 + (depth + 1) / 2 * energy).sum()
    values = np.sqrt(energy / decays[:-1, None])
    return Geometry(
        outputs=p,
        singular_values=values,
        feature_norms=np.sqrt(energy / (sizes * feature_decay)),
        weight_norms=values[-1],
        collapsed_classes=np.flatnonzero(p == 0),
        loss=float(loss),
    )


def collapse_threshold(n_k: float | np.ndarray, n: int, depth: int = 1) -> float | np.ndarray:
    """The largest product l_H l_1 ... l_M of decays at which a class survives.

    Parameters
    ----------
    n_k : float or array
        Examples of the class.
    n : int
        Examples in all.
    depth : int
        M, linear layers above the features.

    Returns
    -------
    float or array
        With equal decays each may be up to its (M + 1)-th root. For one layer it is n_k / n^2.

    Raises
    ------
    ValueError
        If a size or the depth is not positive, or a class is larger than the whole.
    """
    sizes = np.asarray(n_k, dtype=float)
    if not (sizes > 0).all() or not (sizes <= n).all():
        raise ValueError(f"n_k must be in (0, n] for n={n}; got {n_k}.")
    if depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")
    found = (sizes / n * _reach(depth)) ** (depth + 1) / sizes
    return found if np.ndim(n_k) else float(found)


def _reach(depth: int) -> float:
    """The right side of (3) for a class that is everything."""
    inner = (depth - 1) / depth
    return float(inner ** ((depth - 1) / (depth + 1)) / depth)


def _largest_root(ratio: np.ndarray, depth: int) -> np.ndarray:
    """The largest p with (1 - p) p^((M-1)/(M+1)) = ratio, by bisection where the left side falls.

    Where there is none (the class does not survive) the value means nothing.
    """
    power = (depth - 1) / (depth + 1)
    low = np.full(ratio.shape, (depth - 1) / (2 * depth))  # the left side's top
    high = np.ones(ratio.shape)
    for _ in range(60):  # 2^-60 of the bracket is below a rounding error
        middle = (low + high) / 2
        above = (1 - middle) * middle**power > ratio
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


def as_class_sizes(class_sizes: Sequence[int]) -> np.ndarray:
    """Class sizes (K,) as floats.

    Raises
    ------
    ValueError
        If there are fewer than two classes or one is empty.
    """
    sizes = np.asarray(class_sizes, dtype=float)
    if sizes.ndim != 1 or len(sizes) < 2 or not (sizes >= 1).all():
        raise ValueError(
            f"class_sizes must be the examples of at least two classes, each >= 1; "
            f"got {list(class_sizes)}."
        )
    return sizes


def _as_decays(weight_decays: Sequence[float] | np.ndarray, feature_decay: float) -> np.ndarray:
    """All decays (M + 1,), the features' last."""
    decays = np.array([*weight_decays, feature_decay], dtype=float)
    if len(decays) < 2:
        raise ValueError("weight_decays must hold one decay a linear layer; got none.")
    if not (np.isfinite(decays) & (decays > 0)).all():
        raise ValueError(
            f"weight_decays and feature_decay must be > 0; got {list(weight_decays)} and "
            f"{feature_decay}."
        )
    return decays
