"""muP for any network: roles by comparison with a smaller copy, initial weights, rates."""

import math

import pytest
import torch
from torch import nn

from overparam.nets.base_shapes import maximal_update_, maximal_update_factors_
from overparam.nets.mlp import MLP

M = 4.0


class Reader(nn.Module):
    """A net with an embedding, a norm and a convolution."""

    def __init__(self, width):
        super().__init__()
        self.words = nn.Embedding(10, width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, 3, padding=1)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        h = self.norm(self.words(x)).transpose(1, 2)
        return self.head(torch.relu(self.mix(h)).mean(2))


def factors(groups):
    return {name: group["factor"] for group in groups for name in group["names"]}


def test_rates_of_a_perceptron_are_those_of_the_usual_table():
    """The factors of the package `mup` 1.0 for the same networks (MuAdam, MuSGD)."""
    found = factors(maximal_update_(MLP(7, 3, (64, 64)), MLP(7, 3, (16, 16)), "adam"))
    assert found == {
        "layers.0.weight": 1.0,
        "layers.0.bias": 1.0,
        "layers.1.weight": 1 / M,
        "layers.1.bias": 1.0,
        "layers.2.weight": 1.0,
        "layers.2.bias": 1.0,
    }
    found = factors(maximal_update_(MLP(7, 3, (64, 64)), MLP(7, 3, (16, 16)), "sgd"))
    assert found == {
        "layers.0.weight": M,
        "layers.0.bias": M,
        "layers.1.weight": 1.0,
        "layers.1.bias": M,
        "layers.2.weight": M,
        "layers.2.bias": 1.0,
    }


def test_embeddings_norms_and_convolutions_have_their_roles():
    found = factors(maximal_update_(Reader(64), Reader(16), "adam"))
    assert found.pop("mix.weight") == 1 / M
    assert set(found.values()) == {1.0}
    assert len(found) == 6


def test_the_output_is_drawn_at_the_base_width_and_divided_by_the_ratio():
    module = MLP(7, 30, (64, 64), seed=0)
    raw = [p.clone() for p in module.parameters()]
    groups = maximal_update_(module, MLP(7, 30, (16, 16)), learning_rate=0.01)
    weight = next(
        p
        for g in groups
        for p, n in zip(g["params"], g["names"], strict=True)
        if n == "layers.2.weight"
    )
    torch.testing.assert_close(weight, raw[4] * math.sqrt(M))
    torch.testing.assert_close(module.layers[2].weight, weight / M)
    torch.testing.assert_close(module.layers[1].weight, raw[2])
    torch.testing.assert_close(module.layers[1].bias, raw[3] * math.sqrt(M))
    torch.testing.assert_close(module.layers[0].bias, raw[1])  # its fan-in is no width
    assert {round(g["lr"], 6) for g in groups} == {0.01, 0.0025}


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ("adam", lambda groups: torch.optim.Adam(groups, eps=1e-30)),
        ("sgd", lambda groups: torch.optim.SGD(groups, momentum=0.9)),
    ],
)
def test_without_a_multiplier_training_is_the_same(optimizer, make):
    torch.manual_seed(1)
    X, y = torch.randn(40, 7).double(), torch.arange(40) % 3
    ours, theirs = (MLP(7, 3, (64, 64), activation="tanh", seed=0).double() for _ in range(2))
    base, rate = MLP(7, 3, (16, 16)), 0.01
    groups = maximal_update_(theirs, base, optimizer, learning_rate=rate)
    found = maximal_update_factors_(ours, base, optimizer)
    assert found["layers.2.weight"] == 1 / M
    assert found.keys() == dict(base.named_parameters()).keys()
    named = [{"params": [p], "lr": rate * found[n]} for n, p in ours.named_parameters()]
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-12, atol=1e-12)
    start = ours(X).detach()
    for net, update in ((ours, make(named)), (theirs, make(groups))):
        for _ in range(30):
            update.zero_grad()
            nn.functional.cross_entropy(net(X), y).backward()
            update.step()
    assert (ours(X) - start).abs().max() > 0.1
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(ours.layers[2].weight, theirs.layers[2].weight, rtol=1e-8, atol=1e-8)


def test_at_the_base_width_nothing_changes():
    module, same = Reader(16), Reader(16)
    same.load_state_dict(module.state_dict())
    assert set(factors(maximal_update_(module, Reader(16), "sgd")).values()) == {1.0}
    for ours, theirs in zip(module.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_every_parameter_is_trained_once():
    module = Reader(64)
    groups = maximal_update_(module, Reader(16))
    trained = [id(p) for group in groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in module.parameters())
    torch.optim.AdamW(groups)


def test_other_architectures_and_optimizers_are_refused():
    with pytest.raises(ValueError, match=r"differ in \['layers.2.bias', 'layers.2.weight'\]"):
        maximal_update_(MLP(7, 3, (64, 64)), MLP(7, 3, (16,)))
    with pytest.raises(ValueError, match="optimizer must be 'adam' or 'sgd'; got 'lion'"):
        maximal_update_(MLP(7, 3, (64,)), MLP(7, 3, (16,)), "lion")
