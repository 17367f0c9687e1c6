"""The cells of the study: what is simulated is the model of the paper."""

import numpy as np
import pytest

from overparam.data.loading import load
from overparam.studies import high_dimensional_dynamics_cells as measured
from overparam.theory.learning_dynamics import predict

PAIR = ("3", "8")


def test_a_draw_starts_with_the_errors_of_its_start():
    rng = np.random.default_rng(0)
    draws = [measured.linear_draw(rng, 60, 1.5, 4.0, 0.5, (0.0,))[:, 0] for _ in range(200)]
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(200)
    assert np.abs(mean - (1 + 0.5 + 0.25)) == pytest.approx([0, 0], abs=4 * error.max())


def test_simulations_follow_the_theory():
    found = measured.linear_errors(2.0, 5.0, 1.0, 0, 120, 60, (0.1, 1.0, 20.0))
    theory = predict(2.0, 5.0, 1.0, [0.1, 1.0, 20.0])
    assert np.abs(found["test"] / theory.test_mse - 1).max() < 0.06
    assert np.abs(found["train"] / theory.train_mse - 1).max() < 0.06
    assert (found["test_se"] < 0.05).all()


def test_the_simulated_best_time_is_near_the_predicted_one():
    found = measured.stopping_times(1.0, 5.0, 0, 150, 40)
    assert found["time_ratio"] == pytest.approx(1, abs=0.2)
    assert 0 <= found["cost"] < 0.01


def test_random_features_peak_at_as_many_units_as_rows():
    found = measured.random_features([0.25, 1.0, 5.0], 0, "digits", PAIR, 80, 200, 0.0)
    assert found["width"] == [20, 80, 400]
    assert found["late_mse"][1] > 5 * max(found["late_mse"][0], found["late_mse"][2])
    assert np.argmin(found["lambda_min"]) == 1
    assert found["frozen_share"] == pytest.approx([0, 0, 0.8], abs=1e-12)
    assert all(b <= late for b, late in zip(found["best_mse"], found["late_mse"], strict=True))


def test_a_last_layer_at_the_end_is_least_squares_from_its_start():
    X, y, Z, target = measured.image_pair("digits", PAIR, 60, 100, 1)
    rng = np.random.default_rng(0)
    W, w0 = rng.standard_normal((64, 150)), rng.standard_normal(150)
    found = measured.last_layer(X, y, Z, target, W, w0)
    H, G = (np.maximum(part @ W, 0) * np.sqrt(2 / 150) for part in (X, Z))
    w = w0 + np.linalg.pinv(H) @ (y - H @ w0)
    assert found["late_mse"] == pytest.approx(np.mean((G @ w - target) ** 2), rel=1e-6)
    assert found["late_error"] == pytest.approx(np.mean(np.sign(G @ w) != target))


def test_test_labels_are_clean_and_a_fifth_of_the_training_labels_flipped():
    share = []
    for seed in range(20):
        X, y, _, target = measured.image_pair("digits", PAIR, 100, 200, seed)
        assert X.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-12)
        assert np.linalg.norm(X, axis=1).mean() == pytest.approx(1)
        share.append(y)
        digits = load("digits")
        both = np.isin(digits.y, [3, 8])
        order = np.random.default_rng([seed, 1]).permutation(np.flatnonzero(both))[:300]
        truth = np.where(digits.y[order] == 3, 1.0, -1.0)
        np.testing.assert_array_equal(target, truth[100:])
        share[-1] = np.mean(y != truth[:100])
    assert np.mean(share) == pytest.approx(0.2, abs=4 * 0.4 / np.sqrt(2000))


def test_weights_outside_the_data_stay():
    found = measured.frozen_motion(0, "digits", PAIR, 50, 3.0)
    assert found["flow"] < 1e-9
    assert found["descent"] < 1e-9
    assert found["frozen_share"] == pytest.approx(2 / 3)


def test_real_regressions_return_a_figure_a_split():
    found = measured.real_regression("diabetes", 100, 60, 0, 3)
    assert {len(values) for values in found.values()} == {3}
    assert all(regret >= 0 for regret in found["regret"])
    assert all(b <= e for b, e in zip(found["best"], found["end"], strict=True))
    assert found != measured.real_regression("diabetes", 100, 60, 1, 3)
