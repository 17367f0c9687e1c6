"""Marchenko and Pastur's law: its mass, its moments, its edges, and samples of it."""

import numpy as np
import pytest

from overparam.theory.covariance_spectrum import as_spectrum, marchenko_pastur

ALPHAS = [0.2, 0.5, 0.99, 1, 1.01, 2, 5]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_mass_is_one_and_the_mean_is_alpha(alpha):
    values, weights, zero_mass = marchenko_pastur(alpha)
    assert weights.sum() + zero_mass == pytest.approx(1, abs=1e-10)
    assert weights @ values == pytest.approx(alpha, abs=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 2, 0.99])
def test_the_mean_inverse_has_its_closed_form(alpha):
    values, weights, _ = marchenko_pastur(alpha)
    assert weights @ (1 / values) == pytest.approx(min(1, alpha) / abs(alpha - 1), rel=1e-9)


def test_the_mean_inverse_is_one_at_a_half_and_at_two():
    for alpha in (0.5, 2):
        values, weights, _ = marchenko_pastur(alpha)
        assert weights @ (1 / values) == pytest.approx(1, rel=1e-10)


def test_nodes_lie_between_the_edges():
    values = marchenko_pastur(0.5, 1000).values
    assert (1 - np.sqrt(0.5)) ** 2 < values.min() < values.max() < (1 + np.sqrt(0.5)) ** 2


def test_moments_are_those_of_a_sample():
    n, p = 800, 400
    X = np.random.default_rng(0).standard_normal((n, p)) / np.sqrt(n)
    sample = np.linalg.eigvalsh(X.T @ X)
    values, weights, zero_mass = marchenko_pastur(p / n)
    assert zero_mass == pytest.approx(1 - p / n)
    for power in (2, 3, -1):  # moments of a sample converge at rate 1 / n
        assert weights @ values**power == pytest.approx((sample**power).sum() / n, rel=0.02)


@pytest.mark.parametrize("alpha", [0, -1, np.inf, np.nan])
def test_alpha_must_be_positive(alpha):
    with pytest.raises(ValueError, match="alpha must be a number > 0"):
        marchenko_pastur(alpha)


def test_nodes_must_be_a_count():
    with pytest.raises(ValueError, match="n_nodes must be an integer >= 1; got 0"):
        marchenko_pastur(1.0, 0)


@pytest.mark.parametrize(
    ("spectrum", "text"),
    [
        (([1.0, 2.0], [1.0], 0), "vectors of values and weights of one length"),
        (([0.0, 2.0], [0.5, 0.5], 0), "values > 0; got 0. The mass of zeros is its third entry"),
        (([1.0], [-0.5], 0), "finite weights and a zero mass >= 0"),
        (([1.0], [0.5], -0.5), "finite weights and a zero mass >= 0"),
    ],
)
def test_a_spectrum_of_ones_own_is_checked(spectrum, text):
    with pytest.raises(ValueError, match=text):
        as_spectrum(spectrum)
