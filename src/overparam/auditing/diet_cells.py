"""Cells of the data diet: scores of rows early in training, and nets on a part of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overparam.auditing.net_cells import SplitKey, train, views
from overparam.auditing.recipes import from_dict
from overparam.data.dataset import Dataset
from overparam.diagnostics.data_diet import selected
from overparam.diagnostics.example_scores import el2n

TWINS = ("hardest", "random")


def early_scores(
    dataset: Dataset, split: Mapping[str, int], recipe: Mapping[str, Any], seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """EL2N of the fitted rows by one net a seed, trained by a recipe of a few epochs.

    Returns
    -------
    dict
        `rows` (n,) positions in the data set, `el2n` (n,).
    """
    made = from_dict(recipe)
    fitted, _, _ = views(dataset, SplitKey(**split), made.rows)
    nets = train(fitted, made, seeds)
    return {"rows": fitted.rows, "el2n": el2n(nets.logits(fitted), fitted.y)}


def pruned_nets(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    scores: np.ndarray,
    kept: Sequence[float],
    drop_top: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """Nets on the hardest rows, on as many random ones and on all: one ensemble of one seed.

    Every subset is a member's example weights, and all members take the same number of steps.

    Returns
    -------
    dict
        `right` (2 K + 1, n) booleans on the validation rows: for each share the hardest and the
        random rows, then all rows.
    """
    made = from_dict(recipe)
    fitted, _, validation = views(dataset, SplitKey(**split), made.rows)
    n = len(fitted)
    weights = np.ones((2 * len(kept) + 1, n), dtype=np.float32)
    for i, share in enumerate(kept):
        hardest = selected(scores, share, min(drop_top, 1 - share))
        twin = np.random.default_rng([seed, len(hardest)]).permutation(n)[: len(hardest)]
        for member, rows in ((2 * i, hardest), (2 * i + 1, twin)):
            weights[member] = 0
            weights[member, rows] = 1
    nets = train(fitted, made, [seed] * len(weights), weights=weights)
    return {"right": nets.logits(validation).argmax(axis=2) == validation.y}
