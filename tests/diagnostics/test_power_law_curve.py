"""Curves that are power laws, and curves that are not quite."""

import numpy as np
import pytest

from overparam.diagnostics.power_law_curve import PowerLaw, fit_power_law

N = np.array([50.0, 100, 200, 400, 800])


@pytest.mark.parametrize("floor", [0.0, 0.05])
@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_a_power_law_is_found_again(floor, exponent):
    law = PowerLaw(floor, 2.0, exponent)
    found = fit_power_law(N, law(N))
    np.testing.assert_allclose(found(N), law(N), rtol=0.02)  # drawn towards 1/2
    np.testing.assert_allclose(found([3200.0]), law([3200.0]), rtol=0.1)


def test_a_rising_curve_is_forecast_flat():
    found = fit_power_law(N, np.linspace(0.1, 0.2, 5))
    assert found.amplitude == 0
    assert found([1e6])[0] == pytest.approx(found(N)[0])


def test_many_curves_are_fitted_each_for_itself():
    curves = np.stack([PowerLaw(0.1, 1.0, 0.6)(N), PowerLaw(0.0, 3.0, 0.9)(N)])
    together = fit_power_law(N, curves)([1600.0])
    for row, curve in zip(together, curves, strict=True):
        np.testing.assert_allclose(row, fit_power_law(N, curve)([1600.0]), rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        ([1, 2], [0.1, 0.2], "n must be at least three increasing sizes > 0; got"),
        ([1, 3, 2], [0.1, 0.2, 0.3], "n must be at least three increasing sizes > 0; got"),
        (
            [1, 2, 3],
            [0.1, 0.2],
            r"error must be numbers >= 0 of shape \(..., 3\); got shape \(2,\)",
        ),
        ([1, 2, 3], [0.1, -0.2, 0.3], "error must be numbers >= 0"),
    ],
)
def test_bad_input_is_named(n, error, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(n, error)
