"""APGD: its schedule, its optimum where that is known, and that it is not worse than PGD."""

import pytest
import torch

from overparam.diagnostics.attacks import APGD, PGD
from overparam.diagnostics.attacks.auto_projected_gradient import _checkpoints


def test_checkpoints_are_those_of_the_paper():
    assert sorted(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(_checkpoints(10)) == [3, 5, 6, 7, 8, 9, 10]
    assert _checkpoints(1) == {1}


@pytest.mark.parametrize(("norm", "dual", "radius"), [("linf", 1, 0.02), ("l2", 2, 0.1)])
@pytest.mark.parametrize("loss", ["ce", "margin"])
def test_a_linear_margin_falls_by_the_radius_times_the_dual_norm(norm, dual, radius, loss, linear):
    module, X, y = linear
    w = (module.weight[1] - module.weight[0]).detach()
    clean = (X @ w + module.bias[1] - module.bias[0]).abs().detach()
    worst = clean - radius * torch.linalg.vector_norm(w, dual)
    found = APGD(norm, radius, steps=60, loss=loss).attack(module, X, y, bounds=None)
    assert torch.equal(found.fooled, worst < 0)
    stands = ~found.fooled
    torch.testing.assert_close(found.margin[stands], worst[stands], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.08), ("l2", 0.5)])
def test_it_is_not_worse_than_pgd_at_the_same_budget(norm, radius, digits):
    net, X, y = digits
    auto, plain = (kind(norm, radius, steps=20).attack(net, X, y) for kind in (APGD, PGD))
    assert auto.robust_accuracy <= plain.robust_accuracy + 0.02  # 4 of 200 rows
    # Nor is its step size left where it began: large steps alone do not get as near.
    stands = ~auto.fooled & ~plain.fooled
    assert auto.margin[stands].mean() <= plain.margin[stands].mean() * 1.05


def test_each_target_is_tried_on_the_rows_that_stand(digits):
    net, X, y = digits
    one, three = (
        APGD(radius=0.06, steps=8, loss="targeted-dlr", targets=t).attack(net, X, y) for t in (1, 3)
    )
    assert (three.fooled >= one.fooled).all()
    assert (three.queries[~three.fooled] == 1 + 3 * 9).all()
    everything = APGD(radius=0.06, steps=2, loss="targeted-dlr", targets=50).attack(net, X, y)
    assert (everything.queries[~everything.fooled] == 1 + 9 * 3).all()


def test_dlr_gets_through_where_the_cross_entropy_has_no_gradient(digits):
    net, X, y = digits

    def sure(x):
        return 1e5 * net(x)

    class Sure(torch.nn.Module):
        def forward(self, x):
            return sure(x)

    ce, dlr = (
        APGD(radius=0.08, steps=10, loss=loss).attack(Sure(), X, y).robust_accuracy
        for loss in ("ce", "dlr")
    )
    assert dlr < ce - 0.1


@pytest.mark.parametrize(
    ("norm", "radius", "loss"),
    [("linf", 0.08, "ce"), ("l2", 0.5, "dlr"), ("linf", 0.08, "targeted-dlr")],
)
def test_it_agrees_with_torchattacks(norm, radius, loss, digits):
    torchattacks = pytest.importorskip("torchattacks")
    net, X, y = digits
    options = {"norm": {"linf": "Linf", "l2": "L2"}[norm], "eps": radius, "steps": 20}
    if loss == "targeted-dlr":
        peer = torchattacks.APGDT(net, **options, n_restarts=1, n_classes=10)
    else:
        peer = torchattacks.APGD(net, **options, n_restarts=1, loss=loss)
    with torch.no_grad():
        other = float((net(peer(X, y)).argmax(1) == y).double().mean())
    ours = APGD(norm, radius, steps=20, loss=loss).attack(net, X, y).robust_accuracy
    assert 0.1 < other < 0.9
    assert ours == pytest.approx(other, abs=0.02)  # 4 of 200 rows: two random starts
