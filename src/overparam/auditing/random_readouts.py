"""Read-outs of fixed random layers on the user's data: theory's model of a wide net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overparam.auditing.net_cells import (
    SplitKey,
    at_most,
    fitted_rows,
    on_one_scale,
    squared_targets,
)
from overparam.data.dataset import Dataset
from overparam.diagnostics.stopping_time import Overtraining, overtraining

MOST_ROWS = 400
SCORED = 2000
SWEEP_SCORED = 500
FEWEST_ROWS = 30


def readouts(
    dataset: Dataset,
    split: Mapping[str, int],
    rows: int,
    ratio: float,
    seeds: Sequence[int],
    scored: int = SCORED,
) -> tuple[list[Overtraining], int]:
    """Training over time of read-outs of ReLU layers, `ratio` features a row, one a seed.

    Returns the runs, scored on validation rows, and how many rows they were fitted on.
    """
    key = SplitKey(**split)
    parts = key.of(dataset)
    train = dataset.view(fitted_rows(dataset, key, rows), parts.train.rows)
    validation = at_most(parts.validation, scored, key.seed)
    y, held = squared_targets(train), squared_targets(validation)
    X, Z = on_one_scale(train, validation)
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        features = max(1, round(ratio * len(X)))
        weights = rng.standard_normal((X.shape[1], features)) / np.sqrt(X.shape[1])
        scale = np.sqrt(features)
        hidden = [np.maximum(rows @ weights, 0) / scale for rows in (X, Z)]
        found.append(overtraining(hidden[0], y, held_out=(hidden[1], held)))
    return found, len(X)


def readout_sweep(
    dataset: Dataset,
    split: Mapping[str, int],
    rows: int,
    ratios: Sequence[float],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Cell: validation error, in variances of the target, of read-outs of R sizes and S seeds.

    Returns
    -------
    dict
        `end`, `best` (R, S) after training to the end and at the best time; `rows`.
    """
    sweep = [readouts(dataset, split, rows, ratio, seeds, SWEEP_SCORED) for ratio in ratios]
    return {
        "end": np.array([[run.end_mse for run in found] for found, _ in sweep]),
        "best": np.array([[run.best_mse for run in found] for found, _ in sweep]),
        "rows": sweep[0][1],
    }
