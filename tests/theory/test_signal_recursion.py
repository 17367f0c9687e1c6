"""The recursion of one input: exact cases, limits, the map against it, errors."""

import numpy as np
import pytest

from overparam.theory.initialization import criticality
from overparam.theory.signal_recursion import criticality_map, signal_propagation


def test_a_critical_relu_net_keeps_its_variance_and_each_layer_adds_one_to_the_kernel():
    table = signal_propagation("relu", 2.0, 0.0, 30, 1.0, lambda_W=1.0, lambda_b=0.0)
    np.testing.assert_array_equal(table["K"], 2.0)
    np.testing.assert_array_equal(table["ntk"], np.arange(1, 31))
    np.testing.assert_array_equal(table["chi_parallel"], 1.0)
    np.testing.assert_array_equal(table["layer"], np.arange(1, 31))


def test_the_vertex_of_a_linear_net_grows_by_two_a_layer_exactly():
    table = signal_propagation("linear", 1.0, 0.0, 20, 1.0)
    np.testing.assert_array_equal(table["four_point"], 2.0 * np.arange(20))


@pytest.mark.parametrize(("name", "limit"), [("tanh", 0.5), ("sin", 1.0)])
def test_k_star_zero_activations_fall_like_one_over_the_depth(name, limit):
    K = signal_propagation(name, 1.0, 0.0, 500, 1.0)["K"].to_numpy()
    layer = np.arange(1, 501)
    published = {"tanh": [0.580, 0.533, 0.512, 0.503], "sin": [0.922, 0.961, 0.984, 0.996]}
    np.testing.assert_allclose((layer * K)[[9, 29, 99, 499]], published[name], atol=6e-4)
    assert 500 * K[-1] == pytest.approx(limit, rel=0.01)


def test_the_vertex_of_tanh_approaches_two_thirds():
    table = signal_propagation("tanh", 1.0, 0.0, 500, 1.0)
    ratio = (table["four_point"] / table["K"] ** 2 / table["layer"]).to_numpy()
    np.testing.assert_allclose(ratio[[9, 29, 99, 499]], [0.552, 0.617, 0.648, 0.662], atol=6e-4)


@pytest.mark.parametrize("name", ["gelu", "swish"])
def test_half_stable_activations_stay_where_they_are_critical(name):
    critical = criticality(name)
    K0 = (critical.K_star - critical.C_b) / critical.C_W
    table = signal_propagation(name, critical.C_W, critical.C_b, 50, K0)
    np.testing.assert_allclose(table["K"], critical.K_star, rtol=1e-9)
    steps = np.diff(table["four_point"]) / critical.K_star**2
    np.testing.assert_allclose(steps, critical.nu, rtol=1e-6)


def test_the_kernel_is_the_sum_over_layers_of_the_closed_form():
    rates_W, rates_b = np.linspace(0.5, 1.5, 6), np.linspace(2, 1, 6)
    table = signal_propagation("tanh", 1.1, 0.05, 6, 0.7, lambda_W=rates_W, lambda_b=rates_b)
    second = np.concatenate([[0.7], (table["K"].to_numpy()[1:] - 0.05) / 1.1])
    perp = table["chi_perp"].to_numpy()
    total = sum((rates_b[k] + rates_W[k] * second[k]) * np.prod(perp[k:-1]) for k in range(6))
    assert table["ntk"][-1] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", ["gelu", "tanh", "relu", "elu"])
def test_the_map_is_the_recursion_at_every_point(name):
    C_W, C_b = [0.3, 1.0, 2.0, 3.0], [0.0, 0.2, 1.0]
    found = criticality_map(name, C_W, C_b, 50, 1.0)
    assert found.K.shape == found.log_gradient.shape == (4, 3, 50)
    for i, weights in enumerate(C_W):
        for j, biases in enumerate(C_b):
            table = signal_propagation(name, weights, biases, 50, 1.0)
            np.testing.assert_allclose(found.K[i, j], table["K"], rtol=1e-5)
            growth = np.concatenate([[0], np.log(table["chi_perp"].to_numpy()[:-1]).cumsum()])
            np.testing.assert_allclose(found.log_gradient[i, j], growth, atol=1e-5)


def test_the_map_goes_on_beyond_its_table():
    found = criticality_map("relu", [0.2, 8.0], [0.0], 60, 1.0)
    vanishing = criticality_map("tanh", [0.2], [0.0], 100, 1.0).K[0, 0]
    np.testing.assert_allclose(vanishing[60:], vanishing[60] * 0.2 ** np.arange(40), rtol=1e-5)
    exact = np.outer([0.2, 8.0], np.ones(60)) * (np.array([[0.1], [4.0]]) ** np.arange(60))
    np.testing.assert_allclose(found.K[:, 0], exact, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"C_W": 0.0}, r"C_W must be a number > 0; got 0\.0"),
        ({"C_b": -1.0}, r"C_b must be a number >= 0; got -1\.0"),
        ({"depth": 0}, "depth must be an integer >= 1; got 0"),
        ({"depth": 2.5}, r"depth must be an integer >= 1; got 2\.5"),
        ({"K0": -1.0}, r"K0 must be a number >= 0; got -1\.0"),
        ({"lambda_W": [1.0, 2.0]}, r"lambda_W must be one number or one a layer \(3\)"),
    ],
)
def test_errors(change, text):
    arguments = {"activation": "relu", "C_W": 2.0, "C_b": 0.0, "depth": 3, "K0": 1.0} | change
    with pytest.raises(ValueError, match=text):
        signal_propagation(**arguments)


def test_errors_of_the_map():
    with pytest.raises(ValueError, match=r"K0 must be a number > 0; got 0"):
        criticality_map("relu", [1.0], [0.0], 3, 0.0)
    with pytest.raises(ValueError, match="C_W must be a number > 0"):
        criticality_map("relu", [1.0, 0.0], [0.0], 3)
    with pytest.raises(ValueError, match="C_W and C_b must have at least one value each"):
        criticality_map("relu", [], [0.0], 3)
