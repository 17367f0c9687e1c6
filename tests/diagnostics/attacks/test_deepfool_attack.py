"""DeepFool as an attack within a radius."""

import pytest
import torch

from overparam.diagnostics.attacks import DeepFool, boundary_points


def test_a_row_is_fooled_if_its_boundary_is_within_the_radius(linear):
    module, X, y = linear
    w = (module.weight[1] - module.weight[0]).detach()
    distance = (X @ w + module.bias[1] - module.bias[0]).abs().detach() / w.norm()
    ordered = distance.sort().values
    half = len(ordered) // 2
    radius = float(ordered[half - 1 : half + 1].mean())  # between two rows: none lies on the edge
    found = DeepFool(radius=radius).attack(module, X, y, bounds=None)
    assert torch.equal(found.fooled, distance < radius)
    torch.testing.assert_close(
        found.distance[found.fooled], distance[found.fooled], rtol=2e-6, atol=0
    )
    # Others are as near to the boundary as the ball allows.
    far = ~found.fooled
    torch.testing.assert_close(
        found.margin[far], (distance[far] - radius) * w.norm(), rtol=1e-6, atol=1e-6
    )


def test_without_a_radius_its_points_are_the_boundary_points(digits):
    net, X, y = digits
    found, points = DeepFool().attack(net, X, y), boundary_points(net, X, bounds=(0, 1))
    right = points.label == y
    torch.testing.assert_close(found.points[right], points.points[right])
    torch.testing.assert_close(found.distance[right], points.distance[right])
    assert found.fooled.all()


def test_the_median_distance_agrees_with_torchattacks(digits):
    torchattacks = pytest.importorskip("torchattacks")
    net, X, y = digits
    X, y = X[:60], y[:60]
    theirs = torchattacks.DeepFool(net, steps=50, overshoot=1e-3)(X, y)
    other = (theirs - X).flatten(1).norm(dim=1)
    ours = DeepFool(bisections=0, overshoot=1e-3).attack(net, X, y)
    torch.testing.assert_close(ours.distance.median(), other.median(), rtol=0.01, atol=0)
    bisected = DeepFool().attack(net, X, y).distance
    assert (bisected <= other + 1e-3).double().mean() > 0.95


def test_settings_that_are_not_accepted_are_named():
    with pytest.raises(ValueError, match=r"candidates must be an integer >= 1; got 0\."):
        DeepFool(candidates=0)
