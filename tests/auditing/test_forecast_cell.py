"""The forecast's cell: what it hands on, on which rows, and what it costs."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.forecast_cell import (
    FEWEST_ROWS,
    affordable_rows,
    expected_seconds,
    forecast,
    kernel_rows,
)
from overparam.data.loading import load
from overparam.diagnostics.error_forecast import forecast_error
from overparam.diagnostics.kernel_learning_curve import MOST_ROWS

SPLIT = {"seed": 0, "index": 0, "repeats": 1}
SIZES = np.array([20.0, 40, 80])


def errors():
    rng = np.random.default_rng(0)
    share = 0.5 * SIZES**-0.3
    return (rng.random((3, 4, 100)) < share[:, None, None]).astype(float)


def test_it_is_the_diagnostics_forecast_on_the_training_rows():
    dataset = load(*blobs(300, 4, classes=3, distance=2.0))
    found = forecast(dataset, SPLIT, 90, SIZES, errors(), np.array([160.0, 320.0]))
    view = dataset.view(kernel_rows(dataset, SPLIT, 90), dataset.split(0).train.rows)
    assert len(view) == 90
    direct = forecast_error(
        SIZES, errors(), view.flat, np.eye(3)[view.y], [160, 320], random_state=0
    )
    for name in ("error", "low", "high", "from_curve", "from_kernel"):
        np.testing.assert_allclose(found[name], [point[name] for point in direct.points])
    assert found["ridge"] == direct.kernel.ridge
    assert found["interpolation_cost"] == direct.kernel.interpolation_cost
    np.testing.assert_allclose(found["gains"], direct.gain, rtol=1e-5, atol=1e-7)


def test_rows_of_one_class_or_too_few_have_no_kernel():
    X, y = blobs(300, 4, distance=2.0)
    assert kernel_rows(load(X, y), SPLIT, FEWEST_ROWS - 1) is None
    assert len(kernel_rows(load(X, y), SPLIT, FEWEST_ROWS)) == FEWEST_ROWS
    rare = load(X, np.r_[np.ones(6), np.zeros(294)].astype(int))
    assert kernel_rows(rare, SPLIT, 16) is None


def test_the_rows_fit_the_seconds():
    assert affordable_rows(10**6, 1e9) == MOST_ROWS
    assert affordable_rows(300, 1e9) == 300
    assert affordable_rows(10**6, expected_seconds(1000) + 1e-3) == 1000


@pytest.mark.parametrize("seconds", [0.5, 0.501])
def test_no_time_still_gives_the_fewest_rows(seconds):
    assert affordable_rows(10**6, seconds) >= FEWEST_ROWS
    assert affordable_rows(10, seconds) == 10
