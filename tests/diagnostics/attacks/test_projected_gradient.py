"""PGD finds the worst case of a linear model, which is known."""

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import PGD


@pytest.mark.parametrize(("norm", "dual", "radius"), [("linf", 1, 0.02), ("l2", 2, 0.1)])
@pytest.mark.parametrize("start", [True, False])
def test_a_linear_margin_falls_by_the_radius_times_the_dual_norm(norm, dual, radius, start, linear):
    module, X, y = linear
    w = (module.weight[1] - module.weight[0]).detach()
    clean = (X @ w + module.bias[1] - module.bias[0]).abs().detach()
    worst = clean - radius * torch.linalg.vector_norm(w, dual)
    attack = PGD(norm, radius, steps=40, step_size=radius, random_start=start)
    found = attack.attack(module, X, y, bounds=None)
    assert torch.equal(found.fooled, worst < 0)
    assert 0 < found.fooled.sum() < 80
    stands = ~found.fooled
    torch.testing.assert_close(found.margin[stands], worst[stands], atol=1e-9, rtol=1e-6)


def test_restarts_only_help_and_only_standing_rows_pay(digits):
    net, X, y = digits
    one, three = (PGD(radius=0.1, steps=3, restarts=r).attack(net, X, y) for r in (1, 3))
    assert (three.fooled >= one.fooled).all()
    assert (three.queries[one.fooled] == one.queries[one.fooled]).all()
    assert (three.queries[~three.fooled] == 1 + 3 * 4).all()


def test_a_step_size_of_its_own(digits):
    net, X, y = digits
    tiny = PGD(radius=0.1, step_size=1e-4, random_start=False).attack(net, X, y)
    assert tiny.distance.max() <= 10 * 1e-4 * (1 + 1e-3)
    with pytest.raises(ValueError, match=r"step_size must be a number > 0; got 0\."):
        PGD(step_size=0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_agrees_with_torchattacks(norm, digits):
    torchattacks = pytest.importorskip("torchattacks")
    net, X, y = digits
    radius = {"linf": 0.08, "l2": 0.5}[norm]
    kind = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    theirs = kind(net, eps=radius, alpha=radius / 4, steps=10)(X, y)
    with torch.no_grad():
        other = float((net(theirs).argmax(1) == y).double().mean())
    ours = PGD(norm, radius, step_size=radius / 4).attack(net, X, y).robust_accuracy
    assert 0.1 < other < 0.9
    assert ours == pytest.approx(other, abs=0.03)  # 6 of 200 rows: two random starts
    assert ours <= other + 0.01  # the best point of the way is at least as good as the last one


def test_normalised_inputs_are_attacked_in_pixels(digits):
    class Standardise(nn.Module):
        def forward(self, x):
            return (x - 0.3) / 0.4

    class Back(nn.Module):
        def forward(self, x):
            return 0.4 * x + 0.3

    net, X, y = digits
    plain = PGD(radius=0.08).attack(net, X, y)
    through = PGD(radius=0.08).attack(nn.Sequential(Standardise(), Back(), net), X, y)
    assert through.robust_accuracy == pytest.approx(plain.robust_accuracy, abs=0.01)
    assert through.distance.max() <= 0.08 * (1 + 1e-5)
