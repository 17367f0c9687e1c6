"""Power laws with an asymptote: exact ones are found, weak ones are called so."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from overparam.theory.scaling import (
    PowerLaw,
    bootstrap,
    data_efficiency,
    fit_power_law,
    search_exponent,
)


@pytest.mark.parametrize(
    ("x", "law"),
    [
        (np.arange(1.0, 9), (0.1, 1.0, 2.5)),
        (np.array([0.15, 0.3, 0.6, 1.4]), (0.05, 1.02, 3.43)),
        (np.array([3e4, 1e5, 4e5, 2e6]), (30.0, 0.37, 2.1)),
        (np.array([1.0, 2, 4, 8, 16]), (2.0, 0.5, 0.0)),
    ],
)
def test_exact_laws_are_found(x, law):
    A, alpha, E = law
    found = fit_power_law(x, A / x**alpha + E)
    np.testing.assert_allclose((found.A, found.alpha), (A, alpha), rtol=1e-6)
    assert found.asymptote == pytest.approx(E, abs=1e-6)
    np.testing.assert_allclose(found.predict(x), A / x**alpha + E, rtol=1e-9)
    assert found.cov_[2, 2] < 1e-12


def noisy(seed=0, repeats=6, noise=0.01):
    x = np.repeat([1.0, 2, 4, 8, 16, 32], repeats)
    rng = np.random.default_rng(seed)
    return x, 2 + 1 / x**0.8 + noise * rng.standard_normal(len(x))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_least_squares_fit_of_all_three_numbers(seed):
    x, loss = noisy(seed)

    def residual(p):
        return np.exp(p[0]) / x ** np.exp(p[1]) + p[2] - loss

    starts = [[0, np.log(alpha), loss.min()] for alpha in (0.25, 0.5, 1, 1.5)]
    peers = [least_squares(residual, start, xtol=1e-15, ftol=1e-15) for start in starts]
    peer = min(peers, key=lambda found: found.cost)
    found = fit_power_law(x, loss)
    expected = (np.exp(peer.x[0]), np.exp(peer.x[1]), peer.x[2])
    np.testing.assert_allclose((found.A, found.alpha, found.asymptote), expected, rtol=1e-5)
    assert ((found.predict(x) - loss) ** 2).sum() <= 2 * peer.cost * (1 + 1e-12)


def test_the_covariance_is_that_of_repeated_fits():
    laws = [fit_power_law(*noisy(seed)) for seed in range(200)]
    spread = np.cov([(law.A, law.alpha, law.asymptote) for law in laws], rowvar=False)
    mean = np.mean([law.cov_ for law in laws], axis=0)
    np.testing.assert_allclose(np.diag(spread), np.diag(mean), rtol=0.35)  # 3.5 standard errors


def test_the_bootstrap_holds_the_truth_as_often_as_it_says():
    x = np.array([1.0, 2, 4, 8, 16, 32])
    held = 0
    for seed in range(60):
        _, loss = noisy(seed)
        found = bootstrap(x, loss.reshape(6, 6), resamples=300, random_state=seed)
        ends = found.interval()
        held += ends.low <= 2 <= ends.high
        assert found.identified
    assert held / 60 > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 60)


def test_few_points_and_straight_lines_identify_no_asymptote():
    with pytest.warns(UserWarning, match="asymptote is not identified by these 3 points"):
        law = fit_power_law([1, 2, 3], [3, 2.8, 2.75])
    assert np.isinf(law.cov_).all()
    x = np.array([1.0, 2, 4, 8])
    noise = np.array([0.01, -0.02, 0.02, -0.01])
    with pytest.warns(UserWarning, match="Measure at larger x, or more often"):
        fit_power_law(x, 3 - 0.1 * np.log(x) + noise)
    with pytest.warns(UserWarning, match="not identified"):
        fit_power_law(x, np.full(4, 2.0))
    vague = bootstrap(x, [[2.5, 2.7], [2.4, 2.6], [2.45, 2.55], [2.4, 2.6]])
    assert not vague.identified
    sure = [[3.0, 3.001], [2.5, 2.501], [2.4, 2.401]]
    assert not bootstrap([1, 2, 4], sure).identified  # whatever the seeds agree on
    assert bootstrap([1, 2, 4, 8], [*sure, [2.38, 2.381]]).identified


def test_seeds_may_differ_in_number_and_wide_ones_give_wide_intervals():
    rng = np.random.default_rng(0)
    x = [1, 2, 4, 8]

    def width(noise):
        losses = [
            2 + 1 / k + noise * rng.standard_normal(n) for k, n in zip(x, (3, 5, 4, 9), strict=True)
        ]
        ends = bootstrap(x, losses).interval()
        return ends.high - ends.low

    assert width(0.05) > 3 * width(0.005)


def test_laws_are_inverted_and_efficiency_is_a_multiple_of_the_data():
    law = PowerLaw(3.0, 0.4, 2.0)
    np.testing.assert_allclose(law.invert(law.predict([10.0, 500.0])), [10, 500])
    assert data_efficiency(law.predict([600.0])[0], law, used=200) == pytest.approx(3)
    assert data_efficiency(2.0, law) == np.inf
    assert data_efficiency(1.5, law) == np.inf
    with pytest.raises(ValueError, match="used must be a number > 0; got 0"):
        data_efficiency(2.5, law, used=0)


def test_many_curves_are_searched_each_for_itself():
    x = np.array([0.5, 1, 2, 4])
    curves = np.stack([1 + 2 / x**0.7, 0.5 / x**1.3])
    steps = ((0.02, 60), (1e-3, 25), (5e-5, 25))
    floor, slope, exponent = search_exponent(x, curves, np.ones_like(curves), steps, (0.1, 2.0))
    np.testing.assert_allclose(exponent, [0.7, 1.3], atol=1e-4)
    np.testing.assert_allclose(floor, [1, 0], atol=1e-3)
    np.testing.assert_allclose(slope, [2, 0.5], rtol=1e-3)


@pytest.mark.parametrize(
    ("x", "loss", "message"),
    [
        ([1, 2, 2], [3, 2, 2], "x must have at least three distinct values > 0; got"),
        ([0, 1, 2], [3, 2, 1], "x must have at least three distinct values > 0"),
        ([1, 2, 3], [3, np.nan, 1], "x and loss must be finite; got NaN or infinity"),
        ([1, 2, np.inf], [3, 2, 1], "x and loss must be finite"),
        ([1, 2, 3], [3, 2], r"vectors of one length; got shapes \(3,\) and \(2,\)"),
    ],
)
def test_bad_input_is_named(x, loss, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(x, loss)


def test_one_seed_has_no_bootstrap():
    with pytest.raises(ValueError, match="losses must hold at least two seeds at each x; got 1"):
        bootstrap([1, 2, 3], [[1, 2], [1], [1, 2]])
