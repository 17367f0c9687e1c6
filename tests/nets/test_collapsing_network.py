"""The head is linear and stands on what the body gives; only the wanted biases are there."""

import pytest
import torch
from torch import nn

from overparam.nets.collapsing_network import CollapsingNetwork


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_head_is_the_product_of_its_layers(batch_norm):
    net = CollapsingNetwork((8, 16, 6), 3, 2, batch_norm, bias=False).eval()
    x = torch.randn(5, 8)
    product = net.head[1].weight @ net.head[0].weight
    torch.testing.assert_close(net(x), net.body(x) @ product.T)
    block = [nn.Linear, nn.BatchNorm1d, nn.ReLU] if batch_norm else [nn.Linear, nn.ReLU]
    assert [type(layer) for layer in net.body] == block * 2
    assert net.body(x).shape == (5, 6)


def test_only_the_outputs_may_have_a_bias():
    assert CollapsingNetwork((8, 6), 3, 2, bias=True).head[-1].bias is not None
    assert all(layer.bias is None for layer in CollapsingNetwork((8, 6), 3, 2).head)


def test_convolutions_stand_in_front_of_the_layers():
    net = CollapsingNetwork((64, 6), 3, channels=(4, 8), shape=(1, 8, 8))
    plain = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    last = [nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert [type(layer) for layer in net.body] == [nn.Unflatten, *plain, *plain, *last]
    assert net.body(torch.randn(5, 64)).shape == (5, 6)


def test_an_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"shape must be .* with product 64"):
        CollapsingNetwork((64, 6), 3, channels=(4,), shape=(1, 7, 8))
