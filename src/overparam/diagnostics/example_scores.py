"""Scores that say how much an example matters for training (arXiv 2107.07075).

With p = softmax(logits) and the one-hot label e_y, averaged over members w (networks trained from
other starts):

    EL2N = E_w ||p - e_y||_2          L1 = E_w ||p - e_y||_1 = 2 (1 - p_y)
    margin = E_w max_{j != y} p_j - p_y, or with kind="sum" E_w sum_{j != y} (p_j - p_y)

High is hard: for all of them the norm or maximum is taken before the mean. `grand`, the norm of the
loss gradient, is in `gradient_norms`; `ForgettingTracker`, which needs the whole run, in
`forgetting`. Score networks a few epochs into training: at the start the scores say little (the
paper's claim that the gradient norm does is withdrawn by Kirsch, arXiv 2303.14753), at the end
networks have learnt wrong labels by heart.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from overparam.diagnostics.forgetting import ForgettingTracker
from overparam.diagnostics.gradient_norms import grand
from overparam.diagnostics.probability_inputs import as_array, check_labels, check_scores
from overparam.diagnostics.temperature import softmax

__all__ = ["ForgettingTracker", "el2n", "grand", "l1_error", "margin_score"]


def el2n(logits: Any, y: Any, *, average: bool = True) -> np.ndarray:
    """Norm of the error vector, E_w ||softmax(logits) - one_hot(y)||_2.

    Parameters
    ----------
    logits : array of shape (n, k) or (M, n, k)
        Of one network or of M; a few epochs into training, in evaluation mode.
    y : array of shape (n,)
        Labels 0..k-1, as trained on.
    average : bool
        Mean over members; otherwise each member's scores.

    Returns
    -------
    ndarray of shape (n,), or (M, n) for ``average=False``
        In [0, sqrt 2]; high is hard, or wrongly labelled.

    Raises
    ------
    ValueError
        If shapes do not fit, there are fewer than 2 classes, labels are outside 0..k-1 or logits
        are not finite.

    Examples
    --------
    >>> el2n(np.zeros((1, 2)), [0])
    array([0.70710678])
    """

    def norm(p: np.ndarray, y: np.ndarray) -> np.ndarray:
        p[np.arange(len(y)), y] -= 1
        return np.sqrt(np.einsum("nk,nk->n", p, p))

    return _over_members(norm, logits, y, average)


def l1_error(logits: Any, y: Any, *, average: bool = True) -> np.ndarray:
    """Sum of the absolute errors, E_w ||softmax(logits) - one_hot(y)||_1, in [0, 2].

    Arguments, result and errors as of `el2n`.
    """
    return _over_members(lambda p, y: 2 * (1 - p[np.arange(len(y)), y]), logits, y, average)


def margin_score(
    logits: Any, y: Any, kind: Literal["max", "sum"] = "max", *, average: bool = True
) -> np.ndarray:
    """How far the other classes are ahead of the label; high is hard.

    Parameters
    ----------
    logits, y, average
        As of `el2n`.
    kind : {"max", "sum"}
        The most probable other class against the label, in [-1, 1]; or the sum of the differences
        over all other classes, 1 - k p_y.

    Returns
    -------
    ndarray of shape (n,), or (M, n) for ``average=False``

    Raises
    ------
    ValueError
        If `kind` is unknown, and as of `el2n`.
    """
    if kind not in ("max", "sum"):
        raise ValueError(f"kind must be 'max' or 'sum'; got {kind!r}.")

    def margin(p: np.ndarray, y: np.ndarray) -> np.ndarray:
        rows = np.arange(len(y))
        own = p[rows, y]
        if kind == "sum":
            return 1 - p.shape[1] * own
        p[rows, y] = -1
        return p.max(axis=1) - own

    return _over_members(margin, logits, y, average)


def _over_members(score: Any, logits: Any, y: Any, average: bool) -> np.ndarray:
    """`score` of each member's own probabilities (n, k), then the mean."""
    array = as_array(logits)
    stacked = array[None] if array.ndim == 2 else array
    if stacked.ndim != 3 or not len(stacked):
        raise ValueError(f"logits must have shape (n, k) or (M, n, k); got {array.shape}.")
    labels = check_labels(y, *stacked.shape[1:])
    found = np.stack(
        [score(softmax(check_scores(member, least_rows=1)), labels) for member in stacked]
    )
    if array.ndim == 2:
        return found[0]
    return found.mean(axis=0) if average else found
