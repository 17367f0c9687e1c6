"""The cell that forecasts the error of more rows from a learning curve and a kernel's spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from overparam.auditing.net_cells import SplitKey, fitted_rows, squared_targets
from overparam.data.dataset import Dataset
from overparam.diagnostics.error_forecast import forecast_error
from overparam.diagnostics.kernel_learning_curve import MOST_ROWS

FEWEST_ROWS = 16  # that a spectrum is read from
SECONDS_A_CUBE = 1.4e-9  # of one thread, for each row cubed: measured once
SECONDS_AT_LEAST = 0.5


def expected_seconds(rows: int) -> float:
    """Seconds of one thread for a forecast whose kernel has so many rows."""
    return SECONDS_AT_LEAST + SECONDS_A_CUBE * rows**3


def affordable_rows(available: int, seconds: float) -> int:
    """The most rows of the kernel within `seconds`; a spectrum needs at least sixteen."""
    rows = ((seconds - SECONDS_AT_LEAST) / SECONDS_A_CUBE) ** (1 / 3)
    return max(min(available, MOST_ROWS, int(rows)), min(available, FEWEST_ROWS))


def kernel_rows(dataset: Dataset, split: Mapping[str, int], rows: int) -> np.ndarray | None:
    """The training rows of the kernel, or None where they are too few or all of one target."""
    chosen = fitted_rows(dataset, SplitKey(**split), rows)
    if len(chosen) < FEWEST_ROWS or len(np.unique(dataset.y[chosen])) < 2:
        return None
    return chosen


def forecast(
    dataset: Dataset,
    split: Mapping[str, int],
    rows: int,
    sizes: np.ndarray,
    errors: np.ndarray,
    horizon: np.ndarray,
) -> dict[str, Any]:
    """Forecast the error at `horizon` rows from errors (sizes, subsets, n) and `rows` of the data.

    Returns
    -------
    dict
        `error`, `low`, `high`, `from_curve`, `from_kernel` (h,); `gains` (resamples, h), the error
        saved against the largest size; `floor`, `amplitude`, `exponent` of the curve's power law;
        `ridge`, `fitting_ratio`, `interpolation_cost` and their intervals (2,) of the kernel.
    """
    chosen = kernel_rows(dataset, split, rows)
    assert chosen is not None
    view = dataset.view(chosen, SplitKey(**split).of(dataset).train.rows)
    found = forecast_error(
        sizes, errors, view.flat, squared_targets(view), horizon, random_state=split["seed"]
    )
    kernel = found.kernel
    ratio, cost = kernel.fitting_ratio_interval, kernel.interpolation_cost_interval
    return {
        **{
            name: np.array([point[name] for point in found.points])
            for name in ("error", "low", "high", "from_curve", "from_kernel")
        },
        "gains": found.gain.astype(np.float32),
        "floor": float(found.curve.floor),
        "amplitude": float(found.curve.amplitude),
        "exponent": float(found.curve.exponent),
        "ridge": kernel.ridge,
        "fitting_ratio": kernel.fitting_ratio,
        "fitting_ratio_interval": np.array([ratio.low, ratio.high]),
        "interpolation_cost": kernel.interpolation_cost,
        "interpolation_cost_interval": np.array([cost.low, cost.high]),
    }
