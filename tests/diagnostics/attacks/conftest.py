"""A small trained net and rows that it gets right, for all attacks."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.nets import MLP


class Linear(nn.Linear):
    """A linear classifier with given weights, in double precision."""

    def __init__(self, weight, bias):
        super().__init__(len(weight[0]), len(weight), dtype=torch.float64)
        self.load_state_dict(
            {"weight": torch.as_tensor(weight), "bias": torch.as_tensor(bias, dtype=torch.float64)}
        )


@pytest.fixture(scope="session")
def linear():
    """Two classes in 12 dimensions, rows in [0, 1] and their predicted classes."""
    rng = np.random.default_rng(0)
    module = Linear(rng.standard_normal((2, 12)), rng.standard_normal(2))
    X = torch.from_numpy(rng.random((80, 12)))
    return module, X, module(X).argmax(1)


@pytest.fixture(scope="session")
def digits():
    """An MLP on 8x8 digits and 200 rows of its validation set as images (n, 1, 8, 8)."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, y = torch.from_numpy(X / 16).float().view(-1, 1, 8, 8), torch.from_numpy(y).long()
    net = nn.Sequential(nn.Flatten(), MLP(64, 10, widths=(32, 32), seed=0))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X[:1000]), y[:1000]).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return net, X[1000:1200], y[1000:1200]
