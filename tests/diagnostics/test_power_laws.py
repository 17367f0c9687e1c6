"""Exponents of data that were made with known ones."""

import numpy as np
import pytest

from overparam.diagnostics import power_law_exponents

MODES = np.arange(1, 3001.0)


def made(alpha, beta, noise=0.0, n=500, seed=0):
    rng = np.random.default_rng(seed)
    phi = rng.standard_normal((n, len(MODES)))
    y = phi @ MODES ** (-beta / 2) + np.sqrt(noise) * rng.standard_normal(n)
    return (phi * MODES**-alpha) @ phi.T, y


@pytest.mark.parametrize(("alpha", "beta"), [(1.3, 1.6), (1.5, 1.8), (2.0, 1.5)])
def test_known_exponents_lie_within_their_intervals(alpha, beta):
    laws = power_law_exponents(*made(alpha, beta))
    assert laws.alpha == pytest.approx(alpha, abs=0.12)
    assert laws.beta == pytest.approx(beta, abs=0.25)
    spread = laws.intervals["beta"]
    assert spread.low < beta < spread.high
    assert laws.rows == 500


def test_noise_is_seen_and_flattens_the_slope():
    clean, noisy = (power_law_exponents(*made(1.5, 2.4, noise)) for noise in (0.0, 0.5))
    assert noisy.noise == pytest.approx(0.5, rel=0.4)
    assert noisy.intervals["noise"].low > 0
    assert clean.noise < 0.05
    assert noisy.beta < clean.beta - 0.5
    assert noisy.alpha == clean.alpha  # of the kernel alone


def test_columns_add_up():
    K, y = made(1.5, 1.8)
    one, two = power_law_exponents(K, y), power_law_exponents(K, np.column_stack([y, y]))
    assert two.beta == pytest.approx(one.beta)
    assert two.noise == pytest.approx(2 * one.noise)


def test_the_mean_of_the_target_does_not_matter():
    K, y = made(1.5, 1.8, n=200)
    assert power_law_exponents(K, y + 100).beta == pytest.approx(power_law_exponents(K, y).beta)


def test_equal_rows_count_once():
    K, y = made(1.5, 1.8, n=200)
    twice = np.r_[np.arange(200), np.arange(50)]
    again = power_law_exponents(K[np.ix_(twice, twice)], y[twice])
    assert again.rows == 200
    assert again.alpha == pytest.approx(power_law_exponents(K, y).alpha, abs=0.05)


@pytest.mark.parametrize(
    ("K", "y", "message"),
    [
        (np.eye(3)[:2], np.ones(2), r"K must be a square kernel matrix; got shape \(2, 3\)"),
        (np.eye(70), np.ones(69), "y must have one entry per row of K; got 69 for 70 rows"),
        (np.eye(63), np.ones(63), "K must have at least 64 different rows; got 63"),
        (np.ones((80, 80)), np.ones(80), "K must have at least 64 different rows; got 1"),
        (-np.eye(70), np.ones(70), "K must be positive definite; got a diagonal entry <= 0"),
    ],
)
def test_bad_input_is_named(K, y, message):
    with pytest.raises(ValueError, match=message):
        power_law_exponents(K, y)
