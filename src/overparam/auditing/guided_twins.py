"""The cell that trains a guided net and its plain twin: same seeds, rows and minibatches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overparam.auditing.net_cells import SplitKey, train, views
from overparam.auditing.recipes import from_dict
from overparam.data.dataset import Dataset


def fit_twins(
    dataset: Dataset, split: Mapping[str, int], recipe: Mapping[str, Any], seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Train members of a guided recipe and of the same without its guide, on one split.

    Returns
    -------
    dict
        `guided` and `plain`: logits (M, n, k) of the validation rows; `guided_held` and
        `plain_held`: held-out loss (M, epochs) after each epoch.
    """
    guided = from_dict(recipe)
    fitted, held, validation = views(dataset, SplitKey(**split), guided.rows)
    found: dict[str, np.ndarray] = {}
    for name, one in (("guided", guided), ("plain", guided.but(guided_steps=0))):
        nets = train(fitted, one, seeds, held=held, watch=True)
        found[name] = nets.logits(validation).astype(np.float32)
        found[f"{name}_held"] = nets.ensemble.history.validation_loss
    return found


def epochs_to_best(plain: np.ndarray, guided: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When plain nets are at their best, and when their guided twins have reached that.

    Parameters
    ----------
    plain, guided : ndarray of shape (M, epochs)
        Held-out losses.

    Returns
    -------
    ndarray, ndarray of shape (M,)
        Epochs from 1 on; infinity for a twin that never gets there.
    """
    best = plain.min(axis=1, keepdims=True)
    reached = guided <= best
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
    return plain.argmin(axis=1) + 1.0, first
