"""Random nets of the study: known values at sizes that take a moment."""

import numpy as np
import pytest

from overparam.studies import deep_learning_theory_cells as measured


def test_random_nets_have_the_kernels_of_the_recursion():
    found = measured.random_nets("tanh", 5, 128, 30, 0, (2, 5))
    for quantity in ("K_2", "K_5", "H"):
        error = found[f"{quantity}_error"]
        assert abs(found[quantity] - found[f"{quantity}_theory"]) < 4 * error
        assert error < 0.05 * found[quantity]


def test_the_theory_beside_the_metrics_is_the_exact_power_or_the_recursion():
    found = measured.metric_moments("relu", 50, (2, 6), 20_000, 0)
    assert found["theory_2"] == pytest.approx(5)
    assert found["theory_6"] == pytest.approx(50 * (1.1**5 - 1))
    assert found["measured_2"] == pytest.approx(5, rel=0.06)
    tanh = measured.metric_moments("tanh", 200, (2, 11), 2000, 0)
    assert [tanh["theory_2"], tanh["theory_11"]] == pytest.approx([0.627, 6.16], abs=5e-3)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_gradients_follow_the_factor(factor):
    found = measured.gradient_ratio("relu", factor, 12, 300, 8, 0)
    assert found["theory"] == pytest.approx(10 * np.log10(factor))
    assert found["geometric"] == pytest.approx(found["theory"], abs=0.35)
    assert found["arithmetic"] == pytest.approx(11 * np.log10(factor), abs=0.35)


def test_residual_moments_with_and_without_skips():
    for residual, theory in ((0.0, 2.0), (0.5, 1.5)):
        found = measured.residual_moments("linear", residual, 200, 9, 8000, 0)
        assert found["theory"] == pytest.approx(theory, rel=0.03)
        assert found["measured"] == pytest.approx(found["theory"], rel=0.15)


def test_the_input_has_unit_mean_square():
    x = measured.unit_input(50, 3)
    assert x.shape == (1, 1, 50)
    assert float(x.square().mean()) == pytest.approx(1, rel=1e-6)
