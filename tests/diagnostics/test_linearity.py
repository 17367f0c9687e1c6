"""Known functions, and that the exact form and the mean gradient tell the same of a network."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.data.synthetic import xor_clusters
from overparam.diagnostics.linearity import linear_part
from overparam.training.two_layer_relu import TwoLayerReLU


def rows(n=2000, d=20, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def as_module(net):
    """The same function for the form that knows nothing of its layers."""
    W, a = (torch.as_tensor(values).double() for values in (net.weights_, net.a_))
    return lambda x: torch.relu(x @ W.T) @ a


def absolute_value(v):
    """|<v, x>| as a two-layer network."""
    net = TwoLayerReLU(n_steps=0)
    net.weights_, net.a_ = np.stack([v, -v]), np.ones(2)
    return net


def test_a_linear_function_is_all_linear():
    X = rows()
    assert linear_part(nn.Linear(20, 1).double(), X) == pytest.approx(1, abs=1e-10)
    assert linear_part(lambda x: x @ torch.ones(20).double() + 5, X) == pytest.approx(1, abs=1e-10)
    net = absolute_value(rows(1)[0])
    net.a_ = np.array([1.0, -1.0])  # relu(z) - relu(-z) = z
    assert linear_part(net, X) == pytest.approx(1, abs=1e-10)


def test_an_even_function_is_not_linear_at_all():
    net = absolute_value(rows(1)[0])
    assert linear_part(net, rows(seed=1)) == pytest.approx(0, abs=1e-10)
    assert linear_part(as_module(net), rows(seed=1)) < 0.02


def test_both_forms_tell_of_the_first_step_and_of_the_end():
    X, y, _ = xor_clusters(400, 10_000, 20.0, 0.1, 0)
    X_test, _, y_test = xor_clusters(500, 10_000, 20.0, 0.1, 1)
    first = TwoLayerReLU(n_steps=1).fit(X, y)
    assert linear_part(first, X_test) > 0.9
    assert linear_part(as_module(first), X_test) > 0.97
    last = TwoLayerReLU(n_steps=30).fit(X, y, X_test, y_test)
    assert linear_part(last, X_test) < 0.15
    assert linear_part(as_module(last), X_test) < 0.15
    assert linear_part(last, X_test) == pytest.approx(last.history_["linear_part"][-1], rel=1e-3)


def test_variances_of_several_outputs_are_summed():
    X = rows()
    both = lambda x: torch.stack([x[:, 0], (3 * x[:, 1]).abs()], dim=1)  # noqa: E731
    even = 9 * (1 - 2 / np.pi)  # the variance of 3 |z|
    assert linear_part(both, X) == pytest.approx(1 / (1 + even), abs=0.05)


def test_a_module_stays_as_it_was():
    net = nn.Sequential(nn.Linear(20, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))
    X = rows(n=1500)
    found = linear_part(net, X)
    assert found == linear_part(net, X)  # evaluation mode: no dropout
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    images = nn.Sequential(nn.Flatten(), nn.Linear(20, 2))
    assert linear_part(images, X.reshape(-1, 4, 5)) == pytest.approx(1, abs=1e-5)


def test_constant_output_has_no_share():
    assert np.isnan(linear_part(lambda x: 0 * x[:, 0], rows(50)))


def test_a_single_row_is_too_few():
    with pytest.raises(ValueError, match="X must have at least 2 rows; got 1"):
        linear_part(nn.Linear(20, 1), rows(1))
