import numpy as np
import pytest

from overparam.kernels.pivoted_cholesky import pivoted_cholesky


def kernel_matrix(n=120, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return np.exp(-np.square(X[:, None] - X[None]).sum(-1) / 4)


def factor_of(K, rank, seed=0, block=10):
    rng = np.random.default_rng(seed)
    return pivoted_cholesky(np.diag(K).copy(), lambda p: K[:, p], rank, rng, block=block)


def test_the_remainder_is_positive_and_zero_at_the_pivots():
    K = kernel_matrix()
    factor, pivots = factor_of(K, 30)
    rest = K - factor @ factor.T
    assert factor.shape == (120, 30)
    assert len(set(pivots)) == len(pivots) == 30
    assert np.linalg.eigvalsh(rest)[0] > -1e-8
    np.testing.assert_allclose(rest[:, pivots], 0, atol=1e-7)


def test_the_remainder_comes_near_the_best_of_that_rank():
    K = kernel_matrix()
    best = np.sort(np.linalg.eigvalsh(K))[:-30].sum()
    left = [np.trace(K - f @ f.T) for f, _ in (factor_of(K, 30, seed) for seed in range(5))]
    first = K[:, :30] @ np.linalg.solve(K[:30, :30] + 1e-9 * np.eye(30), K[:30])
    assert np.mean(left) < 6 * best
    assert best < np.mean(left) < np.trace(K - first)


def test_exhausted_matrices_end_early_and_twins_do_no_harm():
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 4)), 3, axis=0)
    K = X @ X.T  # rank 4, every row three times
    factor, _ = factor_of(K, 25, block=5)
    np.testing.assert_allclose(factor @ factor.T, K, atol=1e-6)
    assert factor.shape[1] < 25


def test_rank_0_and_ranks_beyond_n():
    K = kernel_matrix(12)
    assert factor_of(K, 0)[0].shape == (12, 0)
    assert factor_of(K, 99)[0].shape[1] <= 12
    with pytest.raises(ValueError, match="rank must be an integer >= 0; got -1"):
        factor_of(K, -1)
