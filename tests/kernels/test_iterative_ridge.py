import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.iterative_ridge import IterativeKernelRidge, IterativeKernelRidgeClassifier

KERNEL = fully_connected("relu", 2, 2.0, 0.01)


@pytest.fixture(scope="module", name="digits")
def scaled_digits():
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


@parametrize_with_checks([IterativeKernelRidge(), IterativeKernelRidgeClassifier()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def direct(X, targets, Z, ridge):
    K = KERNEL(X)
    mean = targets.mean(0)
    K[np.diag_indices(len(K))] += ridge * np.diag(K).mean()
    return mean + KERNEL(Z, X) @ np.linalg.solve(K, targets - mean)


def test_regression_equals_the_direct_solve_at_a_thousand_rows(digits):
    X, y = digits
    targets = np.stack([np.sin(y), X.sum(1) / 20], 1)
    model = IterativeKernelRidge(KERNEL, ridge=1e-3, rank=150, tolerance=1e-9)
    model.fit(X[:1000], targets[:1000])
    assert model.storage_ == "float64"
    assert model.converged_
    expected = direct(X[:1000], targets[:1000], X[1000:], 1e-3)
    np.testing.assert_allclose(model.predict(X[1000:]), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("per_entry", "storage", "error"),
    [(5, "float32", 2e-3), (3, "float16", 5e-3), (0, "none", 2e-3)],
)
def test_less_memory_costs_digits_only(digits, per_entry, storage, error):
    X, y = digits
    model = IterativeKernelRidge(
        KERNEL, ridge=1e-2, rank=100, tolerance=1e-6, memory=per_entry * 300 * 301 / 2
    )
    model.fit(X[:300], np.sin(y[:300]))
    assert model.storage_ == storage
    expected = direct(X[:300], np.sin(y[:300])[:, None], X[300:400], 1e-2)[:, 0]
    np.testing.assert_allclose(model.predict(X[300:400]), expected, atol=error)


def test_classification_is_regression_on_one_hot_labels(digits):
    X, y = digits
    names = np.array(list("abcdefghij"))[y]
    model = IterativeKernelRidgeClassifier(KERNEL, ridge=1e-3, rank=150, tolerance=1e-8)
    model.fit(X[:1000], names[:1000])
    expected = direct(X[:1000], np.eye(10)[y[:1000]], X[1000:], 1e-3)
    np.testing.assert_allclose(model.decision_function(X[1000:]), expected, atol=1e-5)
    np.testing.assert_array_equal(model.predict(X[1000:]), model.classes_[expected.argmax(1)])
    assert model.score(X[1000:], names[1000:]) > 0.93


def test_pivots_save_iterations(digits):
    X, y = digits
    count = {
        rank: IterativeKernelRidge(KERNEL, ridge=1e-4, rank=rank).fit(X[:400], y[:400]).n_iter_
        for rank in (0, 200)
    }
    assert count[200] < count[0] / 2


def test_a_fit_goes_on_from_its_checkpoint_and_from_no_other(digits, tmp_path):
    X, y = digits[0][:200], np.sin(digits[1][:200])
    path = tmp_path / "solution.npz"

    def iterations(targets, **options):
        model = IterativeKernelRidge(KERNEL, rank=20, checkpoint=path, tolerance=1e-8, **options)
        return model.fit(X, targets).n_iter_

    cold = iterations(y)
    assert iterations(y) == 1 < cold  # 0 iterations count as 1
    assert iterations(y + X[:, 20]) > 1
    path.unlink()
    assert 1 < iterations(y, max_iterations=cold // 2) <= cold // 2
    assert iterations(y) < cold


def test_progress_tells_of_tiles_and_residuals(digits):
    told = []
    model = IterativeKernelRidge(KERNEL, rank=10, progress=lambda *what: told.append(what))
    model.fit(digits[0][:50], digits[1][:50])
    assert ("tiles", 1.0) in told
    assert told[-1] == ("residual", model.residual_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ridge": 0.0}, r"ridge must be a number > 0; got 0.0. Without ridge"),
        ({"kind": "both"}, "kind must be 'ntk' or 'nngp'; got 'both'"),
        ({"tolerance": 0.0}, "tolerance must be a number > 0; got 0.0"),
        ({"max_iterations": 0}, "max_iterations must be an integer >= 1; got 0"),
        ({"memory": -1}, "memory must be a number of bytes >= 0; got -1"),
    ],
)
def test_parameters_out_of_range_are_named(digits, options, message):
    with pytest.raises(ValueError, match=message):
        IterativeKernelRidge(**options).fit(digits[0][:10], digits[1][:10])


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="y must have at least 2 classes; got one class, 3"):
        IterativeKernelRidgeClassifier().fit(np.eye(4), np.full(4, 3))
