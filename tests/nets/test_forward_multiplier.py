import torch

from overparam.nets.forward_multiplier import multiply_weight_


def test_the_layer_uses_the_product_and_the_optimizer_sees_the_weight():
    layer = torch.nn.Linear(3, 2)
    weight = layer.weight
    x = torch.randn(4, 3)
    expected = 0.25 * x @ weight.T + layer.bias
    multiply_weight_(layer, 0.25)
    torch.testing.assert_close(layer(x), expected)
    assert any(p is weight for p in layer.parameters())
    layer(x).sum().backward()
    torch.testing.assert_close(weight.grad, 0.25 * x.sum(0).expand(2, 3))


def test_a_factor_of_one_leaves_the_layer_alone():
    layer = torch.nn.Linear(3, 2)
    multiply_weight_(layer, 1.0)
    assert list(layer.state_dict()) == ["weight", "bias"]
