"""Psi: its figures, its bound, its inverse, its gradients, and what it does to gradient descent."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch import nn
from torch.nn.utils import parametrize

from overparam.nets.weight_compander import KINDS, WeightCompander

V = torch.tensor([-0.5, -0.1, 0.0, 0.05, 1.0], dtype=torch.float64)


def psi(kind="arctan", a=0.2, b=0.1, **options):
    return WeightCompander(a, b, units="absolute", kind=kind, **options).double()


def slope(compander, v):
    v = v.clone().requires_grad_()
    return torch.autograd.grad(compander(v).sum(), v)[0]


def test_the_arctangents_values_and_slopes():
    torch.testing.assert_close(
        psi()(V),
        torch.tensor([-0.27468015, -0.15707963, 0, 0.09272952, 0.29422553], dtype=torch.float64),
        atol=1e-8,
        rtol=0,
    )
    expected = torch.tensor([0.07692308, 1, 2, 1.6, 0.01980198], dtype=torch.float64)
    torch.testing.assert_close(slope(psi(), V), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize(
    ("kind", "value", "derivative"),
    [
        ("tanh", lambda v: 0.2 * torch.tanh(v / 0.1), lambda w: 2 * (1 - (w / 0.2) ** 2)),
        ("softsign", lambda v: 0.2 * v / (0.1 + v.abs()), lambda w: 2 * (1 - (w / 0.2).abs()) ** 2),
    ],
)
def test_the_other_kinds(kind, value, derivative):
    torch.testing.assert_close(psi(kind)(V), value(V))
    torch.testing.assert_close(slope(psi(kind), V), derivative(value(V)))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_odd_and_strictly_increasing(kind):
    v = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    w = psi(kind)(v)
    torch.testing.assert_close(w, -psi(kind)(-v), rtol=0, atol=0)
    assert (w.diff() > 0).all()
    assert psi(kind)(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_no_finite_number_reaches_the_bound(kind, dtype):
    largest = torch.finfo(dtype).max
    v = torch.tensor([1e3, 1e30, largest, -1e30, -largest], dtype=dtype)
    for a in (0.2, 0.7, 1.3, 1e-4):
        compander = WeightCompander(a, 0.1, kind=kind, units="absolute").to(dtype)
        w = compander(v).double()
        bound = KINDS[kind].bound * float(compander.a.detach())
        assert (w.abs() < bound).all()
        assert (w.abs() > 0.98 * bound).all()
        assert slope(compander, v)[1:].abs().max() < 1e-20
        assert torch.isfinite(slope(compander, v)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_gives_back_what_went_in(kind):
    v = torch.linspace(-1, 1, 401, dtype=torch.float64)  # ten b
    if kind == "tanh":
        v = 0.3 * v  # artanh near its bound is clamped
    torch.testing.assert_close(psi(kind).right_inverse(psi(kind)(v)), v, rtol=1e-5, atol=1e-9)


def test_a_weight_at_the_bound_is_refused_and_one_near_it_clamped():
    compander = psi()
    near = torch.tensor([0.2 * (math.pi / 2 - 1e-5)], dtype=torch.float64)
    expected = 0.1 * math.tan(math.pi / 2 - 1e-3)
    torch.testing.assert_close(compander.right_inverse(near).item(), expected)
    text = r"w must be below 1.571 a everywhere; got max \|w\| = 0.4, .* exceed 0.2546 \(absolute"
    with pytest.raises(ValueError, match=text):
        compander.right_inverse(torch.tensor([0.1, -0.4]))


@pytest.mark.parametrize("granularity", ["layer", "channel"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind, granularity):
    v = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    compander = psi(kind, 0.8, 0.5, granularity=granularity).fit_(v.detach())

    def value(v, log_a, log_b):
        return torch.func.functional_call(compander, {"log_a": log_a, "log_b": log_b}, (v,))

    inputs = (v, compander.log_a, compander.log_b)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


def test_the_backward_pass_keeps_one_tensor_of_the_weights_size():
    kept = []
    v = torch.randn(20, 30, requires_grad=True)
    compander = WeightCompander(learnable=False).fit_(v.detach())

    def keep(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compander(v)
    assert [each.data_ptr() for each in kept if each.numel() > 1] == [v.data_ptr()]


def test_members_stack():
    v = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    companders = [psi(a=0.1 * (i + 1), b=0.2 * (i + 1)) for i in range(3)]
    state = {
        name: torch.stack([getattr(each, name).detach() for each in companders]).requires_grad_()
        for name in ("log_a", "log_b", "log_unit")
    }

    def one(own, v):
        return torch.func.functional_call(companders[0], own, (v,))

    stacked = companders[0].stacked_forward(state, v)
    mapped = torch.func.vmap(one)(state, v)
    alone = torch.stack([each(row) for each, row in zip(companders, v, strict=True)])
    weights = torch.randn_like(alone)
    torch.testing.assert_close(stacked, alone)
    torch.testing.assert_close(mapped, alone)
    expected = torch.autograd.grad((alone * weights).sum(), v)[0]
    of_a = [each.log_a.grad for each in companders]
    assert of_a == [None] * 3
    for found in (stacked, mapped):
        slopes = torch.autograd.grad((found * weights).sum(), [v, state["log_a"], state["log_b"]])
        torch.testing.assert_close(slopes[0], expected)
        torch.testing.assert_close(slopes[1], (alone * weights).sum((1, 2)))
        torch.testing.assert_close(slopes[2], -(weights * v * expected / weights).sum((1, 2)))


def test_a_step_on_v_moves_w_by_the_squared_slope():
    """dw = -eta Psi'(v)^2 dL/dw, and Psi'(v)^2 = (a / b)^2 cos^4(w / a)."""
    compander, target, eta = psi(), torch.linspace(-1, 1, 5, dtype=torch.float64), 1e-6
    v = V.clone().requires_grad_()
    w = compander(v)
    (g,) = torch.autograd.grad((w - target).square().sum() / 2, v)
    moved = (compander(V - eta * g) - w).detach() / eta
    w = w.detach()
    expected = -4 * torch.cos(w / 0.2) ** 4 * (w - target)
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-6)


def test_decay_of_v_is_strongest_at_half_of_the_bound():
    """dw = -(eta lambda a / 2) sin(2 w / a)."""
    compander, eta, decay = psi(), 1e-6, 0.3
    w = compander(V)
    moved = (compander(V - eta * decay * V) - w) / eta
    torch.testing.assert_close(moved, -decay * 0.1 * torch.sin(2 * w / 0.2), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0, 3.0])
def test_rescaling_keeps_the_variance_of_normal_weights(share):
    z = torch.as_tensor(stats.norm.ppf((torch.arange(200_000).double() + 0.5) / 200_000))
    compander = WeightCompander(1.0, share).fit_(0.05 * z).rescale_(0.05 * z)
    found = float(compander.log_a.detach().exp())
    expected = {0.5: 1.080813, 1.0: 1.491208, 2.0: 2.359717, 3.0: 3.276728}[share]
    assert found == pytest.approx(expected, rel=1e-4)
    mean = integrate.quad(lambda z: math.atan(z / share) ** 2 * stats.norm.pdf(z), -12, 12)[0]
    assert found == pytest.approx(mean**-0.5, rel=1e-4)
    if share == 1:
        assert mean == pytest.approx(0.44970092, abs=1e-8)
    torch.testing.assert_close(compander(0.05 * z).square().mean(), (0.05 * z).square().mean())


def test_with_a_wide_scale_the_weights_are_what_is_trained():
    v = 0.05 * torch.randn(200, 300)
    compander = WeightCompander(1e4, 1e4).fit_(v)
    assert (compander(v) - v).abs().max() < 1e-6


def test_units_are_the_weights_root_mean_square():
    weight = torch.tensor([[0.3, -0.4], [0.0, 0.5]])
    compander = WeightCompander(2.0, 1.0)
    parametrize.register_parametrization(layer := nn.Linear(2, 2), "weight", compander)
    unit = layer.weight.detach().square().mean().sqrt()
    torch.testing.assert_close(compander.a, 2 * unit)
    layer.weight = weight / 10  # a later weight leaves the unit alone
    torch.testing.assert_close(layer.weight, weight / 10)
    torch.testing.assert_close(compander.b.detach(), unit)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"a": 0.0}, r"a must be a finite number > 0; got 0.0"),
        ({"b": -1.0}, r"b must be a finite number > 0; got -1.0"),
        ({"a": math.inf}, r"a must be a finite number > 0; got inf"),
        ({"lr_scale": 0}, r"lr_scale must be a finite number > 0; got 0"),
        ({"kind": "sine"}, r"kind must be one of \['arctan', 'tanh', 'softsign'\]; got 'sine'"),
        ({"granularity": "net"}, r"granularity must be one of \['layer', 'channel'\]; got 'net'"),
        ({"units": "he"}, r"units must be one of \['std', 'absolute'\]; got 'he'"),
    ],
)
def test_options_outside_what_is_accepted_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        WeightCompander(**options)


def test_weights_without_a_unit_are_refused():
    with pytest.raises(TypeError, match=r"floating-point numbers; got torch\.int64"):
        WeightCompander().fit_(torch.ones(2, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="weight must not be 0 throughout where units='std'"):
        WeightCompander().fit_(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="v must belong to a weight that has been seen"):
        WeightCompander()(torch.ones(2, 2))


def test_repr_shows_the_shape():
    assert repr(psi()) == "WeightCompander(kind=arctan, a=0.2, b=0.1, units=absolute)"
