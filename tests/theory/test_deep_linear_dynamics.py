"""Closed forms of depth 1 and 2 and the integration of others, against an independent solver."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from overparam.theory.deep_linear_dynamics import deep_linear

TIMES = np.array([0.0, 0.3, 1.0, 2.5, 6.0])


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_strengths_solve_their_equation(depth):
    target, start, value = np.array([2.0, 0.7]), np.array([0.05, 0.9]), np.array([1.0, 0.4])

    def slope(_, s):
        return depth * value * s ** (2 - 2 / depth) * (target - s)

    exact = solve_ivp(
        slope, (0, TIMES[-1]), start, method="RK45", t_eval=TIMES, rtol=1e-12, atol=1e-13
    ).y
    assert deep_linear(target, start, TIMES, depth, value) == pytest.approx(exact, abs=1e-8)


def test_weak_modes_and_small_starts_come_later():
    times = np.linspace(0, 20, 400)

    def half(target, start):
        return times[(deep_linear(target, start, times) > target / 2).argmax()]

    assert half(2.0, 1e-3) < half(1.0, 1e-3) < half(1.0, 1e-6)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_end_is_the_target(depth):
    assert deep_linear(2.0, 0.1, np.inf, depth) == 2.0
    late = deep_linear([2.0, 1.0], 0.1, [1.0, 1e6, np.inf], depth)
    assert late[:, 1:] == pytest.approx(np.array([[2.0, 2.0], [1.0, 1.0]]), rel=1e-8)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"target": 0.0}, "target must be finite and > 0; got 0.0"),
        ({"start": -1.0}, "start must be finite and > 0; got -1.0"),
        ({"input_eigenvalue": np.inf}, "input_eigenvalue must be finite and > 0"),
        ({"times": [1, 0]}, "times must be increasing numbers >= 0"),
        ({"depth": 0}, "depth must be an integer >= 1; got 0"),
    ],
)
def test_errors_name_what_is_wrong(change, text):
    good = {"target": 1.0, "start": 0.1, "times": [0.0, 1.0]}
    with pytest.raises(ValueError, match=text):
        deep_linear(**(good | change))
