"""The coordinate check tells the parametrisations apart."""

import numpy as np
import pytest
import torch

from overparam.diagnostics.activation_change import coordinate_check
from overparam.nets.mlp import MLP
from overparam.nets.parametrization import maximal_update_, ntk

WIDTHS = (64, 128, 256, 512)


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 8, generator=generator), torch.arange(32) % 3


def plain(width, seed):
    return MLP(8, 3, (width, width), seed=seed)


def maximal(optimizer, rate):
    def make(width, seed):
        module = plain(width, seed)
        return module, maximal_update_(module, plain(64, 0), optimizer, learning_rate=rate)

    return make


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 1e-2), ("sgd", 0.1)])
def test_maximal_update_changes_every_layer_by_as_much_at_any_width(optimizer, rate):
    check = coordinate_check(maximal(optimizer, rate), WIDTHS, batch(), optimizer=optimizer)
    assert np.abs(list(check.exponents.values())).max() < 0.1
    assert check.verdict == "width-independent"
    assert check.table.shape == (3 * 4 * 3, 4)


def test_the_standard_parametrisation_explodes():
    check = coordinate_check(plain, WIDTHS, batch(), learning_rate=1e-2)
    assert check.exponents["layers.1"] > 0.5
    assert check.verdict == "explodes"


def test_the_ntk_parametrisation_stands_still_within():
    def make(width, seed):
        module = plain(width, seed)
        return module, ntk(2).apply_(module, 64, learning_rate=0.1)

    check = coordinate_check(make, WIDTHS, batch(), optimizer="sgd")
    assert check.exponents["layers.1"] == pytest.approx(-0.5, abs=0.1)
    assert abs(check.exponents["layers.2"]) < 0.2
    assert check.verdict == "stands still"
    low, high = check.intervals["layers.1"]
    assert low < check.exponents["layers.1"] < high


def test_what_is_no_longer_finite_has_exploded():
    check = coordinate_check(
        plain, (64, 128), batch(), optimizer="sgd", learning_rate=1e30, seeds=(0,)
    )
    assert check.verdict == "explodes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (64, 64)}, r"at least two widths; got \[64\]"),
        ({"steps": 0}, "steps must be an integer >= 1; got 0"),
        ({"optimizer": "lion"}, "optimizer must be 'adam' or 'sgd'; got 'lion'"),
    ],
)
def test_errors_name_what_came(options, message):
    with pytest.raises(ValueError, match=message):
        coordinate_check(plain, **({"widths": WIDTHS, "batch": batch()} | options))
