import pytest
import torch
from torch import nn

from overparam.nets.convnet import ConvNet


def test_it_is_the_plain_network_that_everybody_writes():
    net = ConvNet((2, 9, 8), 3, channels=(4, 5), batch_norm=True, seed=0).eval()
    plain = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 3),
    ).eval()
    for layer, own in zip(
        [plain[0], plain[4], plain[1], plain[5], plain[9]],
        [*net.convolutions, *net.norms, net.head],
        strict=True,
    ):
        layer.load_state_dict(own.state_dict())
    x = torch.randn(6, 2, 9, 8)
    assert torch.equal(net(x), plain(x))
    assert torch.equal(net(x.flatten(1)), plain(x))


def test_deep_nets_on_small_images_stop_pooling_at_one():
    assert ConvNet((1, 4, 2), 3, channels=(2, 2, 2, 2), seed=0).head.in_features == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"shape": (28, 28)}, r"shape must be \(channels, height, width\).*got \(28, 28\)"),
        ({"channels": ()}, r"channels must be integers >= 1; got \(\)"),
        ({"dropout": -0.1}, r"dropout must be in \[0, 1\); got -0.1"),
    ],
)
def test_mistakes_are_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        ConvNet(**{"shape": (1, 8, 8), "n_outputs": 2, **arguments})
