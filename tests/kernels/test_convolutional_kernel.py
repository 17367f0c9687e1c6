import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from overparam.kernels.convolutional_kernel import convolutional
from overparam.kernels.dense_kernel import fully_connected


@pytest.fixture(scope="module", name="images")
def random_images():
    return np.random.default_rng(0).normal(size=(4, 2, 6, 5))


def finite_ntk(images, width, padding, seed):
    """Inner products of gradients of two convolutions and a flattening read-out."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    shrink = 0 if padding == "same" else 4
    pixels = (6 - shrink) * (5 - shrink)
    parameters = [normal(width, 2, 3, 3), normal(width), normal(width, width, 3, 3), normal(width)]
    parameters += [normal(width * pixels, 1), normal(1)]

    def forward(x):
        W1, b1, W2, b2, V, c = parameters
        h = conv2d(x, W1 * (2 / (2 * 9)) ** 0.5, 0.1**0.5 * b1, padding=padding).relu()
        h = conv2d(h, W2 * (2 / (width * 9)) ** 0.5, 0.1**0.5 * b2, padding=padding).relu()
        return h.flatten(1) @ V * (2 / len(V)) ** 0.5 + 0.1**0.5 * c

    rows = []
    for x in torch.from_numpy(images):
        gradient = torch.autograd.grad(forward(x[None]).sum(), parameters)
        rows.append(torch.cat([g.flatten() for g in gradient]))
    J = torch.stack(rows)
    return (J @ J.T).numpy()


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_wide_nets_come_to_the_kernel_like_one_over_root_width(images, padding):
    exact = convolutional("relu", 2, 2.0, 0.1, padding=padding)(images)
    finite = {
        width: np.stack([finite_ntk(images, width, padding, seed) for seed in range(40)])
        for width in (16, 144)
    }
    rms = {width: np.sqrt(np.square(ntk - exact).mean()) for width, ntk in finite.items()}
    # 9 times the channels: a third of the error; 40 seeds know each to about 15 %.
    assert 2.0 < rms[16] / rms[144] < 4.4
    mean, error = finite[144].mean(0), finite[144].std(0) / np.sqrt(40)
    assert (np.abs(mean - exact) < 4.5 * error).all()


@pytest.mark.parametrize("activation", ["relu", "erf", torch.tanh])
def test_one_pixel_is_a_dense_net(activation):
    X = np.random.default_rng(1).normal(size=(6, 3))
    dense = fully_connected(activation, 2, 1.5, 0.1)(X, kind="both")
    pixel = convolutional(activation, 2, 1.5, 0.1, kernel_size=1)(X[:, :, None, None], kind="both")
    for one, other in zip(pixel, dense, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_quadrature_equals_the_name_on_images(images):
    by_name = convolutional("erf", 2, 1.5, 0.1)(images)
    by_table = convolutional(torch.erf, 2, 1.5, 0.1)(images)
    np.testing.assert_allclose(by_table, by_name, rtol=1e-7)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_blocks_and_the_diagonal_change_nothing(images, size):
    kernel = convolutional("gelu", 2, 1.5, 0.1, kernel_size=size)
    whole = kernel(images, images.copy(), "both")
    for one, other in zip(kernel(images, kind="both", block=3), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    np.testing.assert_allclose(kernel.diagonal(images), np.diag(whole.ntk), rtol=1e-10)


def test_grey_images_need_no_axis_of_channels(images):
    kernel = convolutional(depth=1)
    np.testing.assert_array_equal(kernel(images[:, 0]), kernel(images[:, :1]))


def test_the_kernel_is_positive_semi_definite(images):
    eigenvalues = np.linalg.eigvalsh(convolutional("relu", 3)(images))
    assert eigenvalues[0] > -1e-13 * eigenvalues[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth must be an integer >= 1; got 0"),
        ({"kernel_size": 0}, "kernel_size must be an integer >= 1; got 0"),
        ({"padding": "circular"}, "padding must be 'same' or 'valid'; got 'circular'"),
        ({"weight_variance": -1.0}, "weight_variance must be a number > 0; got -1.0"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        convolutional(**arguments)


def test_images_of_a_wrong_shape_are_named(images):
    with pytest.raises(ValueError, match=r"X and Z must be .*; got shape \(4, 60\)"):
        convolutional()(images.reshape(4, -1))
    with pytest.raises(ValueError, match=r"images must have more than 6 pixels.*got 6 x 5"):
        convolutional(depth=3, padding="valid")(images)
