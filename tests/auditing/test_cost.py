"""What training costs, counted."""

import pytest
import torch

from overparam.auditing.cost import multiply_adds, stopping_cost, training_seconds
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP

JOB = {"rows": 1000, "epochs": 10, "batch_size": 50, "members": 4, "stacked": True}


def test_a_perceptron_uses_each_weight_once():
    assert multiply_adds(MLP(20, 3, (8, 5)), (20,)) == 20 * 8 + 8 * 5 + 5 * 3


def test_a_convolution_uses_its_weights_at_every_place():
    net = ConvNet((1, 8, 8), 10, channels=(4, 6))
    first, second, head = 9 * 4 * 64, 9 * 4 * 6 * 16, 6 * 4 * 10
    assert multiply_adds(net, (1, 8, 8)) == first + second + head


def test_layers_of_a_sequence_use_their_weights_at_every_place():
    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = torch.nn.GRU(3, 5, batch_first=True)
            self.head = torch.nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.recurrent(x)[0])

    assert multiply_adds(Tagger(), (7, 3)) == 7 * (3 * 5 * (3 + 5) + 5 * 2)


def test_counting_leaves_the_module_as_it_was():
    net = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.BatchNorm1d(2)).train()
    before = net[1].running_mean.clone()
    multiply_adds(net, (1, 9))
    assert net.training
    assert torch.equal(net[1].running_mean, before)
    assert not net[0]._forward_hooks


def test_twice_the_passes_cost_twice_as_much():
    once = training_seconds(1e5, 1e5, **JOB)
    assert training_seconds(1e5, 1e5, **{**JOB, "epochs": 20}) == pytest.approx(2 * once)


def test_members_share_the_overhead_of_a_stack_only():
    small = {"multiply_adds": 10, "parameters": 10}
    one, four = (training_seconds(**small, **{**JOB, "members": m}) for m in (1, 4))
    assert four < 1.1 * one
    loop = {**JOB, "stacked": False}
    one, four = (training_seconds(**small, **{**loop, "members": m}) for m in (1, 4))
    assert four == pytest.approx(4 * one)


def test_a_prediction_is_a_third_of_a_pass():
    job = {**JOB, "epochs": 0}
    predicted = training_seconds(1e5, 0, **job, predicted=3000)
    trained = training_seconds(1e5, 0, **{**JOB, "epochs": 1, "batch_size": 10**9})
    assert predicted == pytest.approx(trained, rel=1e-6)


def test_early_stopping_costs_the_passes_over_the_held_out_rows():
    assert stopping_cost(900, 900) == pytest.approx(1 + 100 / 2700)
    assert stopping_cost(2000, 10**6) == pytest.approx(1 + 1 / 3)  # 2,000 held-out rows at most
