"""One decomposition against solving, and refitting without each row, the slow obvious way."""

import numpy as np
import pytest

from overparam.kernels.ridge_path import RidgePath

N, RIDGES = 40, [1e-4, 0.03, 2.0]


def problem(k, seed=0):
    """Features (40, k) and two targets with a large mean."""
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((N, k)) / np.sqrt(k)
    Y = F[:, :2] + 0.3 * rng.standard_normal((N, 2)) + [5.0, -1.0]
    return F, Y


def solved(K, Y, ridge, intercept):
    """alpha, offset and the residual maker's scaled form P, by the bordered linear system."""
    n = len(K)
    A = K + ridge * np.eye(n)
    if not intercept:
        return np.linalg.solve(A, Y), np.zeros(Y.shape[1]), np.linalg.inv(A)
    one = np.ones((n, 1))
    bordered = np.block([[A, one], [one.T, np.zeros((1, 1))]])
    both = np.linalg.solve(bordered, np.vstack([Y, np.zeros((1, Y.shape[1]))]))
    return both[:n], both[n], np.linalg.inv(bordered)[:n, :n]


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("k", [15, 39, 40, 120])
def test_the_path_equals_direct_solves(k, intercept):
    F, Y = problem(k)
    K = F @ F.T
    path = RidgePath.from_features(F, Y, intercept=intercept)
    for ridge, gcv in zip(RIDGES, path.gcv(RIDGES), strict=True):
        alpha, offset, P = solved(K, Y, ridge, intercept)
        weights, found = path.primal(F, ridge)
        np.testing.assert_allclose(F @ weights, K @ alpha, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(found, offset, rtol=1e-8, atol=1e-10)
        assert gcv == pytest.approx((alpha**2).sum() / N / (np.trace(P) / N) ** 2, rel=1e-7)
        if k >= N:
            np.testing.assert_allclose(path.dual(ridge)[0], alpha, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("k", [15, 120])
def test_leave_one_out_equals_refitting_without_each_row(k, intercept):
    F, Y = problem(k)
    K = F @ F.T
    path = RidgePath.from_features(F, Y, intercept=intercept)
    for ridge, loo in zip(RIDGES, path.loo(RIDGES), strict=True):
        brute = np.empty_like(Y)
        for i in range(N):
            rest = np.delete(np.arange(N), i)
            alpha, offset, _ = solved(K[np.ix_(rest, rest)], Y[rest], ridge, intercept)
            brute[i] = Y[i] - K[i, rest] @ alpha - offset
        np.testing.assert_allclose(path.loo_residuals(ridge), brute, atol=1e-8)
        assert loo == pytest.approx((brute**2).sum(axis=1).mean(), rel=1e-8)


def test_a_ridge_of_zero_is_the_limit_of_small_ones():
    F, Y = problem(120)
    path = RidgePath.from_features(F, Y, intercept=True)
    for estimate in (path.gcv, path.loo):
        bare, tiny = estimate([0.0, 1e-12])
        assert bare == pytest.approx(tiny, rel=1e-8)
    np.testing.assert_allclose(F @ path.primal(F, 0.0)[0] + path.primal(F, 0.0)[1], Y, atol=1e-9)


def test_equal_rows_leave_finite_figures_at_zero_ridge():
    F, Y = problem(120)
    F[1] = F[0]
    path = RidgePath.from_kernel(F @ F.T, Y)
    assert np.isfinite(path.gcv([0.0])).all()
    assert np.isfinite(path.loo([0.0])).all()


def test_the_default_path_spans_ten_decades_around_the_diagonal():
    F, Y = problem(120)
    ridges = RidgePath.from_features(F, Y).default_ridges
    diagonal = np.mean(np.sum(F**2, axis=1))
    np.testing.assert_allclose([ridges[0], ridges[-1]], [1e-8 * diagonal, 100 * diagonal])
    assert len(ridges) == 41


def test_a_thin_decomposition_has_no_dual():
    path = RidgePath.from_features(*problem(15))
    with pytest.raises(ValueError, match="dual must be asked of a whole decomposition"):
        path.dual(1.0)
