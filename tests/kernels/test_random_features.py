"""Random features: their limit, their peer on the same features, their conventions."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.kernels import RandomFeatureClassifier, RandomFeatureRidge
from overparam.kernels.random_features import relu_features

X, Y = load_diabetes(return_X_y=True)
X = 20 * X


@parametrize_with_checks(
    [RandomFeatureRidge(50, random_state=0), RandomFeatureClassifier(50, random_state=0)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_many_features_give_the_arc_cosine_kernel():
    rows = np.random.default_rng(0).standard_normal((6, 4))
    F = relu_features(rows, np.random.default_rng(1).standard_normal((400_000, 4)))
    norms = np.linalg.norm(rows, axis=1)
    cosine = np.clip(rows @ rows.T / np.outer(norms, norms), -1, 1)
    angle = np.arccos(cosine)
    exact = np.outer(norms, norms) * (np.sin(angle) + (np.pi - angle) * cosine) / np.pi
    np.testing.assert_allclose(F @ F.T / 400_000, exact, atol=0.05)


@pytest.mark.parametrize("k", [30, 500])
@pytest.mark.parametrize("intercept", [True, False])
def test_it_is_ridge_regression_on_its_features(k, intercept):
    model = RandomFeatureRidge(k, 0.7, random_state=3, fit_intercept=intercept).fit(X, Y)
    F = relu_features(X, model.weights_) / np.sqrt(k)
    peer = Ridge(0.7, fit_intercept=intercept, solver="svd").fit(F, Y)
    np.testing.assert_allclose(model.predict(X), peer.predict(F), rtol=1e-6)


def test_a_feature_map_of_ones_own():
    def sigmoids(A, W):
        return np.tanh(A @ W.T)

    model = RandomFeatureRidge(200, kernel=sigmoids, random_state=0).fit(X[:300], Y[:300])
    assert model.score(X[300:], Y[300:]) > 0.4
    short = RandomFeatureRidge(20, kernel=lambda A, W: A)
    with pytest.raises(ValueError, match=r"kernel must return features \(442, 20\); got shape"):
        short.fit(X, Y)


def test_the_chosen_ridge_tames_the_peak_at_as_many_features_as_rows():
    tuned = RandomFeatureRidge(150, random_state=0).fit(X[:150], Y[:150])
    bare = RandomFeatureRidge(150, 1e-9, random_state=0).fit(X[:150], Y[:150])
    assert tuned.score(X[150:], Y[150:]) > 0.4
    assert bare.score(X[150:], Y[150:]) < 0


def test_the_classifier_reads_digits():
    images, digits = load_digits(return_X_y=True)
    names = np.array([f"d{d}" for d in digits])
    model = RandomFeatureClassifier(2000, random_state=0).fit(images[:600] / 16, names[:600])
    assert model.score(images[600:] / 16, names[600:]) > 0.9


def test_same_seed_same_bits():
    one, two = (RandomFeatureRidge(64, random_state=5).fit(X, Y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_features": 0}, "n_features must be an integer >= 1; got 0"),
        ({"n_features": 2.5}, "n_features must be an integer >= 1; got 2.5"),
        ({"ridge": "gcv"}, "ridge must be 'auto' or 'loo' or a finite number >= 0; got 'gcv'"),
        ({"ridge": -0.1}, "ridge must be 'auto' or 'loo' or a finite number >= 0; got -0.1"),
        ({"kernel": "erf"}, "kernel must be 'relu' or a feature map; got 'erf'"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidge(**({"n_features": 10} | change)).fit(X, Y)
