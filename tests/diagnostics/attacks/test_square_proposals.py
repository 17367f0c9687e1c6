"""Windows, bumps and the bookkeeping of changes."""

import pytest
import torch

from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.diagnostics.attacks.square_proposals import Boxes, Bumps, bump, image_shape, window


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 8, 9), (3, 8, 9)), ((8, 9), (1, 8, 9)), ((7,), (1, 1, 7)), ((2, 3, 4, 5), (1, 1, 120))],
)
def test_rows_are_seen_as_images(shape, expected):
    assert image_shape(torch.zeros(2, *shape)) == expected


def test_windows_have_their_share_of_the_area():
    assert window((3, 10, 10), 0.25, least=1) == (5, 5)
    assert window((3, 10, 10), 0.16, least=3) == (5, 5)  # odd: bumps have a middle
    assert window((1, 4, 40), 0.8, least=1) == (4, 11)
    assert window((1, 1, 40), 0.25, least=1) == (1, 10)
    assert window((1, 2, 2), 1e-4, least=3) == (2, 2)


def test_a_bump_is_two_opposite_pyramids_of_norm_one():
    pattern = bump(5, 4)
    assert pattern.shape == (5, 4)
    assert float(pattern.norm()) == pytest.approx(1)
    torch.testing.assert_close(pattern[:, :2], -pattern[:, 2:])
    # Width 2 has its middle at column 1, height 5 at row 2.
    layers = torch.tensor([1 + 1 / 4 + 1 / 9, 1 / 4 + 1 / 9, 1 / 9], dtype=torch.float64)
    torch.testing.assert_close(pattern[2:, 1] / pattern[2, 1], layers / layers[0])
    assert bump(1, 1).item() == -1


@pytest.mark.parametrize(("walk", "norm"), [(Boxes, "linf"), (Bumps, "l2")])
@pytest.mark.parametrize("shape", [(2, 7, 6), (9,)])
def test_only_better_changes_stay(walk, norm, shape):
    x = torch.rand(6, *shape, dtype=torch.float64)
    walk = walk(PerturbationSet(x, norm, 0.1, None), torch.Generator().manual_seed(0))
    walk.start()
    walk.settle(torch.ones(6, dtype=torch.bool))
    before = walk.best.clone()
    assert (before != x.view(before.shape)).any()
    proposed = walk.propose(0.2).clone()
    changed = (proposed != before).flatten(1).any(1)
    assert changed.any()
    better = torch.arange(6) % 2 == 0
    walk.settle(better)
    assert torch.equal(walk.best[better], proposed[better])
    assert torch.equal(walk.best[~better], before[~better])


def test_rows_have_windows_of_their_own():
    x = torch.full((50, 1, 20, 20), 0.5)
    walk = Boxes(PerturbationSet(x, "linf", 0.1, None), torch.Generator().manual_seed(0))
    before = walk.start().clone()
    changed = (walk.propose(0.01) != before).flatten(1)  # 2 x 2 pixels, some at that end already
    assert changed.sum(1).max() <= 4
    places = changed.any(0).view(20, 20)
    assert len(changed.unique(dim=0)) > 25
    assert places[:, -1].any()  # the last column is reached
    assert places[-1].any()


def test_a_moved_bump_takes_up_what_the_bounds_cut_off():
    x = torch.rand(8, 2, 12, 12, dtype=torch.float64).round()  # black and white: half is cut off
    allowed = PerturbationSet(x, "l2", 0.5, (0.0, 1.0))
    walk = Bumps(allowed, torch.Generator().manual_seed(0))
    before = walk.start().clone()
    assert ((before - walk.x).flatten(1).norm(dim=1) < 0.4).all()
    after = walk.propose(9 / 144)
    # The length that was free goes into the window: nothing else has to be stretched.
    changed = ((after - before).abs() > 1e-9).any(1).sum(1)
    assert (changed <= 2 * 9).all()
    assert ((after - walk.x).flatten(1).norm(dim=1) <= 0.5 + 1e-12).all()
