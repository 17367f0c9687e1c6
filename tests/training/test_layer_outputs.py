"""Which layers count, in which order, and when their outputs may be read."""

import pytest
import torch
from torch import nn

from overparam.training.layer_outputs import LayerOutputs


class Crossed(nn.Module):
    """Layers that run in another order than they are written, one of them twice."""

    def __init__(self):
        super().__init__()
        self.late = nn.Linear(6, 6)
        self.early = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6)
        self.unused = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        h = self.late(self.norm(self.early(x)))
        self.again = self.late(h)
        return self.head(self.again)


def test_layers_come_as_they_ran_without_the_logits():
    torch.manual_seed(0)
    net, x = Crossed(), torch.randn(5, 4)
    kept = LayerOutputs(net)
    net(x)
    found = kept.outputs()
    assert list(found) == ["early", "late"]
    assert kept.rows == 5
    assert torch.equal(found["early"], net.early(x))
    assert torch.equal(found["late"], net.again)
    kept.close()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_named_modules_come_as_they_are_named():
    net, x = Crossed(), torch.randn(5, 4)
    kept = LayerOutputs(net, ["head", "norm", "early"])
    logits = net(x)
    assert list(kept.outputs()) == ["head", "norm", "early"]
    assert torch.equal(kept.outputs()["head"], logits)


def test_only_the_last_pass_counts():
    net = Crossed()
    kept = LayerOutputs(net, argument="guide_layers")
    net(torch.randn(5, 4))
    net(torch.randn(7, 4))
    assert len(kept.outputs()["early"]) == 7
    kept.forget()
    with pytest.raises(ValueError, match="guide_layers must run in a forward pass before"):
        kept.outputs()


def test_a_layer_that_does_not_run_is_named():
    net = Crossed()
    kept = LayerOutputs(net, ["early", "unused"])
    net(torch.randn(5, 4))
    with pytest.raises(ValueError, match=r"must run in a forward pass.*of \['unused'\]"):
        kept.outputs()


def test_a_network_without_layers_is_named():
    with pytest.raises(ValueError, match="layers must name at least one layer of the net"):
        LayerOutputs(nn.Sequential(nn.ReLU()))
