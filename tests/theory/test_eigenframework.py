"""The eigenframework: its equations, its limits, and ridge regression that was really done."""

import numpy as np
import pytest

from overparam.theory import eigenframework
from overparam.theory.eigenframework import (
    learning_curve,
    optimal_fitting_ratio,
    optimal_ridge,
    predict,
    unseen_error,
)

MODES = np.arange(1, 1501.0)
LAM, V2, NOISE = MODES**-1.5, MODES**-1.6, 0.05


@pytest.mark.parametrize("k", [1, 50, 100, 1500, 1e9, np.inf])
@pytest.mark.parametrize("n", [1, 20, 100, 1500, 3000])
def test_kappa_and_gamma_satisfy_both_equations_for_every_ridge(n, k):
    ridge = np.geomspace(1e-30, 1e30, 61)
    risk = predict(LAM, V2, NOISE, n, k, ridge)
    z = risk.learnability.sum(axis=-1)
    np.testing.assert_allclose(z + ridge / risk.kappa, n, rtol=1e-10)
    if np.isinf(k):
        np.testing.assert_array_equal(risk.kappa, risk.gamma)
    else:
        np.testing.assert_allclose(z + k * risk.kappa / risk.gamma, k, rtol=1e-10)
    assert (z <= min(n, k) * (1 + 1e-12)).all()
    assert (risk.train_mse <= risk.test_mse * (1 + 1e-12)).all()


@pytest.mark.parametrize(("n", "k"), [(100, 40), (40, 100), (100, np.inf), (700, 699)])
def test_without_a_ridge_the_learnabilities_fill_the_smaller_of_n_and_k(n, k):
    risk = predict(LAM, V2, NOISE, n, k)
    assert risk.learnability.sum() == pytest.approx(min(n, k), rel=1e-10)
    share = max(n - k, 0) / n
    assert risk.train_mse == pytest.approx(share**2 * risk.test_mse, rel=1e-10)
    near = predict(LAM, V2, NOISE, n, k, 1e-15)  # continuous at zero
    assert near.test_mse == pytest.approx(risk.test_mse, rel=1e-6)


@pytest.mark.parametrize(
    ("n", "k", "ridge", "test", "train"),
    [
        (100, 50, 0.01, "0.686", "0.179"),
        (100, 100, 0.1, "0.448", "0.0687"),
        (100, 800, 0.001, "0.2915", None),
        (100, np.inf, 0.001, "0.2574", None),
        (300, np.inf, 0.1, "0.1535", "0.0187"),
        (300, 1200, 1.0, "0.209", "0.118"),
    ],
)
def test_the_papers_values_to_the_digits_shown(n, k, ridge, test, train):
    risk = predict(LAM, V2, NOISE, n, k, ridge)
    for value, shown in ((risk.test_mse, test), (risk.train_mse, train)):
        if shown is not None:
            assert f"{value:.{len(shown) - 2}f}" == shown


def test_an_isotropic_spectrum_has_a_closed_form():
    modes, n, noise = 500, 100, 0.3
    risk = predict(np.ones(modes), np.full(modes, 1 / modes), noise, n)
    kept = n / modes
    assert risk.kappa == pytest.approx(modes / n - 1, rel=1e-10)
    assert risk.test_mse == pytest.approx((1 - kept) + noise / (1 - kept), rel=1e-10)
    assert risk.test_mse == pytest.approx(1.175, rel=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.1, 100.0])
def test_very_many_features_are_infinitely_many(ridge):
    many, all_ = (predict(LAM, V2, NOISE, 200, k, ridge) for k in (1e9, np.inf))
    for name in ("test_mse", "train_mse", "kappa", "gamma"):
        assert getattr(many, name) == pytest.approx(getattr(all_, name), rel=1e-6)


def test_an_infinite_ridge_predicts_zero():
    risk = predict(LAM, V2, NOISE, 100, [50, np.inf], 1e12)
    np.testing.assert_allclose(risk.test_mse, V2.sum() + NOISE, rtol=1e-8)
    np.testing.assert_allclose(risk.train_mse, V2.sum() + NOISE, rtol=1e-8)


def test_fewer_modes_than_samples_is_least_squares():
    risk = predict(np.ones(30), np.ones(30), 0.5, n=100)
    assert risk.test_mse == pytest.approx(0.5 * 100 / 70)  # noise n / (n - M)
    assert risk.gamma == 0
    assert predict(np.ones(30), np.ones(30), 0.0, n=100).test_mse == 0


def test_interpolation_at_n_equal_to_k_explodes():
    risk = predict(LAM, V2, NOISE, 100, 100)
    assert np.isinf(risk.test_mse)
    assert risk.train_mse == 0


def test_points_broadcast_and_do_not_depend_on_each_other():
    n, k, ridge = (
        np.array([50, 300])[:, None, None],
        np.array([80, np.inf])[:, None],
        [0.0, 1e-3, 9],
    )
    together = predict(LAM, V2, NOISE, n, k, ridge)
    assert together.test_mse.shape == (2, 2, 3)
    assert together.learnability.shape == (2, 2, 3, 1500)
    for i, a in enumerate((50, 300)):
        for j, b in enumerate((80, np.inf)):
            for c, d in enumerate(ridge):
                alone = predict(LAM, V2, NOISE, a, b, d)
                assert together.test_mse[i, j, c] == pytest.approx(alone.test_mse, rel=1e-11)


def test_it_predicts_gaussian_ridge_regression():
    """Few modes, many repeats: measured within three standard errors plus 2 % of finite size."""
    rng = np.random.default_rng(0)
    lam, v2, noise, n, ridge = MODES[:300] ** -1.5, MODES[:300] ** -1.6, 0.05, 80, 0.01
    errors = []
    for _ in range(60):
        X = rng.standard_normal((n, 300)) * np.sqrt(lam)
        w = np.sqrt(v2 / lam) * rng.choice([-1, 1], 300)
        y = X @ w + np.sqrt(noise) * rng.standard_normal(n)
        a = np.linalg.solve(X @ X.T + ridge * np.eye(n), y)
        train = np.mean((ridge * a) ** 2)
        errors.append((np.sum(lam * (X.T @ a - w) ** 2) + noise, train))
    risk = predict(lam, v2, noise, n, ridge=ridge)
    mean, error = np.mean(errors, axis=0), np.std(errors, axis=0) / np.sqrt(60)
    assert (np.abs(mean - [risk.test_mse, risk.train_mse]) < 3 * error + 0.02 * mean).all()


@pytest.mark.parametrize("noise", [1e-4, 0.01, 0.1, 10.0])
def test_the_best_ridge_of_a_matched_prior_is_the_noise(noise):
    """v_i^2 = lambda_i: the mean of a Gaussian process, whose posterior mean is optimal."""
    assert optimal_ridge(LAM, LAM, noise, 300) == pytest.approx(noise, rel=1e-3)


@pytest.mark.parametrize("k", [60, 200, 500, np.inf])
def test_no_ridge_of_a_dense_path_beats_the_best(k):
    best = optimal_ridge(LAM, V2, NOISE, 200, k)
    path = predict(LAM, V2, NOISE, 200, k, np.r_[0, np.geomspace(1e-8, 1e3, 400)])
    assert predict(LAM, V2, NOISE, 200, k, best).test_mse <= path.test_mse.min() * (1 + 1e-9)


def test_tuned_error_never_rises_with_samples_or_features():
    n, k = np.array([20, 60, 200, 600])[:, None], np.array([20, 60, 200, 600, np.inf])
    tuned = predict(LAM, V2, NOISE, n, k, optimal_ridge(LAM, V2, NOISE, n, k)).test_mse
    assert (np.diff(tuned, axis=0) <= 0).all()
    assert (np.diff(tuned, axis=1) <= 0).all()


def test_the_learning_curve_is_tuned_at_every_size_unless_told_otherwise():
    sizes = [50, 400]
    tuned = learning_curve(LAM, V2, NOISE, sizes).test_mse
    fixed = learning_curve(LAM, V2, NOISE, sizes, ridge=3.0).test_mse
    assert fixed == pytest.approx(predict(LAM, V2, NOISE, sizes, ridge=3.0).test_mse)
    assert (tuned < fixed).all()
    with pytest.raises(ValueError, match="ridge must be a number >= 0 or 'optimal'; got 'best'"):
        learning_curve(LAM, V2, NOISE, sizes, ridge="best")


@pytest.mark.parametrize(
    ("alpha", "beta", "noise", "root", "grid"),
    [
        (1.5, 1.8, 0.3, 0.0, 0.0),
        (1.5, 1.8, 1, 0.211, 0.23),
        (2, 1.5, 0, 0.333, 0.31),
        (1.5, 1.2, 0, 0.5, 0.43),
        (1.3, 1.6, 2, 0.298, 0.32),
    ],
)
def test_known_fitting_ratios(alpha, beta, noise, root, grid):
    assert optimal_fitting_ratio(alpha, beta, noise) == pytest.approx(root, abs=5e-4)
    modes = np.arange(1, 60_001.0)
    lam, v2 = modes**-alpha, modes**-beta
    variance = noise * predict(lam, v2, 0.0, 300).test_mse
    ridge = optimal_ridge(lam, v2, variance, 300)
    ratio = np.sqrt((r := predict(lam, v2, variance, 300, ridge=ridge)).train_mse / r.test_mse)
    assert ratio == pytest.approx(grid, abs=0.08)  # finite n and M; the minimum is flat


def test_interpolation_is_best_up_to_the_threshold_of_the_noise():
    alpha, beta = 1.5, 1.8
    threshold = (beta - alpha) / (alpha * (alpha - 1))
    assert optimal_fitting_ratio(alpha, beta, threshold * 0.999) == 0
    assert optimal_fitting_ratio(alpha, beta, threshold * 1.01) > 0


def test_the_rows_of_a_pool_that_were_not_seen_have_the_remaining_error():
    risk = predict(LAM, V2, NOISE, 100, ridge=0.1)
    unseen = unseen_error(risk, 100, 400)
    assert 0.25 * risk.train_mse + 0.75 * unseen == pytest.approx(risk.test_mse)
    with pytest.raises(ValueError, match="n must lie between 0 and the pool of 400 rows; got 400"):
        unseen_error(risk, 400, 400)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ridge": [0.1, -0.5]}, "ridge must be a finite number >= 0; got -0.5"),
        ({"ridge": np.nan}, "ridge must be a finite number >= 0; got nan"),
        ({"n": 0.5}, "n must be a finite number >= 1; got 0.5"),
        ({"n": np.inf}, "n must be a finite number >= 1; got inf"),
        ({"k": 0}, "k must be a number >= 1; got 0"),
        ({"noise": -1}, "noise must be a finite number >= 0; got -1"),
        ({"eigenvalues": [1.0, 0.0]}, "eigenvalues must be finite and > 0; got 0"),
        ({"coefficients2": [1.0, -2.0]}, "coefficients2 must be finite and >= 0; got -2"),
        ({"coefficients2": [1.0]}, r"one entry per eigenvalue, \(2,\); got shape \(1,\)"),
        ({"eigenvalues": 3.0}, r"eigenvalues must be a vector; got shape \(\)"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"eigenvalues": [1.0, 0.5], "coefficients2": [1.0, 1.0], "noise": 0.1, "n": 3}
    with pytest.raises(ValueError, match=message):
        predict(**(good | change))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 1.5, 0), "alpha must be a number > 1; got 1.0"),
        ((1.5, 4.0, 0), r"beta must lie in .* = \(1, 4\); got 4.0"),
        ((1.5, 1.8, -1), "noise_to_signal must be a finite number >= 0; got -1"),
    ],
)
def test_bad_exponents_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        optimal_fitting_ratio(*arguments)


def test_the_module_is_public_in_its_room():
    import overparam.theory

    assert overparam.theory.eigenframework is eigenframework
