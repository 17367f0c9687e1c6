"""KernelRidgeCV against scikit-learn's KernelRidge, refits and its conventions."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, LeaveOneOut
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.kernels import KernelRidgeClassifierCV, KernelRidgeCV
from overparam.kernels.kernel_ridge import sharpness

X, Y = load_diabetes(return_X_y=True)
X, Y = 20 * X[:60], Y[:60] - Y[:60].mean()
RIDGES = np.array([1e-3, 0.1, 1.0, 10.0])


@parametrize_with_checks([KernelRidgeCV(), KernelRidgeClassifierCV(), KernelRidgeCV("linear", 1.0)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_leave_one_out_and_the_choice_equal_a_grid_search():
    model = KernelRidgeCV(gamma=0.02, ridge="loo", ridges=RIDGES, fit_intercept=False).fit(X, Y)
    search = GridSearchCV(
        KernelRidge(kernel="rbf", gamma=0.02),
        {"alpha": RIDGES},
        cv=LeaveOneOut(),
        scoring="neg_mean_squared_error",
    ).fit(X, Y)
    np.testing.assert_allclose(model.loo_, -search.cv_results_["mean_test_score"], rtol=1e-8)
    assert model.ridge_ == search.best_params_["alpha"]
    assert not model.at_bound_
    np.testing.assert_allclose(model.predict(X[:9]), search.predict(X[:9]), rtol=1e-8)


def test_leave_one_out_counts_the_intercept():
    model = KernelRidgeCV(gamma=0.02, ridge=0.5).fit(X, Y + 100)
    for i in (0, 31):
        rest = np.delete(np.arange(len(X)), i)
        refit = KernelRidgeCV(gamma=0.02, ridge=0.5).fit(X[rest], Y[rest] + 100)
        left_out = Y[i] + 100 - refit.predict(X[[i]])[0]
        assert model.loo_residuals_[i, 0] == pytest.approx(left_out, rel=1e-8)


def test_gcv_and_loo_choose_by_their_own_figures():
    for rule in ("gcv", "loo"):
        model = KernelRidgeCV(gamma=0.02, ridge=rule).fit(X, Y)
        figures = getattr(model, f"{rule}_")
        assert model.ridge_ == model.ridges_[figures.argmin()]


def test_several_targets_share_one_ridge_and_are_fitted_each_for_itself():
    both = np.column_stack([Y, 3 * Y[::-1]])
    model = KernelRidgeCV(gamma=0.02).fit(X, both)
    assert model.predict(X).shape == both.shape
    for column in (0, 1):
        one = KernelRidgeCV(gamma=0.02, ridge=model.ridge_).fit(X, both[:, column])
        np.testing.assert_allclose(model.predict(X)[:, column], one.predict(X), rtol=1e-9)
    alone = [KernelRidgeCV(gamma=0.02, ridges=RIDGES).fit(X, both[:, c]).gcv_ for c in (0, 1)]
    together = KernelRidgeCV(gamma=0.02, ridges=RIDGES).fit(X, both).gcv_
    np.testing.assert_allclose(together, alone[0] + alone[1], rtol=1e-9)


def test_callable_and_precomputed_kernels_are_the_named_one():
    def kernel(A, B=None):
        return rbf_kernel(A, B, gamma=0.02)

    named = KernelRidgeCV(gamma=0.02).fit(X, Y)
    called = KernelRidgeCV(kernel).fit(X, Y)
    K = kernel(X)
    before = K.copy()
    given = KernelRidgeCV("precomputed").fit(K, Y)
    np.testing.assert_array_equal(K, before)
    for model, rows in ((called, X[:5]), (given, K[:5])):
        assert model.ridge_ == pytest.approx(named.ridge_)
        np.testing.assert_allclose(model.predict(rows), named.predict(X[:5]), rtol=1e-8)


def test_the_classifier_knows_its_leave_one_out_error():
    images, digits = load_digits(return_X_y=True)
    names = np.array([f"d{d}" for d in digits])
    model = KernelRidgeClassifierCV(gamma=5e-4, ridge=1e-3).fit(images[:80], names[:80])
    wrong = 0
    for i in range(80):
        rest = np.delete(np.arange(80), i)
        refit = KernelRidgeClassifierCV(gamma=5e-4, ridge=1e-3).fit(images[rest], names[rest])
        wrong += refit.predict(images[[i]])[0] != names[i]
    assert model.loo_error_ == wrong / 80
    assert model.score(images[80:500], names[80:500]) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ridge": -1.0}, "ridge must be 'gcv' or 'loo' or a finite number >= 0; got -1.0"),
        ({"ridge": "cv"}, "ridge must be 'gcv' or 'loo' or a finite number >= 0; got 'cv'"),
        ({"ridges": [1.0, -2.0]}, "ridges must be a vector of finite numbers >= 0"),
        ({"kernel": "ntk4"}, "kernel must be a callable, 'precomputed' or one of .*; got 'ntk4'"),
        ({"kernel": lambda X: X}, r"kernel must return a matrix \(60, 60\); got shape \(60, 10\)"),
        ({"kernel": "precomputed"}, r"X must be a square kernel matrix .*; got shape \(60, 10\)"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        KernelRidgeCV(**change).fit(X, Y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="y must hold at least 2 classes; got one class"):
        KernelRidgeClassifierCV().fit(X, np.zeros(60, int))


def test_probabilities_have_the_least_log_loss_of_the_leave_one_out_predictions():
    X, y = load_digits(return_X_y=True)
    model = KernelRidgeClassifierCV(gamma=5e-4).fit(X[:600], y[:600])
    loo = np.eye(10)[y[:600]] - model.loo_residuals_

    def loss(factor):
        logits = factor * loo
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        target = np.full((600, 10), 1 / 602 / 9)
        target[np.arange(600), y[:600]] = 1 - 1 / 602
        return -(target * log_p).sum()

    assert loss(model.sharpness_) < min(
        loss(0.95 * model.sharpness_), loss(1.05 * model.sharpness_)
    )
    p = model.predict_proba(X[600:1200])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p.argmax(axis=1), model.predict(X[600:1200]))
    right = p[np.arange(600), y[600:1200]]
    assert -np.log(right).mean() < 0.2
    assert p.max(axis=1).mean() == pytest.approx((p.argmax(axis=1) == y[600:1200]).mean(), abs=0.03)


def test_few_rows_that_are_all_right_do_not_give_certainty():
    predicted = np.eye(2)[np.arange(10) % 2]
    factor = sharpness(predicted, np.arange(10) % 2)
    assert 1 / (1 + np.exp(factor)) == pytest.approx(1 / 12, rel=1e-3)
