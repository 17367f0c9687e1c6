"""The infinitely wide network of a finite depth."""

import mpmath
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.kernels import ntk_classifier
from overparam.kernels.deep_limit import DeepLimitClassifier
from overparam.kernels.deep_recursion import deep_kernel
from overparam.kernels.dual import dual_activation, optimal_coefficients
from overparam.kernels.ntk_classifier import NTKClassifier, tabulated_kernel


def problem(n=60, p=6, k=2, seed=0):
    rng = np.random.default_rng(seed)
    X = np.abs(rng.normal(size=(n, p)))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.integers(0, k, n)


@pytest.mark.parametrize("activation", ["relu", "tanh", "optimal"])
def test_it_is_kernel_regression_on_the_signs(activation):
    X, y = problem()
    test, _ = problem(20, seed=1)
    model = NTKClassifier(activation, 4).fit(X, y)
    K, k = (
        deep_kernel(model.dual_, cdist(rows, X, "sqeuclidean") / 2, 4).value for rows in (X, test)
    )
    expected = k @ np.linalg.solve(K, 2.0 * y - 1)
    found = model.decision_function(test)
    ratio = found / expected
    assert (ratio > 0).all()
    np.testing.assert_allclose(ratio, 1 / k.max(axis=1), rtol=1e-4)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "optimal", [0, 0, 1]])
@pytest.mark.parametrize("depth", [1, 10, 100])
def test_training_rows_are_interpolated(activation, depth, k):
    X, y = problem(p=12, k=k)
    model = NTKClassifier(activation, depth).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "optimal", [0, 0, 1]])
def test_ten_thousand_layers_are_finite(activation):
    X, y = problem(30)
    scores = NTKClassifier(activation, 10_000).fit(X, y).decision_function(X)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("activation", "depth", "share"),
    [([0, 0, 1], 30, 0.99), (np.sqrt([0.3, 0, 0, 0.7]), 30, 0.99), ("optimal", 2000, 0.99)],
    ids=["nearest", "vote", "singular"],
)
def test_deep_networks_become_their_limits(activation, depth, share):
    rng = np.random.default_rng(0)
    X, _ = problem(200, p=4)
    y = (rng.random(200) < 0.6).astype(int)  # a vote needs a majority
    test, _ = problem(500, p=4, seed=1)
    deep = NTKClassifier(activation, depth).fit(X, y).predict(test)
    limit = DeepLimitClassifier(activation).fit(X, y).predict(test)
    assert (deep == limit).mean() >= share


@pytest.mark.parametrize("depth", [2, 20, 60])
def test_sigmoid_networks_become_kriging_not_a_vote(depth):
    """Against the plain system with 150 digits."""
    X, _ = problem(9, p=3)
    y = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0])
    test, _ = problem(4, p=3, seed=1)
    found = NTKClassifier("sigmoid", depth).fit(X, y).decision_function(test)
    squares = [mpmath.mpf(float(s)) for s in dual_activation("sigmoid").squares]
    with mpmath.workdps(150):
        series = [s / sum(squares) for s in squares]
        slopes = [k * s for k, s in enumerate(series)][1:]

        def ntk(t):
            sigma = K = 1 - mpmath.mpf(float(t))
            for _ in range(depth):
                K *= mpmath.polyval(slopes[::-1], sigma)
                sigma = mpmath.polyval(series[::-1], sigma)
                K += sigma
            return K

        def matrix(rows):
            t = cdist(rows, X, "sqeuclidean") / 2
            return mpmath.matrix([[ntk(v) for v in line] for line in np.where(t < 1e-28, 0, t)])

        beta = mpmath.lu_solve(matrix(X), mpmath.matrix((2.0 * y - 1).tolist()))
        expected = np.array([float(v) for v in matrix(test) * beta])
    # float64 distances and a jitter of 1e-10 beside a kernel that is worse conditioned than 1e4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(found) > 0.1  # a vote is one number


def test_equal_rows_share_and_do_not_break_the_system():
    X, y = problem(p=12)
    model = NTKClassifier("optimal", 20).fit(np.concatenate([X, X]), np.concatenate([y, y]))
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", optimal_coefficients(3)])
@pytest.mark.parametrize("depth", [1, 20])
def test_the_table_is_as_good_as_the_recursion(activation, depth, monkeypatch):
    dual = dual_activation(activation)
    t = np.concatenate([np.geomspace(1e-20, 1, 10_000), 2 - np.geomspace(0.1, 0.9, 7_000), [0.0]])
    found, exact = tabulated_kernel(dual, t, depth), deep_kernel(dual, t, depth)
    assert t.size > ntk_classifier.KNOTS
    np.testing.assert_allclose(found.log_size, exact.log_size, atol=1e-9)
    np.testing.assert_allclose(found.log_gap, exact.log_gap, atol=1e-6)
    np.testing.assert_array_equal(found.sign, exact.sign)


@pytest.mark.parametrize("depth", [0, 1.5, -2])
def test_a_bad_depth_is_named(depth):
    with pytest.raises(ValueError, match=f"depth must be an integer >= 1; got {depth}"):
        NTKClassifier(depth=depth).fit(*problem())


def test_one_class_is_named():
    X, y = problem()
    with pytest.raises(ValueError, match="y must hold at least 2 classes; got one class"):
        NTKClassifier().fit(X, 0 * y)


@parametrize_with_checks(
    [NTKClassifier(), NTKClassifier("optimal", 10)],
    expected_failed_checks=lambda estimator: {
        "check_estimators_dtypes": "its integers have a row of zeros, which has no direction"
    },
)
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
