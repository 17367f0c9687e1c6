"""The losses, by hand."""

import math

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import APGD, PGD
from overparam.diagnostics.attacks.attack_losses import attack_loss, loss_gradient

Z = torch.tensor([[5.0, 3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0, 5.0]], dtype=torch.float64)
Y = torch.tensor([0, 3])


def test_losses_are_their_formulas():
    ce = [math.log(sum(map(math.exp, row))) - row[y] for row, y in zip(Z.tolist(), Y, strict=True)]
    torch.testing.assert_close(attack_loss("ce", Z, Y).tolist(), ce)
    assert attack_loss("margin", Z, Y).tolist() == [-2, 2]
    torch.testing.assert_close(attack_loss("dlr", Z, Y).tolist(), [-2 / 3, 2 / 3])
    target = torch.tensor([2, 4])
    torch.testing.assert_close(
        attack_loss("targeted-dlr", Z, Y, target).tolist(), [-3 / 3.5, 2 / 3.5]
    )


@pytest.mark.parametrize("loss", ["dlr", "targeted-dlr"])
def test_the_scale_of_the_logits_does_not_matter(loss):
    target = torch.tensor([2, 4])
    torch.testing.assert_close(
        attack_loss(loss, 100 * Z, Y, target), attack_loss(loss, Z, Y, target)
    )
    assert attack_loss(loss, 0 * Z, Y, target).tolist() == [0, 0]


def test_the_gradient_is_that_of_each_row_alone():
    net = nn.Linear(3, 5, dtype=torch.float64)
    x = torch.randn(2, 3, dtype=torch.float64)
    z, losses, gradient = loss_gradient(net, x, "margin", torch.tensor([1, 2]))
    weight = net.weight.detach()
    for row, y in enumerate((1, 2)):
        other = int(z[row].index_fill(0, torch.tensor(y), -torch.inf).argmax())
        torch.testing.assert_close(gradient[row], weight[other] - weight[y])
        torch.testing.assert_close(losses[row], z[row, other] - z[row, y])
    assert net.weight.grad is None


@pytest.mark.parametrize(
    ("loss", "classes", "fewest"), [("dlr", 2, 3), ("targeted-dlr", 3, 4), ("dlr", 1, 3)]
)
def test_too_few_classes_are_named_with_the_way_out(loss, classes, fewest):
    text = rf"loss='{loss}' must have at least {fewest} classes; .* Use loss='margin'"
    net = nn.Linear(4, classes)
    with pytest.raises(ValueError, match=text):
        APGD(loss=loss).attack(net, torch.zeros(3, 4), [0, 1, 1])
    APGD(loss="margin", steps=2).attack(net, torch.zeros(3, 4), [0, 1, 1])


def test_unknown_losses_are_named():
    with pytest.raises(ValueError, match=r"loss must be one of \('ce', .*\); got 'hinge'\."):
        APGD(loss="hinge")
    with pytest.raises(ValueError, match=r"loss must be one of .* got 'targeted-dlr'\."):
        PGD(loss="targeted-dlr")
