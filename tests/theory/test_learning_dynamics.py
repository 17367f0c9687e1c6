"""Closed forms, limits, finite matrices and gradient descent against the predicted dynamics."""

import time

import numpy as np
import pytest
from scipy.linalg import expm

from overparam.theory import learning_dynamics
from overparam.theory.learning_dynamics import (
    marchenko_pastur,
    optimal_stopping,
    predict,
    ridge_mse,
    worst_size,
)


def test_errors_over_time_are_those_of_the_specification():
    assert predict(0.5, 5, 0, [0, 1, np.inf]).test_mse == pytest.approx([1.2, 0.866, 0.9], abs=5e-4)
    late = predict(2, 5, 0, np.inf)
    assert late.test_mse == pytest.approx(0.4, rel=1e-12)
    assert late.train_mse == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1, 3])
@pytest.mark.parametrize(("snr", "inr"), [(5, 0), (0.3, 2)])
def test_at_the_start_both_errors_are_signal_start_and_noise(alpha, snr, inr):
    start = predict(alpha, snr, inr, 0.0)
    assert start.test_mse == pytest.approx(1 + inr + 1 / snr, rel=1e-12)
    assert start.train_mse == pytest.approx(1 + inr + 1 / snr, rel=1e-12)
    assert start.weight_norm == pytest.approx(inr, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.2, 0.8, 0.95, 0.999])
def test_late_errors_below_one_sample_a_parameter(alpha):
    found = predict(alpha, 4, 0.5, np.inf)
    expected = 1.5 * (1 - alpha) + alpha / (1 - alpha) / 4 + 1 / 4
    assert found.test_mse == pytest.approx(expected, rel=1e-12)
    assert found.train_mse == 0


@pytest.mark.parametrize("alpha", [1.001, 1.05, 1.5, 8])
def test_late_errors_above_one_sample_a_parameter(alpha):
    found = predict(alpha, 4, 0.5, np.inf)
    assert found.test_mse == pytest.approx((1 + 1 / (alpha - 1)) / 4, rel=1e-12)
    assert found.train_mse == pytest.approx((1 - 1 / alpha) / 4, rel=1e-9)


def test_at_one_sample_a_parameter_the_end_never_comes():
    found = predict(1.0, 5, 0, [1e4, 1e5, np.inf])
    assert found.test_mse[:2] == pytest.approx([13.32, 41.9], rel=2e-3)
    assert np.isinf(found.test_mse[2])


def test_hardly_any_or_very_many_samples():
    few = predict(1e-6, 5, 0.3, [1.0, np.inf])
    assert few.test_mse == pytest.approx([1.5, 1.5], rel=1e-5)
    many = predict(1e4, 5, 0.3, np.inf)
    assert many.test_mse == pytest.approx(0.2, rel=2e-4)


@pytest.mark.parametrize("alpha", [1.5, 2, 10])
def test_without_noise_enough_samples_tell_everything(alpha):
    assert predict(alpha, 1e12, 0.0, np.inf).test_mse < 1e-6


def test_weight_norms():
    times = [0, 0.5, 3, 50]
    found = predict([0.5, 2.0], 5, 1.0, times).weight_norm
    assert found[0] == pytest.approx([1, 0.8235, 0.9843, 1.1995], abs=1e-4)
    assert found[1] == pytest.approx([1, 0.6624, 1.0262, 1.2000], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((0.5, 5), (2.707, 0.8261)), ((1, 5), (3.067, 0.5675)), ((0.5, 5, 1.0), (4.787, 1.3541))],
)
def test_when_to_stop(arguments, expected):
    assert optimal_stopping(*arguments) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.97, 1, 1.3, 4, 1e3])
@pytest.mark.parametrize("snr", [1e-2, 1, 25, 1e6])
def test_no_other_time_is_better_and_no_time_beats_the_ridge(alpha, snr):
    stop, least = optimal_stopping(alpha, snr, 0.2)
    around = stop * np.geomspace(1e-2, 1e2, 2001)
    errors = predict(alpha, snr, 0.2, around).test_mse
    assert least <= errors.min() * (1 + 1e-12)
    near = predict(alpha, snr, 0.2, stop * np.array([0.999, 1.001])).test_mse
    assert (near >= least * (1 - 1e-14)).all()
    assert optimal_stopping(alpha, snr)[1] >= ridge_mse(alpha, snr) * (1 - 1e-12)


def test_the_ridge_in_closed_form_is_the_integral():
    assert ridge_mse(1, 5) == pytest.approx(0.5583, abs=5e-5)
    assert ridge_mse(1, 1) == pytest.approx(1.6180, abs=5e-5)
    for alpha in (0.3, 0.99, 1, 2.5):
        for snr in (0.1, 5, 100):
            values, weights, zero_mass = marchenko_pastur(alpha)
            integral = (weights / (1 + snr * values)).sum() + zero_mass + 1 / snr
            assert ridge_mse(alpha, snr) == pytest.approx(integral, rel=1e-10)
            own = predict(alpha, snr, 0, 1.0, (values, weights, zero_mass)).ridge_mse
            assert own == pytest.approx(integral, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.02, 0.89, 0.97, 0.998, 1, 1.004, 1.1, 50])
def test_the_nodes_are_as_many_as_are_needed(alpha):
    times = np.geomspace(1e-2, 1e5, 50)
    coarse = predict(alpha, 5, 1, times)
    fine = predict(alpha, 5, 1, times, marchenko_pastur(alpha, 40_000))
    for name in ("test_mse", "train_mse", "weight_norm"):
        np.testing.assert_allclose(
            getattr(coarse, name), getattr(fine, name), rtol=1e-10, atol=1e-13
        )


@pytest.mark.parametrize(("n", "p"), [(12, 5), (6, 15)])
def test_the_spectrum_of_a_matrix_gives_the_mean_over_teacher_noise_and_start(n, p):
    """Against matrices: w - wbar = (w0 - wbar) E + eps F with E = e^{-XX't}, F from the flow."""
    X = np.random.default_rng(3).standard_normal((n, p)) / np.sqrt(n)
    cov, snr, inr = X @ X.T, 3.0, 0.4
    values = np.linalg.eigvalsh(cov)
    values = values[values > 1e-10]
    spectrum = (values, np.full(len(values), 1 / n), 1 - len(values) / n)
    times = [0.0, 0.7, 3.0, 40.0]
    found = predict(p / n, snr, inr, times, spectrum)
    for i, t in enumerate(times):
        E = expm(-cov * t)
        F = X.T @ np.linalg.pinv(cov) @ (np.eye(n) - E)  # (p, n): what the noise adds to w
        test = (1 + inr) * np.trace(E @ E) / n + np.sum(F**2) / snr / n + 1 / snr
        residual = F @ X - np.eye(p)  # eps F X - eps on the training columns
        train = (1 + inr) * np.trace(X.T @ E @ E @ X) / p + np.sum(residual**2) / snr / p
        norm = inr * np.trace(E @ E) / n + np.sum((np.eye(n) - E) ** 2) / n + np.sum(F**2) / snr / n
        assert found.test_mse[i] == pytest.approx(test, rel=1e-10)
        assert found.train_mse[i] == pytest.approx(train, rel=1e-10)
        assert found.weight_norm[i] == pytest.approx(norm, rel=1e-10)


def test_gradient_descent_follows_the_flow():
    """Explicit steps at rate 1e-3 on a finite problem whose own spectrum is passed in."""
    rng = np.random.default_rng(0)
    n, p, draws, rate = 20, 12, 400, 1e-3
    X = rng.standard_normal((n, p)) / np.sqrt(n)
    values = np.linalg.eigvalsh(X.T @ X)
    teachers, noise = rng.standard_normal((draws, n)), rng.standard_normal((draws, p)) / np.sqrt(5)
    # Draws with exactly the moments of the theory, so that only the step size is left as an error.
    both = np.concatenate([teachers, noise * np.sqrt(5)], 1)
    white = both @ np.linalg.inv(np.linalg.cholesky(both.T @ both / draws)).T
    teachers, noise = white[:, :n], white[:, n:] / np.sqrt(5)
    y, w = teachers @ X + noise, np.zeros((draws, n))
    found = predict(p / n, 5, 0, [1.0, 4.0], (values, np.full(p, 1 / n), 1 - p / n))
    for step in range(1, 4001):
        w += rate * (y - w @ X) @ X.T
        if step in (1000, 4000):
            test = ((w - teachers) ** 2).sum() / draws / n + 1 / 5
            assert test == pytest.approx(found.test_mse[0 if step == 1000 else 1], rel=1e-2)


def test_arguments_broadcast_with_time_last():
    alpha, snr = np.array([[0.5], [2.0]]), np.array([1.0, 5.0, 25.0])
    found = predict(alpha, snr, 0.0, [0.0, 1.0, 2.0, 3.0])
    assert found.test_mse.shape == (2, 3, 4)
    assert found.optimal_time.shape == found.ridge_mse.shape == (2, 3)
    alone = predict(2.0, 25.0, 0.0, 3.0)
    assert found.test_mse[1, 2, 3] == alone.test_mse
    assert found.optimal_time[1, 2] == pytest.approx(alone.optimal_time, rel=1e-9)


@pytest.mark.parametrize("snr", [1, 5, 25])
def test_overtraining_is_worst_with_as_many_parameters_as_samples(snr):
    assert worst_size(snr, 1e4) == pytest.approx(1, abs=0.01)
    assert worst_size(snr, np.inf) == 1


def test_short_training_is_worst_elsewhere():
    assert worst_size(5.0, 5.0) > 1.1


@pytest.mark.slow
def test_a_million_points_take_two_seconds():
    grid = np.geomspace(0.1, 10, 100)
    start = time.process_time()
    found = predict(grid[:, None], np.geomspace(0.1, 100, 100), 0.0, np.geomspace(0.01, 1e4, 100))
    assert found.test_mse.size == 1_000_000
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 5, 0, [1]), "alpha must be finite and > 0; got 0"),
        ((-1, 5, 0, [1]), "alpha must be finite and > 0; got -1"),
        ((1, 0, 0, [1]), "snr must be finite and > 0; got 0"),
        ((1, -2, 0, [1]), "snr must be finite and > 0; got -2"),
        ((1, 5, -0.1, [1]), "init_variance must be finite and >= 0; got -0.1"),
        ((1, 5, 0, [2, 1]), "times must be increasing numbers >= 0"),
        ((1, 5, 0, [-1, 1]), "times must be increasing numbers >= 0"),
        ((1, 5, 0, [np.nan]), "times must be increasing numbers >= 0"),
    ],
)
def test_errors_name_what_is_wrong(arguments, text):
    with pytest.raises(ValueError, match=text):
        predict(*arguments)


def test_a_time_of_zero_has_no_worst_size():
    with pytest.raises(ValueError, match="time must be a number > 0; got 0"):
        worst_size(5, 0)


def test_everything_that_is_promised_is_in_one_place():
    assert all(hasattr(learning_dynamics, name) for name in learning_dynamics.__all__)
