"""What no temperature can repair when classes overlap (arXiv 2306.00740).

The paper bounds the excess KL of a temperature-scaled interpolator from below by
Theta((1 - a - 1/k) log k). The closed form here is ours: an exact companion for a sharp
interpolator. It puts logit D on the label of the nearest training row and 0 elsewhere; k classes
come in pairs; a fraction o of the mass lies where the two labels of a pair are a fair coin. With
u = exp(D / T) and q = o / 2 the expected KL to the true conditionals is

    F(u) = -o log 2 + log(u + k - 1) - (1 - q) log u,
    u*   = (k - 1) (2 - o) / o,
    F*   = q log(k - 1) + h(q) - 2 q log 2,        h(q) = -q log q - (1 - q) log(1 - q).

It grows like (o / 2) log k; predicting uniformly costs log k - o log 2.
"""

from __future__ import annotations

import numpy as np
from scipy.special import entr, xlogy


def overlap_bound(k: int, overlap: float) -> float:
    """Excess KL of a sharp interpolator at its best temperature, in nats.

    Parameters
    ----------
    k : int
        Number of classes, at least 2, in pairs.
    overlap : float
        Fraction of the mass on which the two classes of a pair are a fair coin, in [0, 1].

    Returns
    -------
    float
        F*: 0 without overlap (the temperature goes to 0), and 0 for k = 2 with full overlap
        (the uniform prediction is right).

    Examples
    --------
    >>> round(overlap_bound(10, 1.0), 6)      # half of log 9
    1.098612
    """
    if k != int(k) or k < 2:
        raise ValueError(f"k must be an integer >= 2; got {k!r}.")
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap must lie in [0, 1]; got {overlap!r}.")
    q = overlap / 2
    return float(xlogy(q, k - 1) + entr(q) + entr(1 - q) - 2 * q * np.log(2))


def uniform_excess(k: int, overlap: float) -> float:
    """Excess KL of the uniform prediction on the same data, log k - overlap log 2, in nats."""
    overlap_bound(k, overlap)  # the same limits of the arguments
    return float(np.log(k) - overlap * np.log(2))
