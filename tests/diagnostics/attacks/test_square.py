"""Square asks for logits only, and stays within its queries."""

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import PGD, Square


class Rounded(nn.Module):
    """No gradient to follow."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        with torch.no_grad():
            z = (100 * self.net(x)).round() / 100
        return z + 0 * x.sum()  # differentiable, and flat


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.12), ("l2", 0.8)])
def test_a_module_without_a_gradient_is_fooled_all_the_same(norm, radius, digits):
    net, X, y = digits
    blind, seeing = (Square(norm, radius, queries=300).attack(m, X, y) for m in (Rounded(net), net))
    assert blind.robust_accuracy == pytest.approx(seeing.robust_accuracy, abs=0.04)
    follower = PGD(norm, radius, random_start=False).attack(Rounded(net), X, y)
    assert blind.robust_accuracy < follower.robust_accuracy - 0.3


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.12), ("l2", 0.8)])
def test_more_queries_fool_more_and_are_counted(norm, radius, digits):
    net, X, y = digits
    found = [Square(norm, radius, queries=q).attack(net, X, y) for q in (1, 30, 300)]
    stands = [each.robust_accuracy for each in found]
    assert stands[0] > stands[1] > stands[2]
    for each, queries in zip(found, (1, 30, 300), strict=True):
        assert (each.queries[~each.fooled] == 1 + queries).all()
        assert each.queries.max() <= 1 + queries


def test_entries_stand_at_the_ends_of_the_linf_ball(digits):
    net, X, y = digits
    found = Square(radius=0.05, queries=50).attack(net, X, y, bounds=None)
    moved = found.distance > 0
    assert moved.any()
    away = (found.points - X)[moved].abs()
    torch.testing.assert_close(away, torch.full_like(away, 0.05))


def test_perturbations_stand_on_the_l2_sphere(digits):
    net, X, y = digits
    found = Square("l2", 0.5, queries=50).attack(net, X, y, bounds=None)
    moved = found.distance > 0
    torch.testing.assert_close(found.distance[moved], torch.full_like(found.distance[moved], 0.5))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_agrees_with_torchattacks(norm, digits):
    torchattacks = pytest.importorskip("torchattacks")
    net, X, y = digits
    radius = {"linf": 0.12, "l2": 0.8}[norm]
    peer = torchattacks.Square(
        net, norm={"linf": "Linf", "l2": "L2"}[norm], eps=radius, n_queries=300
    )
    # The peer's windows never reach the last row and column, which on images of 8 by 8 leaves
    # about twice as many rows standing. With that mended the two agree.
    drawn = peer.random_int
    peer.random_int = lambda low=0, high=1, shape=(1,): drawn(low, high + 1, shape)
    with torch.no_grad():
        other = float((net(peer(X, y)).argmax(1) == y).double().mean())
    ours = Square(norm, radius, queries=301).attack(net, X, y).robust_accuracy
    assert 0.05 < other < 0.95
    assert ours == pytest.approx(other, abs=0.05)  # 10 of 200 rows: two random searches
