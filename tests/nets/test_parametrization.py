"""Parametrisations: the table of limits, the shift symmetry, and what `apply_` does."""

import math

import pytest
import torch
from torch.func import functional_call

from overparam.nets.mlp import MLP
from overparam.nets.parametrization import ABC, maximal_update, mean_field, ntk, standard

F64 = torch.float64


@pytest.mark.parametrize(
    ("parametrization", "kind", "r"),
    [
        (standard(2), "unstable", -1.0),
        (standard(2, c=1.0), "kernel", 0.5),
        (standard(1, c=1.0), "kernel", 1.5),
        (standard(4, c=1.0), "kernel", 0.5),
        (ntk(2), "kernel", 0.5),
        (ntk(5), "kernel", 0.5),
        (mean_field(), "feature-learning", 0.0),
        (maximal_update(1), "feature-learning", 0.0),
        (maximal_update(4), "feature-learning", 0.0),
        (ABC([0, 0, 0.5], [0, 0.5, 0.5], 1.0), "trivial", 1.0),
    ],
)
def test_the_table_of_limits(parametrization, kind, r):
    limit = parametrization.classify()
    assert limit.kind == kind
    assert limit.r == pytest.approx(r)
    assert limit.stable == (kind != "unstable")
    assert limit.nontrivial == (kind in ("kernel", "feature-learning"))
    assert limit.reasons


@pytest.mark.parametrize("t", [0.3, -0.7])
@pytest.mark.parametrize("parametrization", [standard(2, 1.0), ntk(3), maximal_update(2)])
def test_a_shift_changes_no_limit(parametrization, t):
    before, after = parametrization.classify(), parametrization.shifted(t).classify()
    assert after.kind == before.kind
    assert after.r == pytest.approx(before.r)
    assert after.output_exponent == pytest.approx(before.output_exponent)


def test_the_condition_that_fails_is_named():
    assert "2 a_3 + c >= 1 fails: 0" in standard(2).classify().reasons
    broken = ABC([0.1, 0.6, 0.5], [0, 0, 0], 0)
    assert broken.classify().reasons == (
        "a_1 + b_1 = 0 fails: 0.1",
        "a_2 + b_2 = 1/2 fails: 0.6",
    )


def trained(parametrization, width, steps=5, optimizer="sgd"):
    """Outputs of a small network after some steps in float64."""
    module = MLP(6, 2, (width, width), activation="tanh", seed=3).to(F64)
    for layer in module.layers:
        torch.nn.init.zeros_(layer.bias).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 6, dtype=F64, generator=generator)
    y = torch.randn(9, 2, dtype=F64, generator=generator)
    groups = parametrization.apply_(module, 8, optimizer=optimizer, learning_rate=0.1)
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    updates = kinds[optimizer](groups, **({"eps": 0.0} if optimizer == "adam" else {}))
    for _ in range(steps):
        updates.zero_grad()
        (module(x) - y).square().mean().backward()
        updates.step()
    return module(x).detach()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("parametrization", [maximal_update(2), ntk(2), standard(2, 1.0)])
def test_a_shift_changes_no_training(parametrization, optimizer):
    plain = trained(parametrization, 32, optimizer=optimizer)
    shifted = trained(parametrization.shifted(0.4), 32, optimizer=optimizer)
    torch.testing.assert_close(plain, shifted, rtol=0, atol=1e-8)


def test_at_the_base_width_nothing_changes():
    module, same = MLP(6, 2, (8, 8), seed=0), MLP(6, 2, (8, 8), seed=0)
    groups = maximal_update(2).apply_(module, 8, learning_rate=0.3)
    assert {group["lr"] for group in groups} == {0.3}
    for ours, theirs in zip(module.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_are_drawn_and_multiplied_as_the_definition_says():
    n, exponents = 400, ABC([-0.25, 0.25, 0.75], [0.25, 0.25, 0.25], -0.25)
    module = MLP(50, 30, (n, n), seed=0)
    for layer, fan_in in zip(module.layers, (1, n, n), strict=True):
        torch.nn.init.normal_(layer.weight, std=fan_in**-0.5)
    groups = exponents.apply_(module, 1, learning_rate=0.1)
    for layer, a, b, group in zip(module.layers, exponents.a, exponents.b, groups[:3], strict=True):
        w = group["params"][0]
        assert w.std().item() == pytest.approx(n**-b, rel=0.05)
        torch.testing.assert_close(layer.weight, w * n**-a)
        assert group["lr"] == pytest.approx(0.1 * n**0.25)


def test_adams_first_update_is_as_large_as_that_of_sgd_in_width():
    """muP with Adam is the usual table: rates of the weights in use 1, 1/m, 1/m."""
    module = MLP(6, 2, (64, 64), seed=0)
    groups = maximal_update(2).apply_(module, 16, optimizer="adam", learning_rate=1.0)
    m = 4.0
    used = [
        group["lr"] * layer.parametrizations.weight[0].factor
        if hasattr(layer, "parametrizations")
        else group["lr"]
        for group, layer in zip(groups[:3], module.layers, strict=True)
    ]
    assert used == pytest.approx([1.0, 1 / m, 1 / m])


def test_a_parametrised_module_is_still_an_ordinary_one():
    module = MLP(6, 2, (32, 32), seed=0)
    maximal_update(2).apply_(module, 8)
    x = torch.randn(5, 6)
    again = MLP(6, 2, (32, 32), seed=1)
    maximal_update(2).apply_(again, 8)
    again.load_state_dict(module.state_dict())
    torch.testing.assert_close(again(x), module(x))
    called = functional_call(again, dict(module.named_parameters()), (x,))
    torch.testing.assert_close(called, module(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ABC([0, 0], [0], 0), "a and b must have one exponent a layer of weights.*2 and 1"),
        (lambda: ABC([0], [0], 0), "at least two; got 1 and 1"),
        (lambda: ntk(0), "n_hidden and base_width must be integers >= 1; got 0"),
        (
            lambda: standard(2).apply_(MLP(3, 2, (4, 4)), 4),
            r"must be stable to be trained with; r >= 0 fails: -1",
        ),
        (lambda: ntk(2).apply_(MLP(3, 2, (4,)), 4), "must have 3 linear layers.*; got 2"),
        (lambda: ntk(2).apply_(MLP(3, 2, (4, 5)), 4), r"one width; got \[4, 5\]"),
        (lambda: ntk(2).apply_(MLP(3, 2, (4, 4)), 4, optimizer="lion"), "'sgd' or 'adam'; got"),
    ],
)
def test_errors_name_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_module_is_parametrised_once():
    module = MLP(3, 2, (16, 16))
    ntk(2).apply_(module, 4)
    with pytest.raises(ValueError, match="must not be parametrised already"):
        ntk(2).apply_(module, 4)


def test_exponents_are_compared_with_a_tolerance():
    third = 1 / 3
    assert maximal_update(2).shifted(third).shifted(-third).classify().kind == "feature-learning"
    assert math.isclose(maximal_update(2).shifted(third).classify().r, 0.0, abs_tol=1e-12)
