"""Shapes of known distributions, and accuracy after weights are taken away."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from overparam.diagnostics.weight_distribution import accuracy_after_zeroing, weight_shape
from overparam.nets.companding import compand
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP


def layer_of(values, outputs):
    layer = nn.Linear(len(values) // outputs, outputs)
    layer.weight.data = torch.as_tensor(values, dtype=torch.float64).view(outputs, -1)
    return layer


NORMAL = 0.03 * stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)


def test_normal_weights_have_the_normal_laws_figures():
    (found,) = weight_shape(layer_of(NORMAL, 10))
    assert found.count == 100_000
    assert found.near_zero == pytest.approx(2 * stats.norm.cdf(0.1) - 1, abs=2e-4)
    assert found.kurtosis == pytest.approx(3, abs=0.01)
    assert found.effective == pytest.approx(2 / np.pi, abs=1e-3)
    assert found.largest == pytest.approx(NORMAL.max() / NORMAL.std())


def test_companding_alone_gives_the_initial_figures_of_the_specification():
    layer = compand(layer_of(NORMAL, 10), init="raw", a=1.0, b=1.0)
    (found,) = weight_shape(layer)
    assert found.near_zero == pytest.approx(0.0535, abs=2e-4)
    assert found.kurtosis == pytest.approx(1.776, abs=1e-3)
    assert 2.0 < found.largest < np.pi / 2 / np.sqrt(0.44970092)


def test_two_values_are_all_effective_and_one_weight_alone_is_not():
    (two,) = weight_shape(layer_of([0.2, -0.2] * 10, 2))
    assert (two.near_zero, two.kurtosis, two.effective) == pytest.approx((0, 1, 1))
    (one,) = weight_shape(layer_of([1.0] + [0.0] * 19, 2))
    assert one.effective == pytest.approx(1 / 20)
    assert one.near_zero == pytest.approx(0.95)


def test_layers_are_named_in_their_order():
    found = weight_shape(ConvNet((1, 4, 4), 3, channels=(2, 2)))
    assert [each.layer for each in found] == ["convolutions.0", "convolutions.1", "head"]
    with pytest.raises(ValueError, match=r"hold layers of Linear, .*; got ReLU without"):
        weight_shape(nn.ReLU())


def signs(copies):
    """A linear classifier by the sign of the first input, read off `copies` equal inputs."""
    net = nn.Linear(copies, 2, bias=False)
    net.weight.data = torch.stack([-torch.ones(copies), torch.ones(copies)])
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    X = np.repeat((2.0 * y - 1)[:, None], copies, axis=1).astype(np.float32)
    return net, X, y


def test_redundant_weights_can_go():
    net, X, y = signs(200)
    before = net.weight.clone()
    np.testing.assert_array_equal(accuracy_after_zeroing(net, X, y), 1.0)
    assert torch.equal(net.weight, before)
    everything = accuracy_after_zeroing(net, X, y, [1.0])[0]
    assert everything == (y == 0).mean()  # all logits equal: the first class


def test_the_largest_weights_carry_more_than_the_smallest():
    net, X, y = signs(10)
    net.weight.data[:, 1:] = -0.01 * net.weight.data[:, 1:]
    small, large = (
        accuracy_after_zeroing(net, X, y, [0.0, 0.5], which=which)
        for which in ("smallest", "largest")
    )
    assert small.tolist() == [1.0, 1.0]
    assert large[0] == 1.0
    assert large[1] < 0.1


def test_companded_nets_are_zeroed_in_the_weights_that_they_use():
    plain = MLP(5, 3, (16,), seed=0)
    X = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    y = plain(torch.as_tensor(X)).argmax(1).numpy()
    found = accuracy_after_zeroing(plain, X, y, [0.0, 0.2, 0.9], seed=4)
    assert found[0] == 1.0
    assert max(found[1:]) < 1.0
    companded = compand(MLP(5, 3, (16,), seed=0))
    again = accuracy_after_zeroing(companded, X, y, [0.0, 0.2, 0.9], seed=4)
    np.testing.assert_allclose(again, found, atol=0.01)
    assert not np.array_equal(accuracy_after_zeroing(plain, X, y, [0.2], seed=5), found[1:2])


def test_arguments_are_checked():
    net, X, y = signs(4)
    with pytest.raises(ValueError, match=r"which must be one of \['random', .*; got 'all'"):
        accuracy_after_zeroing(net, X, y, which="all")
    with pytest.raises(ValueError, match=r"shares must lie in \[0, 1\]; got \[1.5\]"):
        accuracy_after_zeroing(net, X, y, [1.5])
