"""The last fits: the recommended model, measured once on the test rows, then on all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overparam.auditing.baselines import fit_baseline, predict_view
from overparam.auditing.findings.calibration import fitted_temperature
from overparam.auditing.net_cells import SplitKey, fit_and_held, subsample, train
from overparam.auditing.recipes import from_dict
from overparam.auditing.trusted_types import TRUSTED
from overparam.data.dataset import Dataset
from overparam.nets.companding import bake


def fit_final_nets(
    dataset: Dataset,
    rows: np.ndarray,
    predict_rows: np.ndarray,
    recipe: Mapping[str, Any],
    seeds: Sequence[int],
    temperature: bool,
    seed: int,
    row_weights: np.ndarray | None = None,
    own: Any = None,
) -> dict[str, Any]:
    """Cell: train members on `rows` (a tenth held out) and predict `predict_rows`.

    Returns
    -------
    dict
        `logits` (M, n, k), divided by each member's temperature where asked; `temperatures` (M,);
        `shift`, `scale`; `n_features`; `state/NAME` (M, ...) of every parameter and buffer, of
        companded nets the weights that they use.
    """
    made = from_dict(recipe)
    fitted, held = fit_and_held(dataset, rows, seed)
    view = dataset.view(subsample(fitted, made.rows, seed), rows)
    held_view = dataset.view(held, rows)
    weights = None if row_weights is None else row_weights[view.rows]
    nets = train(view, made, seeds, held=held_view, weights=weights, own=own)
    temperatures = np.ones(len(seeds))
    if temperature:
        logits = nets.logits(held_view)
        temperatures = np.array([fitted_temperature(one, held_view.y) for one in logits])
    logits = nets.logits(dataset.view(predict_rows, rows)) / temperatures[:, None, None]
    members = [bake(nets.ensemble.member(i)).state_dict() for i in range(len(seeds))]
    states = {
        f"state/{name}": np.stack([member[name].numpy() for member in members])
        for name in members[0]
    }
    return {
        "logits": logits.astype(np.float32),
        "temperatures": temperatures,
        "shift": nets.shift,
        "scale": nets.scale,
        "n_features": nets.ensemble.n_features,
        **states,
    }


def fit_final_baseline(
    dataset: Dataset, rows: np.ndarray, name: str, seconds: float, seed: int
) -> dict[str, Any]:
    """Cell: fit a baseline on `rows`; the model as bytes."""
    import skops.io  # slow to import

    model, setting = fit_baseline(name, dataset.view(rows, rows), seed, seconds)
    return {
        "setting": setting,
        "model": np.frombuffer(skops.io.dumps(model), dtype=np.uint8),
    }


def kept_baseline_on_test(
    dataset: Dataset, split: Mapping[str, int], model: np.ndarray
) -> dict[str, Any]:
    """Cell: predictions (n_test, k) of a split's test rows by a fitted baseline, as its bytes."""
    import skops.io  # slow to import

    fitted = skops.io.loads(model.tobytes(), trusted=list(TRUSTED))
    return {"p": predict_view(fitted, SplitKey(**split).of(dataset).test)}
