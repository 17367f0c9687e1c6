"""Gaussian integrals: closed forms, an adaptive integrator, derivatives."""

import numpy as np
import pytest
from scipy.integrate import quad

from overparam.theory.elementwise import NAMED
from overparam.theory.gaussian_moments import gaussian_moments, gaussian_rule

SMOOTH = ["tanh", "sin", "erf", "gelu", "swish", "softplus", "sigmoid", "elu"]
K = np.array([0.01, 0.3, 1.0, 3.56, 14.3, 60.0, 141.9])


def test_the_rule_integrates_even_moments_of_a_normal():
    u, w = gaussian_rule()
    np.testing.assert_allclose([w @ u**k for k in (0, 1, 2, 4, 8)], [1, 0, 1, 3, 105], atol=1e-11)
    assert w @ np.abs(u) == pytest.approx(np.sqrt(2 / np.pi), rel=1e-12)  # a kink at 0


@pytest.mark.parametrize("name", SMOOTH)
def test_moments_are_those_of_an_adaptive_integrator(name):
    s = NAMED[name]
    found = gaussian_moments(name, K)

    def integral(f, variance):
        def integrand(u):
            z = np.array([np.sqrt(variance) * u])
            return float(f(z)[0] * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))

        points = [-1, -0.1, 0, 0.1, 1]
        return quad(integrand, -9, 9, points=points, limit=400, epsabs=1e-12)[0]

    for i, variance in enumerate(K):
        assert found.second[i] == pytest.approx(
            integral(lambda z: s.function(z) ** 2, variance), rel=1e-9
        )
        assert found.derivative[i] == pytest.approx(
            integral(lambda z: s.derivative(z) ** 2, variance), rel=1e-8
        )
        assert found.fourth[i] == pytest.approx(
            integral(lambda z: s.function(z) ** 4, variance), rel=1e-9
        )


@pytest.mark.parametrize("name", SMOOTH)
def test_the_slope_is_the_finite_difference_of_g(name):
    h = 1e-4 * K
    up, down = (gaussian_moments(name, K + sign * h).second for sign in (1, -1))
    slope = gaussian_moments(name, K).slope
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-9)


def test_sin_has_closed_forms():
    found = gaussian_moments("sin", K)
    np.testing.assert_allclose(found.second, (1 - np.exp(-2 * K)) / 2, rtol=1e-10)
    np.testing.assert_allclose(found.derivative, (1 + np.exp(-2 * K)) / 2, rtol=1e-10)


def test_relu_halves_the_variance_exactly():
    found = gaussian_moments("relu", K)
    np.testing.assert_array_equal(found.second, K / 2)
    np.testing.assert_array_equal(found.fourth, 1.5 * K**2)
    by_quadrature = gaussian_moments(lambda z: np.maximum(z, 0) + 1e-300, K)
    np.testing.assert_allclose(by_quadrature.second, K / 2, rtol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "relu"])
def test_vanishing_signals_go_on_vanishing(name):
    K = np.array([1e-12, 1e-30, 1e-100])
    second = gaussian_moments(name, K).second
    np.testing.assert_allclose(second / K, second[0] / K[0], rtol=1e-4)
    assert gaussian_moments(name, 0.0).second == 0
    assert gaussian_moments("sigmoid", 0.0).second == pytest.approx(0.25)


def test_limits_at_zero_and_shapes():
    found = gaussian_moments("gelu", np.zeros((2, 3)))
    assert found.slope.shape == (2, 3)
    np.testing.assert_allclose(found.slope, 0.25, rtol=1e-6)
    np.testing.assert_allclose(found.derivative, 0.25, rtol=1e-6)
    assert gaussian_moments("tanh", 1.0).second.shape == ()


def test_a_negative_variance_is_refused():
    with pytest.raises(ValueError, match=r"K must be variances >= 0; got -0\.5"):
        gaussian_moments("tanh", [1.0, -0.5])
