"""The engine against separate plain PyTorch loops, and its promises about members."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.minibatches import MinibatchStream

SEEDS = [3, 11, 4]
RATES = [0.01, 0.002, 0.03]
DECAYS = [0.0, 0.1, 0.3]
MOMENTA = [0.9, 0.0, 0.5]


def mlp(d, k, seed):
    return MLP(d, k, (12, 12), activation="tanh", layer_norm=True, residual=True, seed=seed)


def cnn(d, k, seed):
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)),
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, k),
    )


def batch_norm_net(d, k, seed):
    return nn.Sequential(nn.Linear(d, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, k))


FACTORIES = {"mlp": mlp, "cnn": cnn, "batch_norm": batch_norm_net}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 16))
    return X, rng.integers(0, 3, 70)


def plain_optimizer(name, module, i):
    if name == "sgd":
        return torch.optim.SGD(
            module.parameters(), lr=RATES[i], weight_decay=DECAYS[i], momentum=MOMENTA[i]
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(module.parameters(), lr=RATES[i], weight_decay=DECAYS[i])


def plain_loop(module, X, y, seed, optimizer, steps, smoothing=0.0):
    """One network, trained the way that everybody writes it."""
    X, y = torch.as_tensor(X).to(next(module.parameters()).dtype), torch.as_tensor(y)
    stream = MinibatchStream(seed, torch.arange(len(X)))
    module.train()
    for _ in range(steps):
        rows = stream.take(32)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(X[rows]), y[rows], label_smoothing=smoothing).backward()
        optimizer.step()
    return module


@pytest.mark.parametrize("plan", ["stacked", "loop"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("net", FACTORIES)
def test_members_equal_separate_plain_loops(data, net, optimizer, plan):
    ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan=plan, dtype=torch.float64)
    plain = [ensemble.member(i) for i in range(3)]
    smoothing = [0.0, 0.1, 0.2]
    ensemble.fit(
        *data,
        optimizer=optimizer,
        learning_rate=RATES,
        weight_decay=DECAYS,
        momentum=MOMENTA,
        label_smoothing=smoothing,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        plain_loop(module, *data, SEEDS[i], plain_optimizer(optimizer, module, i), 50, smoothing[i])
        ours = ensemble.member(i).state_dict()
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours[name], value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("net", FACTORIES)
def test_float32_sgd_stays_close_to_plain_loops(data, net):
    ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan="stacked")
    plain = [ensemble.member(i) for i in range(3)]
    ensemble.fit(
        *data,
        optimizer="sgd",
        learning_rate=RATES,
        weight_decay=DECAYS,
        momentum=MOMENTA,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        plain_loop(module, *data, SEEDS[i], plain_optimizer("sgd", module, i), 50)
        ours = ensemble.member(i).state_dict()
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours[name], value, rtol=1e-5, atol=1e-5)
