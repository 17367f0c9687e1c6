"""The worst case over a suite."""

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import (
    APGD,
    PGD,
    DeepFool,
    Square,
    robust_accuracy,
    standard_suite,
)

SUITE = (
    PGD("linf", 0.08, steps=3, random_start=False),
    APGD("linf", 0.08, steps=20),
    Square("linf", 0.08, queries=100),
)


@pytest.mark.parametrize("every_row", [True, False])
def test_the_worst_case_is_no_better_than_any_attack(every_row, digits):
    net, X, y = digits
    found = robust_accuracy(net, X, y, SUITE, every_row=every_row)
    every = [each.attack(net, X, y) for each in SUITE]
    alone = [each.robust_accuracy for each in every]
    assert found.worst_case <= min(alone) + (0 if every_row else 0.02)
    if every_row:
        assert [each.robust_accuracy for each in found.attacks] == pytest.approx(alone)
        least = torch.stack([each.margin for each in every]).amin(0)
        assert torch.equal(found.margin[~found.fooled], least[~found.fooled])
    else:
        shares = [each.robust_accuracy for each in found.attacks]
        assert shares == sorted(shares, reverse=True)
        assert shares[-1] == found.worst_case
    with torch.no_grad():
        clean = net(X).argmax(1) == y
        wrong = net(found.points).argmax(1) != y
    assert found.clean == pytest.approx(float(clean.double().mean()))
    assert torch.equal(found.fooled_by == -2, ~clean)
    assert torch.equal(wrong, found.fooled)
    assert found.worst_case == pytest.approx(float((~wrong).double().mean()))
    assert found.distance.max() <= 0.08 * (1 + 1e-5)
    p = found.worst_case
    assert found.standard_error == pytest.approx((p * (1 - p) / 200) ** 0.5)


def test_the_next_attack_gets_the_rows_that_stand(digits):
    net, X, y = digits
    found = robust_accuracy(net, X, y, SUITE)
    wrong = int((found.fooled_by == -2).sum())
    tried, fooled = zip(*((each.tried, each.fooled) for each in found.attacks), strict=True)
    assert tried[0] == 200 - wrong
    assert tried[1] == tried[0] - fooled[0]
    assert tried[2] == tried[1] - fooled[1]
    assert [int((found.fooled_by == i).sum()) for i in range(3)] == list(fooled)
    assert found.attacks[2].queries >= 101 * (tried[2] - fooled[2])


def test_nothing_is_left_to_do_after_everything_fell(digits):
    net, X, y = digits
    found = robust_accuracy(net, X, y, (DeepFool(), Square("l2", 1.0)))
    assert found.worst_case == 0
    assert found.attacks[1].tried == found.attacks[1].queries == 0


def test_the_standard_suite_follows_the_number_of_classes():
    kinds = [[getattr(a, "loss", type(a).__name__) for a in standard_suite(k)] for k in (10, 3, 2)]
    assert kinds == [
        ["ce", "targeted-dlr", "Square"],
        ["ce", "dlr", "Square"],
        ["ce", "margin", "Square"],
    ]
    with_it = standard_suite(5, "l2", 0.5, deepfool=True, queries=7, steps=9)
    assert isinstance(with_it[2], DeepFool)
    assert {(each.norm, each.radius) for each in with_it} == {("l2", 0.5)}
    assert with_it[1].targets == 4
    assert with_it[3].queries == 7
    net = nn.Linear(4, 1)
    X = torch.rand(20, 4)
    suite = standard_suite(2, radius=0.2, steps=5, queries=20)
    assert robust_accuracy(net, X, [0, 1] * 10, suite).worst_case <= 1


@pytest.mark.parametrize(
    ("suite", "text"),
    [
        ((), r"suite must be a sequence of at least one attack; got none\."),
        ((PGD(), "PGD"), r"suite must be a sequence of attacks; got 'PGD' in it\."),
    ],
)
def test_what_is_no_suite_is_named(suite, text):
    with pytest.raises(ValueError, match=text):
        robust_accuracy(nn.Linear(4, 2), torch.zeros(3, 4), [0, 1, 1], suite)
    with pytest.raises(ValueError, match=r"n_classes must be an integer >= 2; got 1\."):
        standard_suite(1)
