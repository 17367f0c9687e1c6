"""The study's nets: stacked as alone, settled on the training rows, companded by their arm."""

import numpy as np
import pytest
import torch

from overparam.nets.companding import companders
from overparam.studies.weight_compander_nets import ARMS, NormedPerceptron, factory, shape_factors
from overparam.training.ensemble import Ensemble
from overparam.training.gradient_programs import build_program

X = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("arm", ["plain", "a=b=0.5"])
def test_members_train_as_alone(arm, normalised):
    ensemble = Ensemble(factory(arm, (5, 4), 0.0, normalised), (0, 1), 6, 3)
    program = build_program(
        ensemble._example, ensemble.state, torch.zeros_like(ensemble.state.vector)
    )
    found = program.gradients(X.expand(2, -1, -1), None, torch.zeros_like)
    for i, logits in enumerate(found):
        torch.testing.assert_close(logits, ensemble.member(i).train()(X).detach())


def test_masks_drop_hidden_units():
    net = NormedPerceptron(6, 3, (5, 4), dropout=0.5)
    state = {name: value.unsqueeze(0) for name, value in net.state_dict().items()}
    masks = torch.ones(1, 20, 9)
    masks[..., 5:] = 0.0
    logits = net.stacked_forward(state, X[None], masks)[0]
    torch.testing.assert_close(logits, net.layers[2].bias.expand(20, 3))


def test_statistics_are_those_of_the_training_rows():
    net = factory("a=b=1", (5, 4))(6, 3, 0).settle_(X)
    assert not net.training
    torch.testing.assert_close(net(X), net.train()(X))
    net.eval()
    torch.testing.assert_close(net(X[:3]), net(X)[:3])


@pytest.mark.parametrize("arm", ARMS)
def test_arms_start_from_the_same_trained_numbers(arm):
    plain, net = (factory(each, (50, 40))(100, 3, 7) for each in ("plain", arm))
    found = list(companders(net))
    assert len(found) == (0 if arm == "plain" else 3)
    for a, b in zip(plain.layers, net.layers, strict=True):
        v = b.parametrizations.weight.original if found else b.weight
        assert torch.equal(v, a.weight)
        assert not b.bias.any()
    if found:
        unit = float(np.sqrt(2 / 100))
        assert float(found[0][1].a.detach()) == pytest.approx(ARMS[arm]["a"] * unit, rel=0.05)


def test_the_last_layers_shape_learns_a_tenth_as_fast():
    assert shape_factors(factory("a=b=1", (4, 4))(6, 3, 0)) == ({}, {})
    rates, decays = shape_factors(factory("all learnt from 1", (4, 4))(6, 3, 0))
    assert set(decays.values()) == {0.0}
    assert {name: rate for name, rate in rates.items() if "log_a" in name} == {
        f"layers.{layer}.parametrizations.weight.0.log_a": 0.1 if layer == 2 else 1.0
        for layer in range(3)
    }
    assert len(shape_factors(factory("learnt from 1", (4, 4))(6, 3, 0))[0]) == 4
