from itertools import pairwise

import numpy as np
import pytest
import torch

from overparam.data.embedded import embedded_names
from overparam.data.loading import load
from overparam.kernels.dense_kernel import fully_connected


@pytest.fixture(scope="module", name="X")
def rows():
    return np.random.default_rng(0).normal(size=(23, 6))


def finite_ntk(X, width, depth, weight_variance, bias_variance, seed):
    """NTK of one finite ReLU net: inner products of its gradients."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [X.shape[1], *[width] * depth, 1]
    weights = [
        torch.randn(a, b, generator=generator, dtype=torch.float64).requires_grad_()
        for a, b in pairwise(sizes)
    ]
    biases = [
        torch.randn(b, generator=generator, dtype=torch.float64).requires_grad_() for b in sizes[1:]
    ]

    def forward(x):
        h = x
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            h = torch.relu(h) if layer else h
            h = h @ W * (weight_variance / len(W)) ** 0.5 + b * bias_variance**0.5
        return h

    rows = []
    for x in torch.from_numpy(X):
        gradient = torch.autograd.grad(forward(x[None]).sum(), [*weights, *biases])
        rows.append(torch.cat([g.flatten() for g in gradient]))
    J = torch.stack(rows)
    return (J @ J.T).numpy()


def test_the_first_two_images_of_fashion_mnist_give_the_reference_pair():
    if "fashion-mnist" not in embedded_names():
        pytest.skip("needs apt-get install dataset-fashion-mnist")
    try:
        images = load("fashion-mnist").array[:2].reshape(2, -1) / 255.0
    except ValueError as missing:
        pytest.skip(str(missing))
    both = fully_connected("relu", 3, 2.0, 0.01)(images, kind="both")
    assert both.nngp[0, 1] == pytest.approx(0.5273526484587485, rel=1e-12)
    assert both.ntk[0, 1] == pytest.approx(1.2899091907892337, rel=1e-12)


def test_relu_at_depth_1_in_closed_form():
    x, z = np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])  # 45 degrees apart
    both = fully_connected("relu", 1, 2.0, 0.0)(x, z, kind="both")
    angle = np.pi / 4
    nngp = np.sqrt(2) / np.pi * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    assert both.nngp[0, 0] == pytest.approx(nngp, rel=1e-14)
    assert both.ntk[0, 0] == pytest.approx(nngp + 0.75, rel=1e-14)  # <x, z> = 1, 1 - angle/pi


def test_depth_0_is_the_linear_model(X):
    both = fully_connected("relu", 0, 1.5, 0.2)(X, kind="both")
    np.testing.assert_allclose(both.nngp, 1.5 * X @ X.T / 6 + 0.2, rtol=1e-13)
    np.testing.assert_array_equal(both.nngp, both.ntk)


def test_a_deep_linear_net_has_a_known_ntk(X):
    ntk = fully_connected("linear", 3, 1.0, 0.0)(X)
    np.testing.assert_allclose(ntk, 4 * X @ X.T / 6, rtol=1e-12, atol=1e-14)


def test_wide_nets_come_to_the_kernel_like_one_over_root_width(X):
    X = X[:6]
    exact = fully_connected("relu", 2, 2.0, 0.1)(X)
    rms = {}
    for width in (32, 512):
        squares = [
            np.square(finite_ntk(X, width, 2, 2.0, 0.1, seed) - exact).mean() for seed in range(60)
        ]
        rms[width] = np.sqrt(np.mean(squares))
    # 16 times the width: a quarter of the error; 60 seeds know each to about 15 %.
    assert 2.8 < rms[32] / rms[512] < 5.6
    assert rms[512] < 0.15 * np.abs(exact).mean()


@pytest.mark.parametrize("activation", ["relu", "erf", "sin", "gelu", "h_2", "h_3", "leaky_relu"])
def test_kernels_are_positive_semi_definite(X, activation):
    for kernel in fully_connected(activation, 2, 1.2, 0.05)(X, kind="both"):
        eigenvalues = np.linalg.eigvalsh(kernel)
        assert eigenvalues[0] > -1e-13 * eigenvalues[-1] * len(X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": -1}, "depth must be an integer >= 0; got -1"),
        ({"depth": 1.5}, "depth must be an integer >= 0; got 1.5"),
        ({"weight_variance": 0.0}, "weight_variance must be a number > 0; got 0.0"),
        ({"bias_variance": -0.1}, "bias_variance must be a number >= 0; got -0.1"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"activation": 3}, "activation must be a name, a callable of tensors or Moments; got 3"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fully_connected(**arguments)


def test_images_are_sent_to_the_other_kernel():
    with pytest.raises(ValueError, match=r"X and Z must be 2-D.*kernels.convolutional"):
        fully_connected()(np.zeros((2, 3, 3)))
