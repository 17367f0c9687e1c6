"""The local form is the linear one on linear modules, and finds a circle where there is one."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.diagnostics.local_boundary import local_tilt
from overparam.nets import MLP

RNG = np.random.default_rng(0)
Y = np.arange(80) % 2
X = RNG.standard_normal((80, 5)) + Y[:, None]


def line(weight, bias):
    module = nn.Linear(weight.shape[1], len(weight), dtype=torch.float64)
    module.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return module


def test_on_a_linear_module_it_is_the_linear_form():
    weight, bias = RNG.standard_normal((2, 5)), RNG.standard_normal(2)
    weight[1] += 1
    found = local_tilt(line(weight, bias), X, Y, 2)
    w = weight[1] - weight[0]
    tilt = boundary_tilt((w, bias[1] - bias[0]), X, Y)
    score = X @ w + bias[1] - bias[0]
    np.testing.assert_allclose(found.distance, np.abs(score) / np.linalg.norm(w), rtol=1e-4)
    np.testing.assert_allclose(found.local_angle, tilt.deviation_angle, atol=1e-4)
    assert found.median_distance == pytest.approx(tilt.median_distance, rel=1e-4)
    assert found.median_relative_distance == pytest.approx(tilt.relative_distance, rel=1e-4)
    assert found.median_angle == pytest.approx(tilt.deviation_angle, abs=1e-4)
    np.testing.assert_array_equal(found.label, score > 0)
    np.testing.assert_array_equal(found.crossed_to, score <= 0)
    assert found.not_crossed == 0


def test_one_logit_serves_two_classes():
    w = RNG.standard_normal((1, 5))
    one = local_tilt(line(w, [0.2]), X, Y, 2)
    two = local_tilt(line(np.concatenate([0 * w, w]), [0.0, 0.2]), X, Y, 2)
    np.testing.assert_allclose(one.distance, two.distance, rtol=1e-5)
    np.testing.assert_allclose(one.local_angle, two.local_angle, atol=1e-6)


class Circle(nn.Module):
    """Class 1 outside the unit circle."""

    def forward(self, x):
        gap = x.square().sum(1) - 1
        return torch.stack([torch.zeros_like(gap), gap], 1)


def test_on_a_circle_distance_and_angle_are_those_of_the_radius():
    turn = RNG.uniform(0, 2 * np.pi, 40)
    radius = np.where(np.arange(40) % 2, 1.5, 0.5)
    rows = radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    means = np.array([[0.0, 0.0], [4.0, 0.0]])
    found = local_tilt(Circle(), rows, radius > 1, 2, means=means)
    np.testing.assert_allclose(found.distance, 0.5, rtol=1e-5)
    np.testing.assert_allclose(found.relative_distance, 0.25, rtol=1e-5)
    # From outside both the normal and the way to the other mean are reversed.
    away = np.degrees(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))
    np.testing.assert_allclose(found.local_angle, away, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1, rtol=1e-5)


def test_means_of_the_class_crossed_to_are_taken_not_those_of_the_label():
    X3, y3 = RNG.standard_normal((60, 4)), np.arange(60) % 3
    means = RNG.standard_normal((3, 4))
    net = MLP(4, 3, widths=(16,), seed=0).double()
    found = local_tilt(net, X3, y3, 3, means=means)
    for row in range(60):
        gap = means[found.crossed_to[row]] - means[found.label[row]]
        expected = 2 * found.distance[row] / np.linalg.norm(gap)
        assert found.relative_distance[row] == pytest.approx(expected, rel=1e-9)
    assert (found.label != y3).any()


def test_rows_that_never_cross_are_nan_and_counted():
    constant = line(np.zeros((2, 5)), np.array([0.0, 1.0]))
    found = local_tilt(constant, X, Y, 2)
    assert found.not_crossed == 80
    assert np.isnan(found.distance).all()
    assert np.isnan(found.local_angle).all()
    assert np.isnan(found.median_relative_distance)
    assert (found.crossed_to == -1).all()


def test_images_and_training_mode_are_left_as_they_were():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 2)).train()
    images = RNG.standard_normal((30, 1, 4, 4)).astype(np.float32)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = local_tilt(net, images, np.arange(30) % 2, 2)
    assert net.training
    assert found.points.shape == images.shape
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"y": Y + 1}, r"y must be \(80,\) labels 0 to 1"),
        ({"y": Y[:5]}, r"y must be \(80,\) labels 0 to 1; got shape \(5,\)"),
        ({"n_classes": 3}, r"y must hold each of 3 classes; got \[0, 1\]. Give means"),
        ({"n_classes": 3, "means": np.zeros((3, 5))}, "n_classes must be the module's 2; got 3"),
        ({"means": np.zeros((2, 4))}, r"means must be \(2, ...\) like a row of X; got shape"),
        ({"means": np.full((2, 5), np.nan)}, "means must be finite"),
        ({"X": X * np.nan}, "X must be finite"),
    ],
)
def test_what_is_refused(change, text):
    given = {"X": X, "y": Y, "n_classes": 2} | change
    with pytest.raises(ValueError, match=text):
        local_tilt(line(RNG.standard_normal((2, 5)), np.zeros(2)), **given)
