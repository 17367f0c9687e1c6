"""Gradient flow in closed form against matrix exponentials and against explicit descent."""

import numpy as np
import pytest
from scipy.linalg import expm

from overparam.kernels.linear_flow import LinearFlow

SHAPES = [(25, 10), (10, 25)]


def problem(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) / np.sqrt(shape[1])
    return X, rng.standard_normal(shape[0]), rng.standard_normal(shape[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_solve_the_flow(shape):
    X, y, w0 = problem(shape)
    least = np.linalg.pinv(X) @ y + w0 - np.linalg.pinv(X) @ X @ w0
    times = [0.0, 0.5, 4.0, np.inf]
    found = LinearFlow(X).weights(y, times, w0)
    for column, t in zip(found.T, times, strict=True):
        decay = expm(-X.T @ X * min(t, 1e6))
        assert column == pytest.approx(least + decay @ (w0 - least), abs=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_are_those_of_the_weights_for_any_number_of_targets(shape):
    X, y, w0 = problem(shape)
    Z = np.random.default_rng(1).standard_normal((7, shape[1]))
    flow, times = LinearFlow(X), [0.0, 1.0, np.inf]
    expected = Z @ flow.weights(y, times, w0)
    assert flow.predict(Z, y, times, w0) == pytest.approx(expected, abs=1e-10)
    pair, starts = np.stack([y, -2 * y], 1), np.stack([w0, 0 * w0], 1)
    both = flow.predict(Z, pair, times, starts)
    assert both.shape == (7, 3, 2)
    assert both[..., 0] == pytest.approx(expected, abs=1e-10)
    assert both[..., 1] == pytest.approx(-2 * Z @ flow.weights(y, times), abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_solves_its_equations(shape):
    X, y, _ = problem(shape)
    Z = np.random.default_rng(1).standard_normal((7, shape[1]))
    found = LinearFlow(X).ridge(Z, y, [0.1, 3.0])
    for column, ridge in zip(found.T, (0.1, 3.0), strict=True):
        w = np.linalg.solve(X.T @ X + ridge * np.eye(shape[1]), X.T @ y)
        assert column == pytest.approx(Z @ w, abs=1e-10)


def test_frozen_directions_do_not_move():
    X, y, w0 = problem((10, 25))
    flow = LinearFlow(X)
    assert len(flow.eigenvalues) == 10
    moved = flow.weights(y, [1.0, np.inf], w0) - w0[:, None]
    outside = moved - np.linalg.pinv(X) @ X @ moved
    assert np.abs(outside).max() < 1e-12


def test_explicit_descent_follows():
    X, y, w0 = problem((10, 25))
    w = w0.copy()
    for _ in range(3000):
        w += 1e-3 * X.T @ (y - X @ w)
    assert LinearFlow(X).weights(y, [3.0], w0)[:, 0] == pytest.approx(w, abs=5e-3)


def test_directions_without_data_are_left_out_of_the_modes():
    X, y, _ = problem((25, 4))
    flow = LinearFlow(np.hstack([X, X]))
    assert len(flow.eigenvalues) == 4
    assert np.isfinite(flow.weights(y, [1e300])).all()
