import pytest
import torch
from torch import nn

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.execution_plan import choose_plan, own_randomness, partition

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("module", "members", "batch_size", "device", "expected"),
    [
        (MLP(64, 10, (128, 128)), 64, 64, CPU, "stacked"),
        (MLP(64, 10, (128, 128)), 1, 64, CPU, "loop"),
        (MLP(784, 10, (1024, 1024)), 8, 128, CPU, "loop"),
        (MLP(784, 10, (1024, 1024)), 8, 128, GPU, "stacked"),
        (ConvNet((1, 28, 28), 10), 16, 64, CPU, "loop"),
        (ConvNet((1, 28, 28), 10), 16, 64, GPU, "stacked"),
        (ConvNet((1, 28, 28), 10, dropout=0.1), 16, 64, GPU, "loop"),
        (MLP(8, 2, (16,), dropout=0.1), 16, 32, CPU, "stacked"),
        (nn.Sequential(nn.Linear(8, 2), nn.Dropout(0.0)), 16, 32, CPU, "stacked"),
        (nn.Sequential(nn.Linear(8, 2), nn.Dropout(0.1)), 16, 32, CPU, "loop"),
    ],
)
def test_auto_follows_shapes_and_device(module, members, batch_size, device, expected):
    assert choose_plan("auto", module, members, batch_size, device) == expected


def test_what_is_asked_for_is_done():
    assert choose_plan("loop", MLP(2, 2), 8, 8, CPU) == "loop"
    assert choose_plan("stacked", ConvNet((1, 8, 8), 2), 8, 8, CPU) == "stacked"


def test_own_randomness_cannot_be_stacked():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.RReLU())
    assert own_randomness(module) == "Dropout, RReLU"
    with pytest.raises(ValueError, match=r"plan must be 'loop' or 'auto' .*\(Dropout, RReLU\)"):
        choose_plan("stacked", module, 4, 4, CPU)


def test_groups_share_a_batch_size():
    assert partition("loop", [8, 8, 4]) == [[0], [1], [2]]
    assert partition("stacked", [8, 4, 8, 4]) == [[0, 2], [1, 3]]
