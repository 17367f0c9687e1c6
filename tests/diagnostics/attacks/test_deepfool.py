"""DeepFool finds what a linear boundary's closed form says, and never a point of the same class."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import boundary_points
from overparam.nets import MLP


def line(weight, bias):
    weight, bias = torch.tensor(weight), torch.tensor(bias)
    module = nn.Linear(weight.shape[1], len(weight), dtype=weight.dtype)
    module.load_state_dict({"weight": weight, "bias": bias})
    return module


@pytest.fixture
def net():
    return MLP(6, 4, widths=(32, 32), seed=0).double()


@pytest.fixture
def rows():
    return torch.from_numpy(np.random.default_rng(0).standard_normal((60, 6)))


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_the_distance_to_a_linear_boundary_is_the_score_over_the_dual_norm(norm, dual):
    rng = np.random.default_rng(1)
    weight, bias, X = rng.standard_normal((2, 9)), rng.standard_normal(2), rng.random((50, 9))
    found = boundary_points(line(weight, bias), X, norm=norm)
    score = (X @ weight.T + bias) @ [-1, 1]
    expected = np.abs(score) / np.linalg.norm(weight[1] - weight[0], dual)
    # Relative: 1e-5 of overshoot is bisected away, to a millionth.
    np.testing.assert_allclose(found.distance, expected, rtol=2e-6, atol=1e-9)
    np.testing.assert_array_equal(found.label, score > 0)
    np.testing.assert_array_equal(found.crossed_to, score <= 0)


def test_among_many_linear_classes_the_nearest_boundary_is_found():
    rng = np.random.default_rng(2)
    weight, bias, X = rng.standard_normal((7, 5)), rng.standard_normal(7), rng.random((40, 5))
    found = boundary_points(line(weight, bias), X)
    scores = X @ weight.T + bias
    k = scores.argmax(1)
    gaps = scores[np.arange(40), k][:, None] - scores
    lengths = np.linalg.norm(weight[None] - weight[k][:, None], axis=2)
    ratios = np.divide(gaps, lengths, out=np.full_like(gaps, np.inf), where=lengths > 0)
    np.testing.assert_allclose(found.distance, ratios.min(1), rtol=2e-6)
    np.testing.assert_array_equal(found.crossed_to, ratios.argmin(1))


def test_points_lie_just_behind_the_boundary(net, rows):
    found = boundary_points(net, rows)
    assert found.crossed.all()
    with torch.no_grad():
        np.testing.assert_array_equal(net(found.points).argmax(1), found.crossed_to)
        np.testing.assert_array_equal(net(rows).argmax(1), found.label)
        inside = rows + (1 - 3e-6) * (found.points - rows)
        # The segment is bisected to a share of 2^-20, about 1e-6.
        assert (net(inside).argmax(1) == found.label).all()
    assert (found.crossed_to != found.label).all()
    np.testing.assert_allclose(found.distance, (found.points - rows).norm(dim=1))


def test_bisection_only_shortens(net, rows):
    with_it, without = (boundary_points(net, rows, bisections=b).distance for b in (20, 0))
    assert (with_it <= without * (1 + 1e-12)).all()
    assert (with_it < without).any()


def test_blocks_change_nothing(net, rows):
    one, many = (boundary_points(net, rows, batch_size=b) for b in (60, 7))
    torch.testing.assert_close(one.points, many.points)
    assert torch.equal(one.crossed_to, many.crossed_to)


def test_all_candidates_are_as_good_as_all_classes(net, rows):
    everything, three, one = (boundary_points(net, rows, candidates=c) for c in (None, 3, 1))
    torch.testing.assert_close(everything.points, three.points)
    # The runner-up alone is often, not always, the nearest.
    assert one.distance.median() >= everything.distance.median() * (1 - 1e-9)
    assert (one.distance > everything.distance + 1e-6).any()


def test_one_logit_is_two_classes():
    module = line([[3.0, 4.0]], [-1.0])
    for shape in (module, nn.Sequential(module, nn.Flatten(0))):
        found = boundary_points(shape, [[1.0, 0.5], [0.0, 0.0]])
        assert found.label.tolist() == [1, 0]
        assert found.crossed_to.tolist() == [0, 1]
        np.testing.assert_allclose(found.distance, [0.8, 0.2], rtol=1e-5)


def test_rows_that_never_cross_are_counted_and_not_measured():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.stack([x.sum(1) * 0 + 1, x.sum(1) * 0], 1)

    found = boundary_points(Constant(), torch.ones(3, 2))
    assert not found.crossed.any()
    assert found.distance.isnan().all()
    assert found.crossed_to.tolist() == [-1] * 3
    assert torch.equal(found.points, torch.ones(3, 2))


def test_too_few_steps_leave_a_row_uncrossed(net, rows):
    few, many = (boundary_points(net, rows, max_steps=s).crossed.sum() for s in (1, 50))
    assert few < many == 60


def test_bounds_hold(net, rows):
    X = rows.sigmoid()
    found = boundary_points(net, X, bounds=(0, 1))
    assert found.crossed.any()
    assert 0 <= found.points.min() <= found.points.max() <= 1
    low, high = X.min(0).values, X.max(0).values
    found = boundary_points(net, X, bounds=(low, high))
    assert ((found.points >= low) & (found.points <= high)).all()


def test_images_and_training_mode_come_back():
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 3))
    module[1].eval()
    before = [p.clone() for p in (*module.parameters(), *module.buffers())]
    found = boundary_points(module, torch.rand(4, 1, 5, 5))
    assert found.points.shape == (4, 1, 5, 5)
    assert module.training
    assert not module[1].training
    after = (*module.parameters(), *module.buffers())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_steps": 0}, r"max_steps must be an integer >= 1; got 0\."),
        ({"overshoot": -1.0}, r"overshoot must be a number >= 0; got -1\.0\."),
        ({"bisections": -1}, r"bisections must be an integer >= 0; got -1\."),
        ({"candidates": 0}, r"candidates must be an integer >= 1; got 0\."),
        ({"batch_size": 0}, r"batch_size must be an integer >= 1; got 0\."),
        ({"norm": "l1"}, r"norm must be one of \('linf', 'l2'\); got 'l1'\."),
    ],
)
def test_what_is_not_accepted_is_named(net, rows, options, text):
    with pytest.raises(ValueError, match=text):
        boundary_points(net, rows, **options)
