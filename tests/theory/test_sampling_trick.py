"""Sampled metrics: the exact power, real nets, repeatability, several inputs, errors."""

import numpy as np
import pytest
import torch

from overparam.theory.four_point_vertex import residual_vertex
from overparam.theory.sampling_trick import sample_preactivations
from overparam.theory.signal_recursion import signal_propagation


@pytest.mark.parametrize(
    ("name", "C_W", "nu"),
    [
        ("linear", 1.0, 2.0),
        ("relu", 2.0, 5.0),
        (torch.nn.LeakyReLU(0.5), 1.6, 3 * 0.53125 / 0.625**2 - 1),
    ],
)
def test_second_moments_of_scale_invariant_nets_are_an_exact_power(name, C_W, nu):
    n, depth = 100, 8
    G = sample_preactivations(name, C_W, 0.0, n, depth, 20_000, K0=0.7)
    for layer in range(1, depth):
        g = G[:, layer]
        assert abs(g.mean() / (0.7 * C_W) - 1) < 4 * g.std() / g.mean() / np.sqrt(len(g))
        ratio = (g**2).mean() / g.mean() ** 2
        error = (g**2 / g.mean() ** 2 - 2 * ratio * g / g.mean()).std() / np.sqrt(len(g))
        assert abs(ratio - (1 + nu / n) ** layer) < 3 * error
    np.testing.assert_allclose(G[:, 0], 0.7 * C_W)


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_metrics_are_those_of_real_nets(name):
    n, depth, nets, x = 20, 4, 3000, np.random.default_rng(0).normal(size=10)
    G = sample_preactivations(name, 1.5, 0.1, n, depth, nets, K0=(x**2).mean())
    rng = torch.Generator().manual_seed(1)
    s = {"tanh": torch.tanh, "gelu": torch.nn.functional.gelu}[name]
    a, fan_in = torch.tensor(x).expand(nets, -1), 10
    for layer in range(depth):
        metric = (0.1 + 1.5 * (a**2).mean(1)).numpy()
        for power in (1, 2):
            ours, real = G[:, layer] ** power, metric**power
            error = np.sqrt((ours.var() + real.var()) / nets)
            assert abs(ours.mean() - real.mean()) <= 4 * error + 1e-12
        W = torch.randn(nets, n, fan_in, generator=rng, dtype=torch.float64)
        b = torch.randn(nets, n, generator=rng, dtype=torch.float64) * 0.1**0.5
        a = s((W @ a[..., None])[..., 0] * (1.5 / fan_in) ** 0.5 + b)
        fan_in = n


def test_wide_nets_follow_the_recursion():
    G = sample_preactivations("swish", 2.0, 0.3, 2000, 6, 50, K0=1.0)
    np.testing.assert_allclose(
        G.mean(axis=0), signal_propagation("swish", 2.0, 0.3, 6, 1.0)["K"], rtol=0.03
    )


def test_two_equal_inputs_and_more_inputs_than_neurons():
    X = np.random.default_rng(0).normal(size=(4, 6))
    X[1] = X[0]
    G = sample_preactivations("relu", 2.0, 0.0, width=3, depth=5, n_nets=10, X=X)
    assert G.shape == (10, 5, 4, 4)
    assert np.isfinite(G).all()
    np.testing.assert_allclose(G[..., 0, 0], G[..., 0, 1], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(G[:, 0], np.broadcast_to(2 * X @ X.T / 6, (10, 4, 4)))


def test_one_of_many_inputs_has_the_law_of_one_input():
    X = np.random.default_rng(0).normal(size=(3, 6))
    many = sample_preactivations("relu", 2.0, 0.0, 30, 4, 6000, X=X)[:, :, 1, 1]
    one = sample_preactivations("relu", 2.0, 0.0, 30, 4, 6000, K0=(X[1] ** 2).mean())
    for power in (1, 2):
        a, b = many[:, -1] ** power, one[:, -1] ** power
        assert abs(a.mean() - b.mean()) < 4 * np.sqrt((a.var() + b.var()) / 6000)


def test_a_seed_repeats_and_the_first_nets_do_not_depend_on_how_many_follow():
    few, same, other = (
        sample_preactivations("relu", 2.0, 0.0, 5000, 3, 100, K0=1.0, random_state=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(few, same)
    assert (few[:, 1:] != other[:, 1:]).all()
    more = sample_preactivations("relu", 2.0, 0.0, 5000, 3, 250, K0=1.0, random_state=1)
    np.testing.assert_array_equal(more[:100], few)


@pytest.mark.parametrize("residual", [0.5, 0.9])
def test_residual_linear_nets_follow_their_exact_recursion(residual):
    # Given z: E z_i'^2 z_j'^2 = (x z_i^2 + G)(x z_j^2 + G) with x = xi^2, G = (1 - x) mean z^2.
    n, depth, x = 40, 10, residual
    pair, fourth = 1.0, 3.0
    for _ in range(depth - 1):
        square = pair * (n - 1) / n + fourth / n  # E (mean z^2)^2
        pair = x**2 * pair + (1 - x**2) * square
        fourth = x**2 * fourth + (6 * x * (1 - x) + 3 * (1 - x) ** 2) * square
    found = sample_preactivations(
        "linear", 1 - x, 0.0, n, depth, 40_000, K0=1 / (1 - x), residual=x
    )
    for values, expected in ((found.pair[:, -1], pair), (found.mean_square[:, -1], 1.0)):
        assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(len(values))


def test_the_pair_statistic_is_the_mean_over_pairs_of_neurons():
    found = sample_preactivations("relu", 0.5, 0.0, 2, 3, 200, K0=2.0, residual=0.5)
    assert found.pair.shape == found.mean_square.shape == (200, 3)
    # two neurons: z_1^2 z_2^2 is at most m^2
    assert (found.pair >= -1e-6).all()
    assert (found.pair <= found.mean_square**2 * (1 + 1e-5)).all()
    mean = found.mean_square.mean(axis=0)
    deep = sample_preactivations("relu", 1.0, 0.0, 200, 6, 4000, K0=2.0, residual=0.5)
    m, pair = deep.mean_square[:, -1], deep.pair[:, -1]
    vertex = 200 * (pair.mean() / m.mean() ** 2 - 1)
    assert vertex == pytest.approx(residual_vertex("relu", 6, 0.5)[-1], rel=0.15)
    assert mean[0] == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"C_W": 0.0}, "C_W must be a number > 0"),
        ({"width": 0}, "width must be an integer >= 1; got 0"),
        ({"n_nets": 0}, "n_nets must be an integer >= 1; got 0"),
        ({"depth": 0}, "depth must be an integer >= 1; got 0"),
        ({"K0": -1.0}, r"K0 must be a number >= 0; got -1\.0"),
        ({"K0": None}, "X or K0 must be given, one of them; got neither"),
        ({"X": np.ones((2, 3))}, "X or K0 must be given, one of them; got both"),
        ({"K0": None, "X": np.ones(3)}, r"X must have shape \(m, n_0\), both >= 1; got \(3,\)"),
        ({"residual": 1.0}, r"residual must be xi\^2 in \[0, 1\); got 1\.0"),
        ({"residual": 0.5, "width": 1}, "width must be at least 2 where residual is above 0"),
        ({"K0": None, "X": np.ones((2, 3)), "residual": 0.5}, "residual must be 0 where X"),
    ],
)
def test_errors(change, text):
    arguments = {"C_W": 2.0, "C_b": 0.0, "width": 10, "depth": 3, "n_nets": 5, "K0": 1.0} | change
    with pytest.raises(ValueError, match=text):
        sample_preactivations("relu", **arguments)
