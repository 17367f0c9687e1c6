"""Infinite nets as baselines: what is chosen, on how many rows, and whether it predicts."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing import infinite_nets
from overparam.auditing.infinite_nets import (
    affordable_rows,
    expected_seconds,
    fit_deep_limit,
    fit_wide_limit,
)
from overparam.data.loading import load
from overparam.diagnostics.intrinsic_dimension import two_nn_dimension
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.kernel_ridge import KernelRidgeClassifierCV, KernelRidgeCV


@pytest.fixture(scope="module")
def split():
    return load(*blobs(400, 5, classes=3, distance=3.0)).split(0)


def test_the_architecture_with_the_least_leave_one_out_error_is_taken(split):
    model, setting = fit_wide_limit(split.train, 0, 30.0)
    errors = {
        (depth, bias): KernelRidgeClassifierCV(fully_connected("relu", depth, 2.0, bias), "loo")
        .fit(split.train.flat, split.train.y)
        .loo_.min()
        for depth, bias in infinite_nets.ARCHITECTURES
    }
    chosen = model.kernel.architecture
    assert (chosen.depth, chosen.bias_variance) == min(errors, key=errors.get)
    assert setting.startswith(f"{chosen.depth} hidden layer")
    assert model.score(split.test.flat, split.test.y) > 0.85


def test_a_regression_gets_a_regressor():
    X, _ = blobs(300, 4, distance=1.0)
    split = load(X, 100 + 3 * X[:, 0].astype(float)).split(0)
    model, _ = fit_wide_limit(split.train, 0, 30.0)
    assert isinstance(model, KernelRidgeCV)
    assert model.score(split.test.flat, split.test.y) > 0.98


def test_seconds_decide_on_how_many_rows(split):
    assert affordable_rows(1e6, 100) == infinite_nets.MOST_WIDE_ROWS
    assert affordable_rows(0.0, 100) == infinite_nets.FEWEST_WIDE_ROWS
    rows = affordable_rows(1.0, 100)
    assert 0.85 < expected_seconds(rows, 100) <= 1.0
    assert affordable_rows(1.0, 10_000) < rows
    model, setting = fit_wide_limit(split.train, 0, 0.0)
    assert len(model.X_fit_) == 100
    assert setting.endswith("on 100 of 240 rows")


def test_the_deep_limit_takes_the_dimension_of_the_rows(split):
    model, setting = fit_deep_limit(split.train, 0)
    assert model.alpha_ == pytest.approx(two_nn_dimension(split.train.flat, most_rows=2000))
    assert setting == f"weights fall with distance to the power {model.alpha_:.1f}"
    assert model.score(split.test.flat, split.test.y) > 0.85


def test_a_line_counts_as_two_dimensions():
    X = np.random.default_rng(0).uniform(-1, 1, (200, 1)) * np.ones((1, 3))
    split = load(X, (X[:, 0] > 0).astype(int)).split(0)
    assert fit_deep_limit(split.train, 0)[0].alpha_ == 2.0


def test_equal_rows_have_no_dimension_and_are_fitted_all_the_same():
    X = np.tile(np.eye(4), (20, 1))
    dataset = load(X, np.tile([0, 1, 0, 1], 20))
    view = dataset.view(np.arange(80), np.arange(80))
    model, _ = fit_deep_limit(view, 0)
    assert model.alpha_ == view.preprocessor.n_flat
