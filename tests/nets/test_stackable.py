from torch import nn

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.nets.stackable import HandDifferentiated, Stackable
from overparam.nets.tabular import TabularNet


def test_our_nets_offer_what_they_should():
    assert isinstance(MLP(3, 2), HandDifferentiated)
    assert isinstance(TabularNet(3, 2), Stackable)
    assert not isinstance(TabularNet(3, 2), HandDifferentiated)
    assert not isinstance(ConvNet((1, 8, 8), 2), Stackable)
    assert not isinstance(nn.Linear(3, 2), Stackable)
