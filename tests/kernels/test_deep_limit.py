"""The limit of infinite depth as a classifier."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.kernels.deep_limit import DeepLimitClassifier, PsiTable
from overparam.kernels.deep_recursion import log_psi
from overparam.kernels.dual import dual_activation, optimal_coefficients

SINGULAR = [{}, {"activation": "tanh"}, {"alpha": 3.0}, {"intrinsic_dim": 8}]
NEAREST = {"activation": [0, 0, 1]}
VOTE = {"activation": "relu"}
ALL = [*SINGULAR, NEAREST, VOTE]


def problem(n=300, p=4, k=2, seed=0):
    rng = np.random.default_rng(seed)
    X = np.abs(rng.normal(size=(n, p)))
    y = (k * X[:, 0] / (X[:, 0] + X[:, 1])).astype(int) + 10
    return X, np.where(rng.random(n) < 0.2, rng.integers(10, 10 + k, n), y)


def fitted(X, y, options):
    return DeepLimitClassifier(**options).fit(X, y)


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_decision_is_the_weighted_mean_of_the_labels(d):
    X, y = problem(p=d + 1)
    test, _ = problem(50, p=d + 1, seed=1)
    t = cdist(unit(test), unit(X), "sqeuclidean") / 2
    weights = np.exp(log_psi(dual_activation(optimal_coefficients(d)), t)[0])
    expected = weights @ np.where(y == 11, 1, -1) / weights.sum(axis=1)
    found = fitted(X, y, {}).decision_function(test)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", [5, 100])
def test_a_power_law_is_that_of_neighbours_with_weights(p):
    X, y = problem(p=p, k=3)
    test, _ = problem(80, p=p, k=3, seed=1)
    peer = KNeighborsClassifier(len(X), weights=lambda d: d**-8.0, algorithm="brute")
    model = fitted(X, y, {"alpha": 8})
    np.testing.assert_allclose(
        model.predict_proba(test),
        peer.fit(unit(X), y).predict_proba(unit(test)),
        atol=1e-9 if p == 5 else 1e-5,
    )
    assert model.limit_ is None
    assert model.alpha_ == 8.0


def test_a_large_exponent_is_the_nearest_neighbour_without_overflow():
    X, y = problem(p=6)
    test, _ = problem(80, p=6, seed=1)
    nearest = KNeighborsClassifier(1).fit(unit(X), y).predict(unit(test))
    for options in ({"alpha": 5000.0}, NEAREST):
        np.testing.assert_array_equal(fitted(X, y, options).predict(test), nearest)


def test_images_of_784_features_have_the_nearest_neighbours_label():
    X, y = problem(400, p=785, k=3)
    test, _ = problem(100, p=785, k=3, seed=1)
    model = fitted(X, y, {})
    assert model.alpha_ == pytest.approx(784)
    nearest = KNeighborsClassifier(1).fit(unit(X), y).predict(unit(test))
    assert (model.predict(test) == nearest).mean() > 0.8


def test_the_majority_vote_is_the_class_prior():
    X, y = problem(k=3)
    model = fitted(X, y, VOTE)
    shares = np.bincount(y - 10) / len(y)
    np.testing.assert_allclose(model.predict_proba(X[:5]), np.tile(shares, (5, 1)))
    assert (model.predict(X[:5]) == 10 + shares.argmax()).all()


@pytest.mark.parametrize("options", [*SINGULAR, NEAREST], ids=str)
def test_a_training_row_has_its_own_label(options):
    X, y = problem(k=3)
    model = fitted(X, y, options)
    np.testing.assert_array_equal(model.predict(X), y)
    np.testing.assert_array_equal(model.predict(7 * X), y)  # only directions count


@pytest.mark.parametrize("options", [*SINGULAR, NEAREST], ids=str)
def test_equal_training_rows_share_their_labels(options):
    X, y = problem()
    X[1] = X[2] = 2 * X[0]
    y[:3] = [10, 11, 11]
    model = fitted(X, y, options)
    np.testing.assert_allclose(model.predict_proba(X[:3]), [[1 / 3, 2 / 3]] * 3)
    np.testing.assert_allclose(model.decision_function(X[:3]), 1 / 3)


@pytest.mark.parametrize("options", ALL, ids=str)
@pytest.mark.parametrize("p", [4, 80])
def test_order_rotation_and_copies_change_no_prediction(options, p):
    X, y = problem(p=p, k=3)
    test, _ = problem(100, p=p, seed=1)
    model = fitted(X, y, options)
    before = model.predict(test)
    order = np.random.default_rng(2).permutation(len(X))
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(p, p)))[0]
    np.testing.assert_array_equal(fitted(X[order], y[order], options).predict(test), before)
    np.testing.assert_array_equal(fitted(X @ turn, y, options).predict(test @ turn), before)
    twice = fitted(np.concatenate([X, X]), np.concatenate([y, y]), options)
    np.testing.assert_array_equal(twice.predict(test), before)


def test_blocks_change_nothing(monkeypatch):
    X, y = problem()
    test, _ = problem(100, seed=1)
    model = fitted(X, y, {})
    whole = model.predict_proba(test)
    monkeypatch.setattr("overparam.kernels.sphere_distances.NUMBERS", 1000)
    np.testing.assert_allclose(model.predict_proba(test), whole, rtol=1e-9)


def test_tied_neighbours_share():
    X = [[1.0, 0.2], [0.2, 1.0], [1.0, 0.0]]
    model = fitted(X, [0, 1, 1], NEAREST)
    np.testing.assert_allclose(model.predict_proba([[1.0, 1.0]]), [[0.5, 0.5]])


def test_a_right_angle_to_everything_gives_the_prior():
    X = [[1.0, 0.2, 0], [0.2, 1.0, 0], [1.0, 0.0, 0]]
    for options in ({}, {"alpha": 2}):
        model = fitted(X, [0, 1, 1], options)
        np.testing.assert_allclose(model.predict_proba([[0, 0, 1.0]]), [[1 / 3, 2 / 3]])


def test_negative_inner_products_warn_and_follow_the_network():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = (X[:, 0] > 0).astype(int)
    test = np.random.default_rng(1).normal(size=(20, 4))
    t = cdist(unit(test), unit(X), "sqeuclidean") / 2
    for options in ({}, {"activation": "tanh"}, {"intrinsic_dim": 2}):
        model = fitted(X, y, options)
        with pytest.warns(UserWarning, match="inner product with a training row is negative"):
            found = model.decision_function(test)
        dual = model._psi.dual
        size, sign = log_psi(dual, t)
        weights = sign * np.exp(size)
        expected = weights @ (2 * y - 1) / abs(weights).sum(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    fitted(X, y, {"alpha": 2.0}).predict(test)  # a power law has no use for the sign


def test_shares_of_three_classes_stay_shares_with_negative_weights():
    X = np.random.default_rng(0).normal(size=(60, 4))
    model = fitted(X, np.arange(60) % 3, {"activation": "tanh"})
    with pytest.warns(UserWarning, match="negative"):
        shares = model.predict_proba(-X[:10])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() >= 0
    # the opposite of a training row votes against its class
    assert (shares.argmin(axis=1) == np.arange(10) % 3).all()


def test_a_vote_against_a_class_is_one_for_the_others_in_equal_parts():
    X = np.array([[1.0, 0.2], [-1.0, 0.1], [0.1, 1.0]])
    model = fitted(X, [0, 1, 2], {"activation": "tanh"})
    with pytest.warns(UserWarning, match="negative"):
        found = model.predict_proba([[1.0, 0.1]])
    t = cdist(unit(np.array([[1.0, 0.1]])), unit(X), "sqeuclidean")[0] / 2
    size, sign = log_psi(dual_activation("tanh"), t)
    np.testing.assert_array_equal(sign, [1, -1, 1])
    w = np.exp(size)
    expected = np.array([w[0] + w[1] / 2, 0, w[2] + w[1] / 2]) / w.sum()
    np.testing.assert_allclose(found, [expected], atol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 8, 32])
def test_the_table_is_as_good_as_the_iteration(d):
    dual = dual_activation(optimal_coefficients(d))
    t = np.concatenate([np.geomspace(1e-20, 0.99, 500), 1 - np.geomspace(1e-10, 0.5, 500)])
    found, sign = PsiTable(dual)(t)
    np.testing.assert_allclose(found, log_psi(dual, t)[0], atol=1e-6 * d)
    assert sign is None


def test_digits_as_good_as_the_nearest_neighbour():
    X, y = load_digits(return_X_y=True)
    accuracy = {
        name: (model.fit(X[::2], y[::2]).predict(X[1::2]) == y[1::2]).mean()
        for name, model in {
            "ours": DeepLimitClassifier(intrinsic_dim=8),
            "nearest": KNeighborsClassifier(1),
        }.items()
    }
    assert accuracy["ours"] > accuracy["nearest"] - 0.01 > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha must be a number > 0; got 0"),
        ({"alpha": -1.0}, "alpha must be a number > 0; got -1.0"),
        ({"alpha": "d"}, "alpha must be a number > 0; got 'd'"),
        ({"intrinsic_dim": 1.5}, "intrinsic_dim must be 1, or a number from 2 to 2000; got 1.5"),
        ({"activation": "sigmoid"}, "activation must tend to a weighting .* got one that tends"),
        ({"activation": "swish"}, "activation must be one of relu, elu"),
        ({"normalize": None}, "X must have rows of norm 1 with normalize=None"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(*problem(), options)


def test_bad_data_are_named():
    X, y = problem()
    with pytest.raises(ValueError, match="y must hold at least 2 classes; got one class"):
        DeepLimitClassifier().fit(X, np.full(len(X), 10))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        DeepLimitClassifier().fit(np.where(X > 2, np.nan, X), y)
    X[5] = 0
    with pytest.raises(ValueError, match="X must not have a row of zeros"):
        DeepLimitClassifier().fit(X, y)
    with pytest.raises(ValueError, match="X must not have a row of zeros"):
        DeepLimitClassifier().fit(X[:5], y[:5]).predict(X)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_other_numbers_are_taken(dtype):
    X, y = problem()
    X = (10 * X + 1).astype(dtype)
    same = DeepLimitClassifier().fit(X.astype(float), y).predict_proba(X.astype(float))
    np.testing.assert_array_equal(DeepLimitClassifier().fit(X, y).predict_proba(X), same)


def test_the_orthant_takes_features_of_any_unit_and_rows_of_zeros():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)
    X[0] = 0
    test = 1.5 * rng.normal(size=(50, 3))
    model = DeepLimitClassifier(normalize="orthant").fit(X, y)
    assert model.alpha_ == pytest.approx(3)  # a column of ones more, a dimension of the sphere less
    np.testing.assert_array_equal(model.predict(X), y)
    low, high = X.min(axis=0), X.max(axis=0)
    unitless = [
        np.hstack([np.clip((Z - low) / (high - low), 0, 1), np.ones((len(Z), 1))])
        for Z in (X, test)
    ]
    by_hand = DeepLimitClassifier().fit(unitless[0], y).predict_proba(unitless[1])
    np.testing.assert_allclose(model.predict_proba(test), by_hand, rtol=1e-9)
    other = DeepLimitClassifier(normalize="orthant").fit(X * [1, 10, 100] - 7, y)
    np.testing.assert_array_equal(other.predict(test * [1, 10, 100] - 7), model.predict(test))


def test_memory_is_that_of_a_block():

    X, y = problem(20_000, p=3)
    model = fitted(X, y, {})
    tracemalloc.start()
    model.predict(X[:2000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6 < 20_000 * 2000 * 8


ZERO_ROW = {"check_estimators_dtypes": "its integers have a row of zeros, which has no direction"}


@parametrize_with_checks(
    [
        DeepLimitClassifier(),
        DeepLimitClassifier(alpha=2.0),
        DeepLimitClassifier(normalize="orthant"),
    ],
    expected_failed_checks=lambda estimator: {} if estimator.normalize == "orthant" else ZERO_ROW,
)
@pytest.mark.filterwarnings("ignore:X has rows whose inner product")
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
