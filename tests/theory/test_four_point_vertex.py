"""Slopes of the vertex: closed cases, the finite-depth form, simulation of residual nets."""

import numpy as np
import pytest
import torch

from overparam.theory.four_point_vertex import residual_vertex, vertex_slope
from overparam.theory.sampling_trick import sample_preactivations
from overparam.theory.signal_recursion import signal_propagation


@pytest.mark.parametrize(
    ("activation", "residual", "slope"),
    [
        ("relu", 0.0, 5),
        ("linear", 0.0, 2),
        ("tanh", 0.0, 2 / 3),
        ("relu", 0.25, 6.496),
        ("relu", 0.5, 5.4425),
        ("relu", 0.75, 3.221),
        ("relu", 0.9, 1.403),
        ("relu", 0.95, 0.720),
        ("relu", 0.99, 0.147),
        ("linear", 0.5, 1.5),
        ("linear", 0.9, 2 * (1 - 0.81)),
    ],
)
def test_slopes(activation, residual, slope):
    assert vertex_slope(activation, residual) == pytest.approx(slope, abs=1e-3)


def test_the_slope_without_skips_is_the_limit_of_weak_ones():
    leaky = torch.nn.LeakyReLU(0.1)
    assert vertex_slope(leaky, 1e-12) == pytest.approx(vertex_slope(leaky), rel=1e-4)


def test_few_layers_without_skips_are_those_of_the_recursion():
    for name in ("relu", "linear"):
        C_W = {"relu": 2.0, "linear": 1.0}[name]
        table = signal_propagation(name, C_W, 0.0, 12, 1.0)
        expected = (table["four_point"] / table["K"] ** 2).to_numpy()
        np.testing.assert_allclose(residual_vertex(name, 12, 0.0), expected, rtol=1e-12)


@pytest.mark.parametrize("residual", [0.5, 0.9])
def test_many_layers_approach_the_slope(residual):
    steps = np.diff(residual_vertex("relu", 400, residual))
    assert steps[-1] == pytest.approx(vertex_slope("relu", residual), rel=1e-6)


def test_the_published_slopes_of_seventeen_layers():
    found = [residual_vertex("relu", 17, xi2)[-1] / 16 for xi2 in (0.25, 0.5, 0.75, 0.9, 0.95)]
    np.testing.assert_allclose(found, [6.13, 4.78, 2.34, 0.73, 0.297], atol=5e-3)


@pytest.mark.parametrize("residual", [0.5, 0.9])
def test_simulated_linear_nets_have_the_vertex(residual):
    width, depth = 100, 9
    found = sample_preactivations(
        "linear", 1 - residual, 0.0, width, depth, 20_000, K0=1 / (1 - residual), residual=residual
    )
    m, pair = found.mean_square[:, -1], found.pair[:, -1]
    vertex = width * (pair.mean() / m.mean() ** 2 - 1)
    error = width * (pair - 2 * m).std() / np.sqrt(len(m))
    expected = residual_vertex("linear", depth, residual)[-1]
    assert abs(vertex - expected) < 3 * error + 0.05 * expected  # and the higher orders in 1 / n


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("relu", 1.0), r"residual must be xi\^2 in \[0, 1\); got 1\.0"),
        (("relu", -0.1), r"residual must be xi\^2 in \[0, 1\); got -0\.1"),
        (("tanh", 0.5), "activation must be linear on either side of 0 where residual is above 0"),
        (("softplus", 0.0), "activation must have a critical point; got 'softplus': softplus"),
    ],
)
def test_errors(arguments, text):
    with pytest.raises(ValueError, match=text):
        vertex_slope(*arguments)


def test_errors_of_few_layers():
    with pytest.raises(ValueError, match="depth must be an integer >= 1; got 0"):
        residual_vertex("relu", 0, 0.5)
