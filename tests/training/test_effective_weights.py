"""Weights under their plain names, whatever they are parametrised by."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from overparam.nets.base_shapes import maximal_update_
from overparam.nets.companding import compand
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.effective_weights import EffectiveWeights
from overparam.training.ensemble import Ensemble
from overparam.training.stacked_state import StackedState


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_they_are_those_of_each_member(granularity):
    def build(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(5, 4), nn.Conv1d(4, 3, 2), nn.Linear(2, 2))
        compand(net, where=(nn.Linear, nn.Conv1d), granularity=granularity, a=3.0, b=1.0)
        weight_norm(net[2], "bias", dim=None)
        return net.double()

    nets = [build(seed) for seed in range(3)]
    state = StackedState.from_modules(nets, torch.device("cpu"), torch.float64)
    weights = EffectiveWeights(nets[0])
    assert weights.any
    found = weights(state.tensors(), training=True)
    assert set(found) == {f"{i}.{leaf}" for i in range(3) for leaf in ("weight", "bias")}
    for i, net in enumerate(nets):
        for place, layer in enumerate(net):
            torch.testing.assert_close(found[f"{place}.weight"][i], layer.weight)
            torch.testing.assert_close(found[f"{place}.bias"][i], layer.bias)


def test_a_plain_module_passes_as_it_is():
    net = nn.Linear(3, 2)
    state = {"weight": torch.ones(1, 2, 3), "bias": torch.zeros(1, 2)}
    weights = EffectiveWeights(net)
    assert not weights.any
    assert weights(state, True) == state


class Switched(nn.Module):
    """Another weight in training than in evaluation."""

    def forward(self, weight):
        return 2 * weight if self.training else weight


def test_training_mode_reaches_the_parametrisation():
    layer = nn.Linear(4, 3)
    parametrize.register_parametrization(layer, "weight", Switched())
    state = StackedState.from_modules([layer], torch.device("cpu"), torch.float32)
    weights = EffectiveWeights(layer)
    training, evaluating = (weights(state.tensors(), training=each) for each in (True, False))
    assert torch.equal(training["weight"], 2 * evaluating["weight"])


def test_a_language_model_with_a_factor_on_its_head_trains_stacked():
    def wide(d, k, seed):
        net = TinyGPT(k, 16, depth=1, context=d, seed=seed)
        maximal_update_(net, TinyGPT(k, 8, depth=1, context=d, seed=seed))
        return net

    tokens = torch.randint(0, 7, (20, 6)).numpy()
    found = [
        Ensemble(wide, (0, 1), 6, 7, plan=plan, dtype=torch.float64).fit(
            tokens, tokens, learning_rate=0.01, batch_size=8, steps=5
        )
        for plan in ("stacked", "loop")
    ]
    torch.testing.assert_close(*(torch.as_tensor(history.loss) for history in found))
