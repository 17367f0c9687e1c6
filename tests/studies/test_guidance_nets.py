"""The stack is M ordinary networks; guides and targets have the layers that they should have."""

import pytest
import torch

from overparam.studies.guidance_nets import ConvStack, SmallResNet, StackedFCN, single_fcn
from overparam.training.guidance import uniform_mapping
from overparam.training.layer_outputs import LayerOutputs


def test_members_of_the_stack_train_as_single_networks():
    x = torch.randn(32, 20, generator=torch.Generator().manual_seed(0))
    y = torch.arange(32) % 3
    stack = StackedFCN(2, 20, 3, depth=3, width=8, seed=5)
    single = single_fcn(20, 3, 3, 8, seed=5)
    kept = LayerOutputs(single)
    for net in (stack, single):
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(4):
            logits = net(x)[0][1] if net is stack else net(x)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, y).backward()
            optimizer.step()
    hidden = [z[1] for z in stack(x)[1]]
    single(x)
    for ours, theirs in zip(hidden, kept.outputs().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        ours, expected = stack.eval()(x)[0], single.eval()(x)
    torch.testing.assert_close(ours[1], expected, rtol=1e-4, atol=1e-5)
    assert (ours[0] - ours[1]).abs().max() > 1e-3  # the other member did not move


def test_members_start_alike():
    stack = StackedFCN(3, 20, 3, depth=2, width=8, seed=1)
    for weights in stack.weights:
        assert torch.equal(weights[0], weights[2])


def test_the_guide_has_seven_layers_that_meet_forty():
    x = torch.randn(4, 784)
    guide = SmallResNet(784, 10, seed=0).eval()
    kept = LayerOutputs(guide, SmallResNet.GUIDE_LAYERS)
    assert guide(x).shape == (4, 10)
    shapes = [tuple(output.shape[1:]) for output in kept.outputs().values()]
    assert shapes == [(8, 14, 14)] * 3 + [(16, 7, 7)] * 2 + [(32, 4, 4)] * 2
    assert uniform_mapping(7, 40) == [0, 6, 13, 20, 26, 32, 39]


@pytest.mark.parametrize("skips", [False, True])
def test_convolutions_in_a_row_halve_the_image_three_times(skips):
    net = ConvStack(784, 10, 24, 16, skips, seed=0)
    kept = LayerOutputs(net)
    assert net(torch.randn(4, 784)).shape == (4, 10)
    sides = [output.shape[-1] for output in kept.outputs().values()]
    assert sides == [14] * 8 + [7] * 8 + [4] * 8


def test_skips_carry_the_input_on():
    x = torch.randn(4, 784)
    net = ConvStack(784, 10, 6, 4, True, seed=0).eval()
    with torch.no_grad():
        for convolution in list(net.convolutions)[1:]:
            convolution.weight.zero_()
            convolution.bias.fill_(-1)  # the ReLU then gives 0
        first = net.norms[0](net.convolutions[0](x.view(-1, 1, 28, 28))).relu()
        kept = LayerOutputs(net, ["convolutions.1"])
        net(x)
    assert kept.outputs()["convolutions.1"].shape == first.shape
    assert not ConvStack(784, 10, 6, 4, False, seed=0).skips
