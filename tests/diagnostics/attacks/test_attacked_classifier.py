"""Logits, and the layout in which convolutions are fed."""

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks.attacked_classifier import attacking, laid_out, logits_of


class Flat(nn.Module):
    """Flattens by `view`, as much code does."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 3)
        self.head = nn.Linear(48, 2)
        self.last_strides = None

    def forward(self, x):
        self.last_strides = x.stride()
        h = self.convolution(x)
        return self.head(h.view(len(h), -1))


def test_one_logit_becomes_two_classes():
    z = torch.tensor([[2.0], [-1.0]])
    for shape in (z, z[:, 0]):
        assert logits_of(lambda x, z=shape: z, torch.zeros(2, 3)).tolist() == [[0, 2], [0, -1]]


def test_what_is_no_logits_is_named():
    with pytest.raises(ValueError, match=r"module must give logits of shape \(n, classes\); got"):
        logits_of(nn.Conv2d(1, 1, 1), torch.zeros(2, 1, 3, 3))


def test_images_go_in_channels_last_where_the_module_takes_them():
    net, x = Flat(), torch.rand(5, 1, 6, 6)
    assert laid_out(net, x) is net
    free = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 2))
    fast = laid_out(free, x)
    assert fast is not free
    with torch.no_grad():
        torch.testing.assert_close(fast(x), free(x))
    assert laid_out(nn.Linear(6, 2), torch.rand(5, 6)) is not None


def test_a_module_that_fails_fails_with_its_own_error():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        laid_out(
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(7, 2)), torch.rand(2, 1, 6, 6)
        )(torch.rand(2, 1, 6, 6))


def test_modes_come_back_after_an_error_too():
    net = Flat()

    def fail():
        with torch.no_grad(), attacking(net):
            assert torch.is_grad_enabled()
            assert not net.training
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert net.training
