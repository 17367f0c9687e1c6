"""Dual activations, and what depth makes of them."""

import numpy as np
import pytest
from scipy.special import erf

from overparam import theory
from overparam.kernels.dual import (
    ACTIVATIONS,
    NAMED,
    classify_activation,
    dual_activation,
    optimal_coefficients,
)

XI = np.linspace(-1, 1, 41)


def by_quadrature(function, xi, slope=False):
    """E[phi(u) phi(v)] by a product rule, with u and v = xi u + sqrt(1 - xi^2) w."""
    x, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    u, rest = x[:, None], x[None, :]
    power = w @ function(x) ** 2
    values = [function(u) * function(c * u + np.sqrt(1 - c * c) * rest) for c in xi]
    return np.array([w @ v @ w for v in values]) / power


@pytest.mark.parametrize("name", ["sin", "gelu"])
def test_hermite_and_quadrature_routes_agree(name):
    dual = dual_activation(name)
    np.testing.assert_allclose(dual(XI), by_quadrature(NAMED[name], XI), atol=1e-10)


def test_hermite_and_quadrature_routes_agree_for_coefficients():
    coefficients = np.array([0.2, -0.5, 0.7, 0.1, 0.4])
    poly = np.polynomial.hermite_e.HermiteE(coefficients / np.sqrt([1, 1, 2, 6, 24]))
    np.testing.assert_allclose(
        dual_activation(coefficients)(XI), by_quadrature(poly, XI), atol=1e-10
    )


@pytest.mark.parametrize(
    ("name", "closed"),
    [
        ("sin", lambda xi: np.sinh(xi) / np.sinh(1)),
        ("erf", lambda xi: np.arcsin(2 * xi / 3) / np.arcsin(2 / 3)),
    ],
)
def test_known_closed_forms(name, closed):
    # 40 terms leave out 4e-8 of erf's b, some 1e-9 of its value
    np.testing.assert_allclose(dual_activation(name)(XI), closed(XI), atol=3e-9)


def test_relu_is_in_closed_form_and_its_series_is_close():
    dual = dual_activation("relu")
    expected = (np.sqrt(1 - XI**2) + XI * (np.pi - np.arccos(XI))) / np.pi
    np.testing.assert_allclose(dual(XI), expected, atol=1e-15)
    assert dual.b == 1
    assert dual.a == 0.5
    assert dual.constant == pytest.approx(1 / np.pi)
    series = dual_activation(lambda z: np.maximum(z, 0))
    np.testing.assert_allclose(series(XI), expected, atol=1e-3)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, [0.1, 0.3, 0.5, 0.7]], ids=str)
def test_every_dual_is_normalised_and_has_the_derivative_of_itself(activation):
    dual = dual_activation(activation)
    assert dual(1.0) == pytest.approx(1, abs=1e-14)
    assert dual(0.0) == pytest.approx(dual.constant, abs=1e-14)
    assert dual.derivative(0.0) == pytest.approx(dual.a, abs=1e-14)
    assert dual.derivative(1.0) == pytest.approx(dual.slope_at_one, rel=1e-12)
    x, h = XI[1:-1] * 0.95, 1e-6
    np.testing.assert_allclose(
        dual.derivative(x), (dual(x + h) - dual(x - h)) / (2 * h), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", [0, 0.6, 0.5, 0.4]], ids=str)
def test_close_to_one_nothing_is_lost(activation):
    dual = dual_activation(activation)
    t = np.array([1e-3, 8e-3])
    np.testing.assert_allclose(dual.complement(t), 1 - dual(1 - t), rtol=1e-11)
    slope, gap = dual.slope_and_gap(t, 1 - t)
    np.testing.assert_allclose(gap, dual.slope_at_one - slope, rtol=1e-9)
    tiny = np.array([1e-20])
    np.testing.assert_allclose(dual.complement(tiny), dual.slope_at_one * tiny, rtol=1e-8)


def test_arguments_below_the_smallest_float_keep_their_logarithm():
    dual = dual_activation([0, 0, 0.6, 0.8])
    size, sign = dual.log_magnitude(np.array([-2000.0]), np.array([-1.0]))
    assert size[0] == pytest.approx(-4000 + np.log(0.36))
    assert sign[0] == 1
    size, sign = dual.log_slope(np.array([-2000.0]), np.array([-1.0]))
    assert size[0] == pytest.approx(-2000 + np.log(0.72))
    assert sign[0] == -1


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        ([0, 0, 1], "nearest-neighbor"),
        ([0, 0, 0, 1], "nearest-neighbor"),
        ("relu", "majority-vote"),
        (lambda z: np.maximum(z, 0), "majority-vote"),
        ("gelu", "majority-vote"),
        (np.sqrt([0.3, 0, 0, 0.7]), "majority-vote"),
        ("sigmoid", "ordered"),
        ("softplus", "ordered"),
        ("tanh", "singular-kernel"),
        ("sin", "singular-kernel"),
        ("erf", "singular-kernel"),
        (erf, "singular-kernel"),
        (np.tanh, "singular-kernel"),
    ],
)
def test_the_kinds_of_limits(activation, kind):
    limit = theory.classify_activation(activation)
    assert limit.kind == kind
    assert (limit.alpha is not None) == (kind == "singular-kernel")


def test_the_slopes_of_sigmoid_and_softplus():
    assert classify_activation("sigmoid").b == pytest.approx(0.153, abs=5e-4)
    assert classify_activation("softplus").b == pytest.approx(0.318, abs=5e-4)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7.5, 32, 100, 784])
def test_the_explicit_activation_has_the_promised_alpha(d):
    coefficients = optimal_coefficients(d)
    assert coefficients @ coefficients == pytest.approx(1, abs=1e-12)
    limit = classify_activation(coefficients)
    assert limit.kind == "singular-kernel"
    assert limit.alpha == pytest.approx(d, abs=1e-9)
    assert limit.b == pytest.approx(4 if d == 1 else 2)


@pytest.mark.parametrize("d", [0, 1.5, -3, np.nan])
def test_a_dimension_without_an_activation_is_named(d):
    with pytest.raises(ValueError, match=r"d must be 1 or a number >= 2; got"):
        optimal_coefficients(d)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("swoosh", "activation must be one of relu, elu, .* coefficients; got 'swoosh'"),
        ([0, 0], "activation must be a sequence of finite Hermite coefficients, not all 0"),
        ([[1.0]], "activation must be a sequence of finite Hermite coefficients"),
        ([0, np.nan], "activation must be a sequence of finite Hermite coefficients"),
        ([0, 2.0], "activation must not be linear: depth changes nothing"),
        (lambda z: 3 * z + 1, "activation must not be linear"),
    ],
)
def test_bad_activations_are_named(activation, message):
    with pytest.raises(ValueError, match=message):
        classify_activation(activation)
