"""Accuracy against the share of the data that is kept, with a random twin beside it.

Every subset, seed and twin is a member of one ensemble. The number of steps is the same for all of
them: at equal epochs a small subset would be trained less, and pruning would look bad for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from overparam.diagnostics.data_diet import selected
from overparam.training.ensemble import Ensemble

RECIPE = {
    "optimizer": "nesterov",
    "learning_rate": 0.05,
    "weight_decay": 5e-4,
    "batch_size": 100,
    "schedule": "cosine",
}


@dataclass(frozen=True)
class PruningCurve:
    """What training on less data costs.

    Attributes
    ----------
    kept : ndarray of shape (K,)
        Shares of the rows, ascending, the last one 1.
    scored, random : ndarray of shape (K, S)
        Accuracy on the held-out rows with the rows of highest score, and with as many at random;
        of S seeds. On all rows the two are the same networks.
    droppable : float
        Largest share that can be left out by score with a mean accuracy within one standard error
        of that on all rows (0 where none can, or for a single seed).
    """

    kept: np.ndarray
    scored: np.ndarray
    random: np.ndarray

    @property
    def droppable(self) -> float:
        """Largest share that can be left out within one standard error."""
        seeds = self.scored.shape[1]
        if seeds < 2:
            return 0.0
        full = self.scored[-1]
        least = full.mean() - full.std(ddof=1) / np.sqrt(seeds)
        enough = self.scored.mean(axis=1) >= least
        return float(1 - self.kept[enough].min())


def pruning_curve(
    module_factory: Callable[[int, int, int], torch.nn.Module],
    X: Any,
    y: Any,
    scores: np.ndarray,
    held_out: tuple[Any, Any],
    *,
    kept: Sequence[float] = (0.3, 0.5, 0.7),
    drop_top: float = 0.0,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int,
    **recipe: Any,
) -> PruningCurve:
    """Train on the highest-scoring rows and on random ones, for the same number of steps.

    Parameters
    ----------
    module_factory : callable
        `module_factory(n_features, n_outputs, seed) -> nn.Module`.
    X, y : arrays of shape (n, ...) and (n,)
        Standardised features and labels 0..k-1.
    scores : array of shape (n,)
        High is kept, such as `DataDiet.scores_["el2n"]`.
    held_out : (X, y)
        Rows to measure accuracy on; not the test rows, where a share is chosen by it.
    kept : sequence of float
        Shares in (0, 1]; all rows are added.
    drop_top : float
        Share of the rows with the highest scores left out first, where there is room.
    seeds : sequence of int
    steps : int
        Of every network.
    **recipe
        Arguments of `Ensemble.fit`, over `RECIPE`.

    Returns
    -------
    PruningCurve

    Raises
    ------
    ValueError
        If scores has not one number a row, and as of `DataDiet.select` and `Ensemble.fit`.
    """
    X, y, scores = np.asarray(X), np.asarray(y), np.asarray(scores, dtype=float)
    if scores.shape != (len(X),):
        raise ValueError(f"scores must be {len(X)} numbers, one a row; got shape {scores.shape}.")
    shares = sorted({*map(float, kept), 1.0})
    subsets, whose = [], []
    for share in shares[:-1]:
        for seed in seeds:
            chosen = selected(scores, share, min(drop_top, 1 - share))
            twin = np.random.default_rng([seed, len(chosen)]).permutation(len(X))[: len(chosen)]
            subsets += [chosen, np.sort(twin)]
            whose += [seed, seed]
    subsets += [np.arange(len(X))] * len(seeds)
    whose += seeds
    k = int(max(y.max(), np.max(held_out[1]))) + 1
    right = accuracy_of_subsets(
        module_factory, X, y, subsets, whose, held_out, k, steps=steps, **recipe
    )
    pairs = right[: -len(seeds)].reshape(len(shares) - 1, len(seeds), 2)
    full = right[-len(seeds) :]
    return PruningCurve(
        np.array(shares),
        np.concatenate([pairs[..., 0], full[None]]),
        np.concatenate([pairs[..., 1], full[None]]),
    )


def accuracy_of_subsets(
    module_factory: Callable[[int, int, int], torch.nn.Module],
    X: np.ndarray,
    y: np.ndarray,
    subsets: Sequence[np.ndarray],
    seeds: Sequence[int],
    held_out: tuple[Any, Any],
    n_classes: int,
    *,
    steps: int,
    **recipe: Any,
) -> np.ndarray:
    """Accuracy (M,) on held-out rows of M members, each trained on its own rows by its own seed."""
    weights = np.zeros((len(subsets), len(X)), dtype=np.float32)
    for member, rows in enumerate(subsets):
        weights[member, rows] = 1.0
    features = int(np.prod(X.shape[1:]))
    ensemble = Ensemble(module_factory, seeds, features, n_classes)
    ensemble.fit(X, y, weights=weights, steps=steps, **{**RECIPE, **recipe})
    found = ensemble.predict_logits(held_out[0]).argmax(axis=-1)
    return (found == np.asarray(held_out[1])).mean(axis=1)
