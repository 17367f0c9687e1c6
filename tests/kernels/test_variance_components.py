"""The likelihood's maximum: scikit-learn's, the truth's, and its ends."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import BayesianRidge

from overparam.kernels.variance_components import variance_components


def components(X, y):
    """Of centred X and y."""
    values, vectors = np.linalg.eigh(X @ X.T)
    kept = values > 1e-9 * values[-1]
    squares = (vectors[:, kept].T @ y) ** 2
    rest = max(y @ y - squares.sum(), 0.0)
    return variance_components(values[kept], squares, rest, len(y) - 1)


def test_scikit_learn_finds_the_same_maximum():
    """On contrasts: n - 1 orthonormal combinations of the rows that know nothing of the mean."""
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:200]
    X, y = X[rows], y[rows]
    X = (X - X.mean(axis=0)) / X.std(axis=0) / np.sqrt(X.shape[1])
    y = (y - y.mean()) / y.std()
    found = components(X, y)
    contrasts = np.linalg.svd(np.ones((1, len(y))))[2][1:]
    peer = BayesianRidge(
        alpha_1=1e-12,
        alpha_2=1e-12,
        lambda_1=1e-12,
        lambda_2=1e-12,
        tol=1e-10,
        max_iter=10_000,
        fit_intercept=False,
    ).fit(contrasts @ X, contrasts @ y)
    assert found.weight == pytest.approx(1 / peer.lambda_, rel=1e-6)
    assert found.noise == pytest.approx(1 / peer.alpha_, rel=1e-6)
    assert found.ridge == pytest.approx(peer.lambda_ / peer.alpha_, rel=1e-6)


@pytest.mark.parametrize("d", [50, 1500])
def test_the_truth_is_found(d):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((600, d)) / np.sqrt(d)
    X -= X.mean(axis=0)
    draws = []
    for _ in range(12):
        y = X @ rng.standard_normal(d) + 0.5 * rng.standard_normal(600)
        found = components(X, y - y.mean())
        draws.append((found.weight, found.noise))
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1) / np.sqrt(12)
    assert np.abs(mean - [1.0, 0.25]) == pytest.approx([0, 0], abs=4 * error.max())
    assert (error < 0.1).all()


def test_the_mean_of_y_is_no_row_without_noise():
    """With more features than rows the naive count sends the noise to 0; ours does not."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((80, 400)) / 20
    X -= X.mean(axis=0)
    y = X @ rng.standard_normal(400) + rng.standard_normal(80)
    found = components(X, y - y.mean())
    assert not found.noise_free
    assert 0.3 < found.noise < 3
    values, vectors = np.linalg.eigh(X @ X.T)
    squares = (vectors[:, 1:].T @ (y - y.mean())) ** 2
    assert variance_components(values[1:], squares, 0.0, 80).noise_free


def test_both_ends_are_told():
    values = np.array([1.0, 2.0, 4.0])
    no_signal = variance_components(values, np.zeros(3), 10.0, 30)
    assert no_signal.signal_free
    assert no_signal.noise == pytest.approx(10 / 30, rel=1e-6)
    no_noise = variance_components(values, values, 0.0, 30)
    assert no_noise.noise_free
