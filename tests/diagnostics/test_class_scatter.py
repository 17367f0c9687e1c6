"""Means, scatter and the flattest direction against NumPy's own."""

import numpy as np
import pytest
from scipy.linalg import null_space

from overparam.diagnostics.class_scatter import BLOCK, ClassScatter, flattest_direction


def two_classes(n, scales, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.standard_normal((n, len(scales))) * scales
    X[:, 0] += y
    return X, y


def test_means_and_covariance_are_those_of_numpy():
    X, _ = two_classes(BLOCK + 100, [1.0, 0.5, 0.1])  # more than a block
    y = np.arange(len(X)) % 3
    scatter = ClassScatter(X, np.array(["b", "a", "c"])[y])
    assert scatter.classes.tolist() == ["a", "b", "c"]
    for place, k in enumerate((1, 0, 2)):
        np.testing.assert_allclose(scatter.means[place], X[y == k].mean(axis=0), atol=1e-12)
    within = sum(np.cov(X[y == k].T, bias=True) * (y == k).mean() for k in range(3))
    np.testing.assert_allclose(scatter.covariance, within, atol=1e-12)


@pytest.mark.parametrize("rows", [6, 50], ids=["fewer rows than columns", "more"])
def test_components_are_of_the_covariance(rows):
    X, y = two_classes(rows, np.geomspace(1, 1e-3, 10))
    scatter = ClassScatter(X, y)
    variances, vectors = scatter.components
    assert (np.diff(variances) <= 1e-12).all()
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(variances)), atol=1e-10)
    np.testing.assert_allclose((vectors * variances) @ vectors.T, scatter.covariance, atol=1e-12)


def test_images_of_bytes_are_the_same_as_numbers():
    X = np.random.default_rng(0).integers(0, 256, (40, 5)).astype(np.uint8)
    y = np.arange(40) % 2
    np.testing.assert_array_equal(ClassScatter(X, y).means, ClassScatter(X.astype(float), y).means)


def test_the_flattest_direction_has_the_least_variance_orthogonal_to_the_means():
    X, y = two_classes(400, np.geomspace(1, 0.01, 8))
    X[:, 7] += 0.02 * y  # the flattest column lies partly along the means
    direction, variance = flattest_direction(X, y)
    gap = X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0)
    assert abs(direction @ gap) < 1e-12
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-12)
    centred = X - np.where(y[:, None] == 1, X[y == 1].mean(axis=0), X[y == 0].mean(axis=0))
    assert variance == pytest.approx(((centred @ direction) ** 2).mean(), rel=1e-12)
    basis = null_space(gap[None])  # of what is orthogonal to b
    covariance = centred.T @ centred / len(X)
    least = np.linalg.eigvalsh(basis.T @ covariance @ basis)[0]
    assert variance == pytest.approx(least, rel=1e-9)
    assert direction[np.argmax(np.abs(direction))] > 0


def test_a_column_without_variance_is_the_flattest_direction():
    X, y = two_classes(100, [1.0, 1.0, 0.0])
    direction, variance = flattest_direction(X, y)
    np.testing.assert_allclose(direction, [0, 0, 1], atol=1e-7)
    assert variance < 1e-13


@pytest.mark.parametrize(
    ("X", "y", "text"),
    [
        (np.zeros(3), [0, 1, 0], r"X must be a matrix \(n, d\).*got shape \(3,\)"),
        (np.zeros((0, 2)), [], "at least one row"),
        ([[np.nan, 1.0], [0, 1]], [0, 1], "X must be finite; got NaN"),
        (np.eye(3), [0, 1], r"y must be \(3,\), a label a row; got \(2,\)"),
        (np.eye(3), [1, 1, 1], r"y must hold at least two classes; got \[1\]"),
        (np.eye(3), [0, 1, 2], "y must hold exactly two classes; got 3"),
        ([[0.0, 1], [1, 0], [0, 1], [1, 0]], [0, 0, 1, 1], "those of 0 and 1 are identical"),
        ([[0.0], [1.0]], [0, 1], "X must have at least two columns"),
    ],
)
def test_what_is_refused(X, y, text):
    with pytest.raises(ValueError, match=text):
        flattest_direction(X, y)
