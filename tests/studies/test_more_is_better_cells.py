"""The cells of the study: kernels, pools, errors and that sizes do not depend on each other."""

import numpy as np
import pytest

from overparam.studies import more_is_better_cells as measured

POOL = {"source": "digits", "pool": 240}


@pytest.fixture(scope="module")
def pool():
    return measured.image_pool("digits", 240, 0)


def test_a_pool_has_unit_rows_and_centred_targets(pool):
    X, Y = pool
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1)
    np.testing.assert_allclose(Y.mean(axis=0), 0, atol=1e-12)
    assert Y.shape == (240, 10)


def test_ntk3_is_the_recursion_of_two_hidden_layers_over_three(pool):
    X, _ = pool
    cosine = np.clip(X @ X.T, -1, 1)

    def layer(c):
        angle = np.arccos(c)
        return (np.sin(angle) + (np.pi - angle) * c) / np.pi, (np.pi - angle) / np.pi

    first, slope = layer(cosine)
    ntk = first + cosine * slope
    second, slope = layer(np.clip(first, -1, 1))
    np.testing.assert_allclose(measured.ntk3(X), (second + ntk * slope) / 3, atol=1e-6)
    np.testing.assert_allclose(measured.arc_cosine(X), first, atol=1e-7)


def test_errors_are_those_of_solving(pool):
    X, Y = pool
    K, rows = measured.ntk3(X), np.arange(0, 240, 4)
    rest = np.setdiff1d(np.arange(240), rows)
    test, train = measured.Trained(K[:, rows], rows).errors(Y, Y[rows], (0.0, 0.5))
    for i, ridge in enumerate((0.0, 0.5)):
        alpha = np.linalg.solve(K[np.ix_(rows, rows)] + ridge * np.eye(60), Y[rows])
        residual = Y[rest] - K[np.ix_(rest, rows)] @ alpha
        assert test[i] == pytest.approx((residual**2).sum(axis=1).mean(), rel=1e-6)
        assert train[i] == pytest.approx((ridge**2 * alpha**2).sum(axis=1).mean(), rel=1e-6)


def test_the_pool_correction_brings_theory_to_what_is_measured():
    found = measured.kernel_errors([60], 0, **POOL, ridges=(0.01, 1.0), draws=6)
    np.testing.assert_allclose(found["unseen"][0], found["test"][0], rtol=0.1)
    assert found["theory_test"][0][0] < 0.85 * found["test"][0][0]


@pytest.mark.parametrize(
    ("cell", "more"),
    [
        (measured.kernel_errors, {"ridges": (0.0, 1.0), "draws": 2}),
        (
            measured.feature_errors,
            {"k": (10.0, 20.0, np.inf), "ridges": (0.1, 1.0), "draws": 2},
        ),
    ],
    ids=["kernel", "features"],
)
def test_a_size_does_not_depend_on_its_neighbours(cell, more):
    both = cell([20, 40], 3, **POOL, **more)
    alone = cell([40], 3, **POOL, **more)
    np.testing.assert_allclose(both["test"][1], alone["test"][0], rtol=1e-9)


def test_noise_raises_the_best_ratio():
    found = measured.noisy_kernel_errors(
        0, **POOL, n=80, ridges=(0.0, 0.1, 1.0, 5.0), noises=(0.0, 4.0), draws=3
    )
    test, train = np.array(found["test"]).mean(-1), np.array(found["train"]).mean(-1)
    best = test.argmin(axis=1)
    clean, noisy = (train[i, j] / test[i, j] for i, j in enumerate(best))
    assert clean < 0.05 < noisy
    assert found["framework"][0] < found["framework"][1]
    assert 1 < found["alpha"] < 2


def test_the_gaussian_design_is_that_of_the_theory():
    found = measured.gaussian_design(100, np.inf, 0.1, 0, 10)
    assert found["test"] == pytest.approx(found["theory_test"], rel=0.1)
    assert found["train"] == pytest.approx(found["theory_train"], rel=0.2)
