"""The dimension from two neighbours, on data whose dimension is known."""

import numpy as np
import pytest

from overparam.diagnostics.intrinsic_dimension import two_nn_dimension


@pytest.mark.parametrize("d", [1, 2, 5])
def test_data_on_a_plane_of_many_dimensions(d):
    rng = np.random.default_rng(d)
    n = 3000
    X = rng.random((n, d)) @ np.linalg.qr(rng.normal(size=(30, d)))[0].T
    # a standard error of d / sqrt(n), and borders make it a little smaller
    assert two_nn_dimension(X) == pytest.approx(d, rel=4 / np.sqrt(n) + 0.03 * (d - 1))


def test_a_sphere_has_one_dimension_less_than_its_space():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    assert two_nn_dimension(X) == pytest.approx(2, rel=4 / np.sqrt(3000))


def test_outliers_hardly_count():
    rng = np.random.default_rng(0)
    X = rng.random((2000, 2))
    far = np.concatenate([X, 100 + np.cumsum(rng.random((20, 2)) * 50, axis=0)])
    assert two_nn_dimension(far) == pytest.approx(two_nn_dimension(X), rel=0.02)


def test_equal_rows_count_once_and_many_rows_are_sampled():
    X = np.random.default_rng(0).random((1500, 3))
    assert two_nn_dimension(np.repeat(X, 3, axis=0)) == two_nn_dimension(X)
    whole, few = two_nn_dimension(X), two_nn_dimension(X, most_rows=500)
    assert few != whole
    assert few == pytest.approx(whole, rel=4 / np.sqrt(500))


def test_too_few_different_rows_are_named():
    with pytest.raises(ValueError, match="X must hold at least 10 different rows; got 2"):
        two_nn_dimension([[0.0], [1.0]] * 20)
    with pytest.raises(ValueError, match="X must have rows at different distances"):
        two_nn_dimension(np.arange(20.0)[:, None])
