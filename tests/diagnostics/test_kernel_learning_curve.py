"""Predicted learning curves of kernel regression against those that are then measured."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import rbf_kernel

from overparam.diagnostics import predict_learning_curve
from overparam.diagnostics.kernel_learning_curve import default_kernel
from overparam.kernels.ridge_path import RidgePath

images, digits = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))  # writers follow one another
images, digits = images[order], digits[order]
X, Y = images / 16, np.eye(10)[digits]


def tuned_error(n, kernel=None):
    part = np.random.default_rng(1).permutation(len(X))[:n]
    K = (kernel or default_kernel())(X[part])
    path = RidgePath.from_kernel(K, Y[part] - Y[part].mean(axis=0), intercept=True)
    return path.loo(path.default_ridges).min()


@pytest.fixture(scope="module")
def curve():
    return predict_learning_curve(X[:300], Y[:300], [75, 300, 1200])


def test_four_times_the_rows_are_within_the_interval(curve):
    for size, low, high in zip(curve.sizes[1:], curve.low[1:], curve.high[1:], strict=True):
        assert low * 0.95 < tuned_error(int(size)) < high * 1.05
    assert (np.diff(curve.mse) < 0).all()
    spread = curve.high / curve.low
    assert spread[2] > spread[1]  # farther is less sure


def test_digits_are_best_interpolated(curve):
    assert curve.fitting_ratio < 0.05
    assert curve.fitting_ratio_interval.high < 0.2
    assert curve.interpolation_cost < 0.02


def test_noise_asks_for_a_ridge_and_leaves_a_floor():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 4))
    target = rows[:, 0] + rng.standard_normal(300)
    curve = predict_learning_curve(rows, target, [300, 2400])
    assert curve.fitting_ratio_interval.low > 0.3
    assert curve.interpolation_cost_interval.low > 0.1
    assert 0.7 < curve.mse[1] < curve.mse[0] < 1.5  # the noise has variance 1


def test_any_kernel_may_be_asked():
    def kernel(A):
        return rbf_kernel(A, gamma=0.05)

    curve = predict_learning_curve(X[:200], Y[:200], [200], kernel)
    assert curve.mse[0] == pytest.approx(curve.measured[-1]["mse"], rel=0.15)
    with pytest.raises(ValueError, match=r"kernel must return a matrix \(200, 200\); got shape"):
        predict_learning_curve(X[:200], Y[:200], [200], lambda A: A)


def test_same_seed_same_bits(curve):
    again = predict_learning_curve(X[:300], Y[:300], [75, 300, 1200])
    np.testing.assert_array_equal(curve.draws, again.draws)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"X": X[:15], "y": Y[:15]},
            r"X must be rows of features, at least 16 .* shape \(15, 64\)",
        ),
        ({"y": Y[:29]}, "y must have one entry per row of X; got 29 for 30 rows"),
        ({"sizes": [2]}, "sizes must be a vector of numbers >= 4; got"),
        ({"y": np.ones(30)}, "y must not be constant"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        predict_learning_curve(**({"X": X[:30], "y": Y[:30], "sizes": [40]} | change))
