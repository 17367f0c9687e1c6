"""Hermite polynomials and the expansion of activations."""

from math import factorial

import numpy as np
import pytest
from numpy.polynomial.hermite_e import HermiteE

from overparam.kernels.hermite import hermite_expansion, hermite_values, normal_rule


def test_the_recursion_gives_normalised_polynomials():
    x = np.linspace(-4, 4, 9)
    for k, values in enumerate(hermite_values(x, 8)):
        np.testing.assert_allclose(
            values, HermiteE.basis(k)(x) / np.sqrt(factorial(k)), rtol=1e-12, atol=1e-12
        )


def test_the_rule_keeps_them_orthonormal():
    z, w = normal_rule()
    h = hermite_values(z, 40)
    np.testing.assert_allclose((h * w) @ h.T, np.eye(40), atol=1e-10)


def test_relu_has_its_known_coefficients_in_spite_of_the_kink():
    coefficients, slope = hermite_expansion(lambda z: np.maximum(z, 0))
    # E[relu h_k] scaled by sqrt 2: 1/sqrt(pi), 1/sqrt 2, 1/sqrt(2 pi), 0, ...
    known = [1 / np.sqrt(np.pi), np.sqrt(0.5), 1 / np.sqrt(2 * np.pi), 0]
    np.testing.assert_allclose(coefficients[:4], known, atol=1e-12)
    assert slope == pytest.approx(1, abs=1e-8)


def test_the_slope_is_that_of_the_scaled_function():
    coefficients, slope = hermite_expansion(lambda z: 5 * np.sin(z))
    assert coefficients @ coefficients == pytest.approx(1, abs=1e-12)
    assert slope == pytest.approx(1 / np.tanh(1), rel=1e-8)  # of sinh(xi) / sinh(1), at 1


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (lambda z: 1 / (z * 0), "activation must be elementwise and finite; got values that are"),
        (lambda z: z.sum(), r"got \(\) values for \(600,\) arguments"),
        (np.zeros_like, "activation must not be 0 everywhere"),
    ],
)
def test_bad_functions_are_named(activation, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        hermite_expansion(activation)
