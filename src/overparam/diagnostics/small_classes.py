"""Classes too small for their weight decay, from what a trained classifier gives on its own labels.

For free features, one linear layer and squared error, a class of n_k examples has the output
(`theory.collapse`)

    p_k = 1 - sqrt(n* / n_k)  for n_k > n*, else 0;      n* = N^2 l_W l_H                     (1)

on its own label. A network has no decay l_H of its features, but the form remains (our own reading,
measured on images): each class that is alive says n* = (1 - p_k)^2 n_k, and n* grows as the square
of the weight decay, by 3.8 to 4 a doubling for decays of 0.01 to 0.04.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overparam.theory.collapse import as_class_sizes

ALIVE = 0.5  # outputs from which n* is read
LIFTED = 0.7  # by (1); a class that was dead comes back weaker than (1) says, about half of it
DEAD = 0.1  # at or below: the class has collapsed


@dataclass(frozen=True)
class MinorityCollapse:
    """Which classes are below or near their threshold.

    Attributes
    ----------
    threshold : float
        n*, the class size at which a class collapses at this weight decay; NaN where no class is
        alive.
    outputs, predicted : ndarray of shape (K,)
        p_k as measured, and by (1).
    collapsed, at_risk : ndarray of int
        Classes with an output of 0.1 or less; other classes whose predicted output is below 1/2.
    lifting_decay : float
        The largest weight decay at which every class would have an output of 0.7 by (1): the
        smallest class is then eleven times the threshold. At most the present decay.
    """

    threshold: float
    outputs: np.ndarray
    predicted: np.ndarray
    collapsed: np.ndarray
    at_risk: np.ndarray
    lifting_decay: float


def minority_collapse(
    outputs: Sequence[float] | np.ndarray,
    class_sizes: Sequence[int],
    weight_decay: float,
    *,
    threshold: float | None = None,
) -> MinorityCollapse:
    """Find classes that their weight decay has switched off.

    Parameters
    ----------
    outputs : array of shape (K,)
        Mean output on the own label over a class's training rows, of a network trained by squared
        error on one-hot labels until everything else fits.
    class_sizes : sequence of K int
    weight_decay : float
        > 0; the decay that it was trained with.
    threshold : float, optional
        n* at this decay where another run tells it, such as one of a larger decay (n* goes as its
        square), where outputs are farther from 1; by default read from `outputs`.

    Returns
    -------
    MinorityCollapse

    Raises
    ------
    ValueError
        If shapes disagree, a class is empty or the decay is not positive.

    Notes
    -----
    The threshold is that of the classes alive; a hard class dies earlier (a class of 8 images did
    where the others put it at 3).

    Examples
    --------
    >>> found = minority_collapse([0.86, 0.80, 0.73, 0.31, 0.02], [600, 400, 250, 20, 8], 0.04)
    >>> found.collapsed, found.at_risk, round(found.threshold), round(found.lifting_decay, 3)
    (array([4]), array([3]), 16, 0.008)
    """
    sizes, p = as_class_sizes(class_sizes), np.asarray(outputs, dtype=float)
    if p.shape != sizes.shape:
        raise ValueError(f"outputs must have one value for {len(sizes)} classes; got {p.shape}.")
    if not weight_decay > 0:
        raise ValueError(f"weight_decay must be > 0; got {weight_decay!r}.")
    alive = p >= ALIVE
    if threshold is None:
        threshold = float(np.median((1 - p[alive]) ** 2 * sizes[alive])) if alive.any() else np.nan
    predicted = np.clip(1 - np.sqrt(threshold / sizes), 0, None)
    dead = p <= DEAD
    lift = np.sqrt(sizes.min() * (1 - LIFTED) ** 2 / threshold) if threshold > 0 else 1.0
    return MinorityCollapse(
        threshold=threshold,
        outputs=p,
        predicted=predicted,
        collapsed=np.flatnonzero(dead),
        at_risk=np.flatnonzero(~dead & (predicted < ALIVE)),
        lifting_decay=np.nan if np.isnan(threshold) else float(weight_decay * min(1.0, lift)),
    )
