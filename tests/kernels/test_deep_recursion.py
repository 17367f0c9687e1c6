"""The recursion against many digits, to a depth where nothing plain survives."""

import mpmath
import numpy as np
import pytest

from overparam.kernels.deep_recursion import deep_kernel, log_diagonal, log_psi
from overparam.kernels.dual import ReluDual, dual_activation, optimal_coefficients

T = np.array([1e-12, 1e-5, 0.003, 0.02, 0.3, 0.7, 0.999, 1.2, 1.9])
CASES = {
    "h_2": [0, 0, 1],
    "vote": np.sqrt([0.3, 0, 0, 0.7]),
    "d = 1": optimal_coefficients(1),
    "d = 2": optimal_coefficients(2),
    "d = 3": optimal_coefficients(3),
    "d = 8": optimal_coefficients(8),
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "relu": "relu",
}


def exact(dual, t, depth):
    """K_L / k_L and Sigma_L with 200 digits."""
    squares = [mpmath.mpf(float(s)) for s in dual.squares]
    total = sum(squares)
    series = [s / total for s in squares]
    slopes = [k * s for k, s in enumerate(series)][1:]

    def phi(x):
        if isinstance(dual, ReluDual):
            return (mpmath.sqrt(1 - x * x) + x * (mpmath.pi - mpmath.acos(x))) / mpmath.pi
        return mpmath.polyval(series[::-1], x)

    def slope(x):
        if isinstance(dual, ReluDual):
            return 1 - mpmath.acos(x) / mpmath.pi
        return mpmath.polyval(slopes[::-1], x)

    sigma = K = 1 - mpmath.mpf(float(t))
    k, b = mpmath.mpf(1), slope(mpmath.mpf(1))
    for _ in range(depth):
        K, sigma = phi(sigma) + K * slope(sigma), phi(sigma)
        k = 1 + b * k
    return K / k, sigma


@pytest.mark.parametrize("depth", [1, 4, 30, 90])
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_has_all_its_digits(case, depth):
    if case == "h_2" and depth > 20:
        depth = 20  # K falls below 1e-(2^20)
    dual = dual_activation(CASES[case])
    found = deep_kernel(dual, T, depth)
    with mpmath.workdps(200):
        for i, t in enumerate(T):
            value, _ = exact(dual, t, depth)
            size = float(mpmath.log(abs(value)))
            assert found.log_size[i] == pytest.approx(size, rel=1e-12, abs=1e-10)
            assert found.sign[i] == mpmath.sign(value)
            gap = float(mpmath.log(1 - value))
            # ReLU's 1 - phi_check is a difference for close pairs
            assert found.log_gap[i] == pytest.approx(gap, rel=1e-11, abs=1e-9)


def test_equal_rows_are_at_the_diagonal():
    for case in CASES.values():
        found = deep_kernel(dual_activation(case), [0.0], 50)
        np.testing.assert_allclose(found.log_size, 0, atol=1e-10)
        assert found.value[0] == 1


def test_the_diagonal_is_a_geometric_sum():
    assert log_diagonal(2.0, 5) == pytest.approx(np.log(63))
    assert log_diagonal(1.0, 5000) == pytest.approx(np.log(5001))
    assert log_diagonal(0.5, 10_000) == pytest.approx(np.log(2))
    assert log_diagonal(2.0, 10_000) == pytest.approx(10_001 * np.log(2))


@pytest.mark.parametrize("case", ["h_2", "d = 2", "tanh", "sigmoid", "vote"])
def test_ten_thousand_layers_are_finite_in_the_logarithm(case):
    found = deep_kernel(dual_activation(CASES[case]), T, 10_000)
    assert np.isfinite(found.log_size).all()
    assert np.isfinite(found.log_gap).all()


def test_deep_relu_networks_see_a_quarter_everywhere():
    angles = np.linspace(0.3, 1.5, 7)  # between rows of the orthant
    found = deep_kernel(dual_activation("relu"), 1 - np.cos(angles), 5000)
    np.testing.assert_allclose(found.value, 0.2510, atol=1e-3)


@pytest.mark.parametrize("d", [1, 2, 3, 8, 784])
def test_psi_solves_its_equation(d):
    dual = dual_activation(optimal_coefficients(d))
    xi = np.concatenate([np.linspace(0.02, 0.98, 25), -np.linspace(0.02, 0.9, 25)])
    before, sign = log_psi(dual, 1 - xi)
    after, sign_after = log_psi(dual, 1 - dual(xi))
    # 1 - xi has 16 digits of 1, psi has the exponent d / 2
    np.testing.assert_allclose(after, before + np.log(dual.a), rtol=1e-12, atol=1e-9 * d)
    np.testing.assert_array_equal(sign, sign_after)


def test_psi_is_linear_at_zero_and_positive_above_it():
    dual = dual_activation(optimal_coefficients(4))
    size, sign = log_psi(dual, np.array([1 - 1e-9, 1 + 1e-9]))
    np.testing.assert_allclose(size, np.log(1e-9), atol=1e-6)
    np.testing.assert_array_equal(sign, [1, -1])


@pytest.mark.parametrize("d", [1, 2, 4, 8, 32])
def test_psi_is_the_limit_of_sigma_and_has_the_slope_alpha(d):
    dual = dual_activation(optimal_coefficients(d))
    with mpmath.workdps(200):
        sigma = exact(dual, 0.25, 300)[1]
        limit = float(mpmath.log(sigma) - 300 * mpmath.log(mpmath.mpf(dual.a)))
    assert log_psi(dual, 0.25)[0] == pytest.approx(limit, rel=1e-11, abs=1e-9)
    log_distance = np.log(np.geomspace(1e-4, 1e-2, 41))
    values, _ = log_psi(dual, np.exp(2 * log_distance) / 2)
    assert np.polyfit(log_distance, values, 1)[0] == pytest.approx(-d, rel=1e-3)


def test_equal_rows_have_no_finite_weight():
    with pytest.raises(ValueError, match="t must be > 0: equal rows have no finite weight"):
        log_psi(dual_activation("tanh"), [0.5, 0.0])
