"""Critical initialisation of modules: variances, convolutions, what is left alone, errors."""

import pytest
import torch
from torch import nn

import overparam.nets
from overparam.nets.init import critical_, fan_in
from overparam.nets.mlp import MLP
from overparam.theory.initialization import criticality


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "swish"])
def test_weights_and_biases_have_the_critical_variances(name):
    critical = criticality(name)
    net = critical_(MLP(300, 200, (400,), activation="relu"), name, generator())
    for layer in net.layers:
        n = layer.weight.numel()
        C_W = float(layer.weight.detach().square().mean()) * layer.in_features
        assert pytest.approx(critical.C_W, rel=4 * (2 / n) ** 0.5) == C_W
        C_b = float(layer.bias.detach().square().mean())
        assert C_b == pytest.approx(critical.C_b, rel=4 * (2 / layer.out_features) ** 0.5)


def test_the_fan_in_of_a_convolution_counts_groups_and_kernel():
    conv = nn.Conv2d(64, 128, (3, 5), groups=4, bias=False)
    assert fan_in(conv) == 16 * 15
    critical_(nn.Sequential(conv), "relu", generator())
    n = conv.weight.numel()
    assert float(conv.weight.detach().square().mean()) * 240 == pytest.approx(
        2, rel=4 * (2 / n) ** 0.5
    )


@pytest.mark.parametrize("layer", [nn.Conv1d(30, 60, 3), nn.Conv3d(10, 40, 3)])
def test_other_convolutions_are_drawn_too(layer):
    before = layer.weight.clone()
    critical_(nn.ModuleList([layer]), "relu", generator())
    assert (layer.weight != before).all()
    assert (layer.bias == 0).all()


def test_it_works_in_place_leaves_other_layers_and_follows_the_generator():
    net = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))
    nn.init.constant_(net[1].weight, 3.0)
    assert critical_(net, "relu", generator(3)) is net
    first = net[0].weight.clone()
    assert (net[1].weight == 3).all()
    assert net[0].weight.requires_grad
    assert torch.equal(critical_(net, "relu", generator(3))[0].weight, first)
    assert not torch.equal(critical_(net, "relu", generator(4))[0].weight, first)


def test_a_deep_net_keeps_its_signal():
    net = critical_(MLP(100, 100, (300,) * 40), "relu", generator())
    x = torch.randn(50, 100, generator=generator(1))
    with torch.no_grad():
        assert 0.2 < float(net(x).square().mean()) / 2 < 5


def test_it_is_found_where_torch_users_look():
    assert overparam.nets.init.critical_ is overparam.nets.critical_


@pytest.mark.parametrize("name", ["softplus", "sigmoid"])
def test_without_critical_point_alternatives_are_named(name):
    text = (
        f"activation must have a critical point; got '{name}': .*Use one of linear, relu, "
        "leaky_relu, tanh, sin, erf, gelu, swish, elu"
    )
    with pytest.raises(ValueError, match=text):
        critical_(nn.Linear(2, 2), name)


def test_a_module_without_weights_is_refused():
    with pytest.raises(ValueError, match="module must hold Linear or Conv layers; got ReLU"):
        critical_(nn.ReLU(), "relu")
