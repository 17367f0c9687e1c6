"""The check of a module: verdicts, theory beside measurement, what it leaves alone, errors."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.diagnostics.initialization import check_initialization, find_activation
from overparam.nets.convnet import ConvNet
from overparam.nets.init import critical_
from overparam.nets.mlp import MLP

X = torch.randn(64, 50, generator=torch.Generator().manual_seed(0))


def net(name="relu", width=100, depth=6, scale=1.0, seed=0):
    made = critical_(
        MLP(50, 10, (width,) * (depth - 1), activation=name),
        name,
        torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        for layer in made.layers:
            layer.weight *= scale**0.5
    return made


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "silu", "elu"])
@pytest.mark.parametrize("depth", [3, 12])
def test_critical_nets_are_critical_and_torchs_default_vanishes(name, depth):
    for seed in range(3):
        report = check_initialization(net(name, depth=depth, seed=seed), X)
        assert report.verdict == "critical", report
        assert report.fix == ""
    default = check_initialization(MLP(50, 10, (100,) * (depth - 1), activation=name, seed=0), X)
    assert default.verdict == "signals vanish"
    assert "critical_(module, activation)" in default.fix
    assert "these have C_W = 0.33" in default.fix


@pytest.mark.parametrize(("scale", "verdict"), [(0.5, "signals vanish"), (2.0, "signals explode")])
def test_weights_off_criticality_are_found_in_both_directions(scale, verdict):
    report = check_initialization(net(scale=scale, depth=20), X)
    assert report.verdict == verdict
    assert report.gradient_factor == pytest.approx(scale, rel=0.15)
    assert report.signal_factor == pytest.approx(scale, rel=0.15)


def test_wide_nets_follow_the_theorys_columns():
    report = check_initialization(net("tanh", width=1000, depth=8), X)
    table = report.table
    np.testing.assert_allclose(table["K"], table["K_theory"], rtol=0.1)
    np.testing.assert_allclose(table["gradient"], table["gradient_theory"], rtol=0.15)
    np.testing.assert_allclose(table["C_W"], 1.0, rtol=0.05)
    assert table["layer"].to_list() == list(range(1, 9))


def test_the_gradient_is_that_of_autograd_with_respect_to_preactivations():
    made = net(depth=4, width=20).double()
    x = X[:5].double()
    report = check_initialization(made, x)
    slopes = []
    for i in range(10):  # all directions, where the check takes random ones
        h = x
        zs = []
        for layer in made.layers:
            zs.append(layer(h))
            h = torch.relu(zs[-1])
        grads = torch.autograd.grad(zs[-1][:, i].sum(), zs[:-1])
        slopes.append([float(g.square().sum()) for g in grads])
    exact = np.sum(slopes, axis=0) / (10 * len(x))
    np.testing.assert_allclose(report.table["gradient"][:-1], exact, rtol=0.35)


def test_aspect_ratio_is_that_of_the_layers():
    report = check_initialization(net(width=50, depth=6), X)
    assert report.aspect_ratio == pytest.approx(6 / 50)
    assert report.optimal_aspect_ratio == pytest.approx(0.016)
    assert "Depth / width 0.12; theory's best about 0.016." in str(report)


def test_convolutions_are_measured_too():
    images = torch.randn(16, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    made = ConvNet((1, 12, 12), 3, channels=(32, 32), seed=0)
    report = check_initialization(made, images, "relu")
    assert report.gradient == "vanish"
    assert report.table["width"][0] == 32


def test_activations_without_critical_point_say_so():
    report = check_initialization(MLP(50, 10, (64,) * 6, activation="sigmoid"), X)
    assert report.verdict == "signals vanish"
    assert "has no critical initialisation" in report.fix
    assert np.isnan(report.optimal_aspect_ratio)
    assert "Without a critical point" in report.notes[0]


def test_normalisation_layers_are_noted():
    report = check_initialization(MLP(50, 10, (64,) * 4, layer_norm=True), X)
    assert "normalisation layers" in report.notes[0]


def test_the_module_is_left_as_it_was():
    made = nn.Sequential(nn.Linear(50, 20), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(20, 3))
    made[0].requires_grad_(False)
    made[2].eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.train()
    made[2].eval()
    check_initialization(made, X)
    assert made.training
    assert not made[2].training
    assert not any(each._forward_hooks for each in made.modules())
    assert all(torch.equal(before[name], value) for name, value in made.state_dict().items())
    assert made[3].weight.grad is None


def test_activations_are_found_as_layers_and_attributes():
    leaky = nn.LeakyReLU(0.2)
    assert find_activation(nn.Sequential(nn.Linear(2, 2), leaky)) is leaky
    assert find_activation(MLP(2, 2, (3,), activation="tanh")) is torch.tanh
    with pytest.raises(ValueError, match="activation must be given where the module holds none"):
        find_activation(nn.Linear(2, 2))


def test_one_layer_is_not_enough():
    with pytest.raises(ValueError, match="module must use at least two Linear or Conv layers"):
        check_initialization(nn.Sequential(nn.Linear(50, 2), nn.ReLU()), X)
