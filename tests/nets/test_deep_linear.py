import pytest
import torch

from overparam.nets.deep_linear import DeepLinear


def test_the_product_is_the_map():
    net = DeepLinear((6, 7, 5, 3), seed=1)
    x = torch.randn(4, 6)
    torch.testing.assert_close(net(x), x @ net.product().T)
    assert [tuple(p.shape) for p in net.parameters()] == [(7, 6), (5, 7), (3, 5)]


def test_a_bias_is_that_of_the_last_layer_alone():
    net = DeepLinear((6, 7, 3), bias=True)
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "1.weight", "1.bias"]
    torch.testing.assert_close(net(torch.zeros(1, 6))[0], net[1].bias)


def test_the_seed_alone_decides_the_weights():
    state = torch.get_rng_state()
    one, same, other = (DeepLinear((3, 2), seed=s)[0].weight for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"widths must be at least two numbers >= 1; got \[3\]"):
        DeepLinear((3,))
