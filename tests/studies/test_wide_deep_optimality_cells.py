"""The cells of the study: samples, kernels and the finite networks."""

import numpy as np
import pytest
import torch

from overparam.data.orthant import make_orthant
from overparam.kernels.hermite import hermite_values
from overparam.studies import wide_deep_optimality_cells as measured

DIGITS = {"source": "digits", "pair": "3/8", "parts": ((30, 20), (25, 25))}


def test_image_pairs_have_their_numbers_and_share_no_row():
    X, y, test, test_y = measured.image_pair(*DIGITS.values(), seed=0)
    assert np.bincount(y).tolist() == [30, 20]
    assert np.bincount(test_y).tolist() == [25, 25]
    assert not {row.tobytes() for row in X} & {row.tobytes() for row in test}
    again = measured.image_pair(*DIGITS.values(), seed=1)[0]
    assert not np.array_equal(X, again)


def test_deep_networks_agree_with_their_limit_and_shallow_ones_do_not():
    found = measured.limit_agreement("vote", [1, 30], 0, **DIGITS)
    assert found["kind"] == ["majority-vote"] * 2
    assert found["agreement"][1] == 1 > found["agreement"][0]


@pytest.mark.parametrize("d", [1, 2, 8])
def test_slopes_are_alpha_and_alpha_plus_two(d):
    found = measured.weight_slopes(d, 60)
    assert found["psi"] == pytest.approx(-d, rel=1e-4)
    assert found["kernel"] == pytest.approx(-d - 2, rel=3e-4)


def test_excess_risks_put_the_rules_in_order():
    found = {
        rule: np.mean([measured.excess_risks("smooth", 400, 0, draw)[rule] for draw in range(3)])
        for rule in ("alpha = d", "psi", "1-NN", "majority")
    }
    assert found["alpha = d"] < found["1-NN"] < found["majority"]
    assert found["psi"] == pytest.approx(found["alpha = d"], rel=0.1)


def test_draws_and_seeds_are_other_samples_of_which_train_and_test_share_the_world():
    first, second = (measured.samples("long tail", 50, 0, draw)[0].X for draw in (0, 1))
    other = measured.samples("long tail", 50, 1, 0)[0].X
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    train, test = measured.samples("long tail", 50, 0, 0)
    expected = make_orthant("long tail", measured.TEST_ROWS, seed=1, world=0)
    np.testing.assert_array_equal(test.X, expected.X)
    assert not np.array_equal(train.X, test.X[:50])


def test_few_layers_learn_the_regression_and_many_predict_nothing():
    found = measured.depth_errors([2, 40], 100, 0, 0)
    assert found["regression"][0] < 0.01
    assert found["regression"][1] > 0.9
    assert found["nearest"][0] == found["nearest"][1] > 0


def test_the_networks_activation_is_that_of_the_kernel():
    z = torch.linspace(-3, 3, 7, dtype=torch.float64)
    coefficients = measured.optimal_coefficients(2)
    expected = coefficients @ hermite_values(z.numpy(), 4)
    np.testing.assert_allclose(measured.optimal_activation(z).numpy(), expected, atol=1e-12)


def test_wide_networks_follow_kernel_descent_at_the_same_time_only():
    options = {**DIGITS, "pool": 2, "layers": 1, "seed": 0, "draw": 0}
    wide = measured.finite_network(width=2048, steps=50, **options)
    assert wide["correlation"] > 0.99
    assert wide["agreement"] > 0.9


def test_pooling_averages_squares_and_normalises():
    X = np.arange(16.0).reshape(1, 16)
    expected = np.array([2.5, 4.5, 10.5, 12.5])
    np.testing.assert_allclose(measured.pooled(X, 2)[0], expected / np.linalg.norm(expected))
