"""Baselines that nets become without end: infinitely wide as a kernel, infinitely deep as a vote.

Neither trains anything by steps. The wide one has its kernel and ridge chosen by leaving out each
row in turn; the deep one has no parameter to choose: its exponent is the dimension of the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from overparam.auditing.net_cells import SCORED_VALIDATION, at_most
from overparam.data.dataset import View
from overparam.diagnostics.intrinsic_dimension import two_nn_dimension
from overparam.kernels.deep_limit import DeepLimitClassifier
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.kernel_ridge import KernelRidgeClassifierCV, KernelRidgeCV

# Hidden layers and variance of the biases: what changed the leave-one-out error most.
ARCHITECTURES = ((1, 1.0), (3, 1.0), (3, 0.1))
COMPARED_ROWS = 1000  # on which the architecture is chosen
MOST_WIDE_ROWS = 5000  # whose decomposition needs 24 n^2 bytes and half a minute
FEWEST_WIDE_ROWS = 100
MOST_DEEP_NUMBERS = 8_000_000  # kept with the model: rows times features
MOST_DEEP_ROWS = 20_000
DIMENSION_ROWS = 2000
# Rates of one thread, measured once: what a budget of seconds is worth.
SECONDS_A_CUBE = 2e-10  # of the decomposition, for each row cubed
SECONDS_A_PAIR = 3e-7  # of the ridge path, for each pair of rows
SECONDS_A_SCORE = 2e-7  # of a prediction, for each pair of a new and a fitted row


def fit_deep_limit(view: View, seed: int) -> tuple[DeepLimitClassifier, str]:
    """The classifier of infinitely deep nets on a view, and in words what it does.

    The exponent must not be below 2, where no activation has this limit.
    """
    flat = view.preprocessor.n_flat
    fitted = at_most(view, min(MOST_DEEP_ROWS, max(MOST_DEEP_NUMBERS // flat, 100)), seed)
    try:
        dimension = two_nn_dimension(fitted.flat, most_rows=DIMENSION_ROWS, seed=seed)
    except ValueError:  # too few different rows to tell
        dimension = float(flat)
    exponent = float(np.clip(dimension, 2.0, 2000.0))
    model = DeepLimitClassifier(normalize="orthant", intrinsic_dim=exponent)
    setting = f"weights fall with distance to the power {exponent:.1f}"
    return model.fit(fitted.flat, fitted.y), _joined(setting, rows_used(fitted, view))


def fit_wide_limit(view: View, seed: int, seconds: float) -> tuple[Any, str]:
    """Kernel ridge regression with the NTK of a ReLU net, tuned by leave-one-out.

    `seconds` decide on how many rows; see `baselines.fit_baseline`.
    """
    kind: Any = KernelRidgeClassifierCV if view.dataset.classes else KernelRidgeCV
    few = at_most(view, COMPARED_ROWS, seed)
    best = min(
        (
            kind(fully_connected("relu", depth, 2.0, bias), ridge="loo").fit(few.flat, few.y)
            for depth, bias in ARCHITECTURES
        ),
        key=lambda model: float(model.loo_.min()),
    )
    scored = min(len(view) // 3, SCORED_VALIDATION)
    fitted = at_most(view, affordable_rows(seconds, scored), seed)
    # The same number of rows under one seed is the same rows.
    chosen = best if len(fitted) == len(few) else clone(best).fit(fitted.flat, fitted.y)
    depth = chosen.kernel.architecture.depth
    layers = "layer" if depth == 1 else "layers"
    setting = f"{depth} hidden {layers}, ridge = {chosen.ridge_:.2g}"
    return chosen, _joined(setting, rows_used(fitted, view))


def affordable_rows(seconds: float, scored: int) -> int:
    """Rows whose decomposition, and prediction of `scored` others, take so long by fixed rates."""
    rows = MOST_WIDE_ROWS
    while rows > FEWEST_WIDE_ROWS and expected_seconds(rows, scored) > seconds:
        rows = max(int(0.95 * rows), FEWEST_WIDE_ROWS)
    return rows


def expected_seconds(rows: int, scored: int) -> float:
    """Seconds of one thread for the kernel machine on so many rows."""
    decomposition = rows**2 * (rows * SECONDS_A_CUBE + SECONDS_A_PAIR)
    return decomposition + rows * scored * SECONDS_A_SCORE


def rows_used(fitted: View, view: View) -> str:
    """Where a model could not take all rows of a view, how many it took."""
    return f"on {len(fitted):,} of {len(view):,} rows" if len(fitted) < len(view) else ""


def _joined(*texts: str) -> str:
    return ", ".join(filter(None, texts))
