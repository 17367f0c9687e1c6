"""Rates by layer: equal shares of the kernel whatever the depth, parameter groups, errors."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.nets.mlp import MLP
from overparam.theory.initialization import criticality
from overparam.theory.signal_recursion import signal_propagation
from overparam.training.layerwise_rates import layer_factors, layerwise_learning_rates


def kernel(name, depth):
    critical = criticality(name)
    factors_W, factors_b = layer_factors(name, depth)
    path = signal_propagation(
        name, critical.C_W, critical.C_b, depth, 1.0, lambda_W=factors_W, lambda_b=factors_b
    )
    second = np.concatenate([[1.0], (path["K"].to_numpy()[1:] - critical.C_b) / critical.C_W])
    perp = path["chi_perp"].to_numpy()
    after = np.array([np.prod(perp[k:-1]) for k in range(depth)])
    return path["ntk"][-1], (factors_b + factors_W * second) * after


def test_the_kernel_of_relu_does_not_depend_on_the_depth():
    assert [kernel("relu", depth)[0] for depth in (1, 5, 40)] == pytest.approx([2.0] * 3)
    np.testing.assert_allclose(kernel("relu", 20)[1], 0.1)


@pytest.mark.parametrize(
    ("depth", "spread", "total"), [(20, 0.018, 1.51), (40, 0.021, 1.49), (80, 0.020, 1.49)]
)
def test_layers_of_a_tanh_net_contribute_alike(depth, spread, total):
    H, shares = kernel("tanh", depth)
    assert shares.sum() == pytest.approx(H, rel=1e-12)
    assert shares.std() / shares.mean() == pytest.approx(spread, abs=1e-3)
    assert pytest.approx(total, abs=6e-3) == H


def test_groups_carry_the_rates_to_an_optimiser():
    net = MLP(100, 10, (50, 50), layer_norm=True)
    groups = layerwise_learning_rates(net, "tanh", 3.0)
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["layer 1 weight"] == pytest.approx(3 / 100)
    assert rates["layer 3 weight"] == pytest.approx(3 / 50)
    assert rates["layer 3 bias"] == pytest.approx(3 / 3)
    assert rates["other"] == rates["layer 3 bias"]
    held = [parameter for group in groups for parameter in group["params"]]
    assert {id(each) for each in held} == {id(each) for each in net.parameters()}
    assert len(held) == len(list(net.parameters()))
    before = net.layers[0].weight.clone()
    optimizer = torch.optim.SGD(groups)
    net(torch.ones(2, 100)).sum().backward()
    optimizer.step()
    moved = ((before - net.layers[0].weight) / net.layers[0].weight.grad).detach()
    assert float(moved.nanmedian()) == pytest.approx(0.03, rel=1e-3)


def test_a_layer_that_is_used_twice_is_one_group_and_layers_without_bias_have_none():
    shared = nn.Linear(5, 5, bias=False)
    net = nn.ModuleList([shared, nn.Linear(5, 2)])
    net.append(shared)
    assert [group["name"] for group in layerwise_learning_rates(net, "relu", 1.0)] == [
        "layer 1 weight",
        "layer 2 weight",
        "layer 2 bias",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((nn.Linear(2, 2), "relu", 0.0), r"eta must be a number > 0; got 0\.0"),
        ((nn.Linear(2, 2), "sigmoid", 1.0), "activation must have a critical point"),
        ((nn.ReLU(), "relu", 1.0), "module must hold Linear or Conv layers"),
    ],
)
def test_errors(arguments, text):
    with pytest.raises(ValueError, match=text):
        layerwise_learning_rates(*arguments)


def test_a_depth_below_one_is_refused():
    with pytest.raises(ValueError, match="depth must be an integer >= 1; got 0"):
        layer_factors("relu", 0)
