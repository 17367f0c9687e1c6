"""Distances on the sphere, down to those that a matrix product cannot see."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from overparam.kernels import sphere_distances
from overparam.kernels.sphere_distances import EQUAL, SphereDistances, to_sphere


def unit_rows(n, p, seed=0):
    return to_sphere(np.abs(np.random.default_rng(seed).normal(size=(n, p))), "sphere")


@pytest.mark.parametrize(("p", "rtol"), [(3, 1e-9), (64, 1e-9), (65, 1e-4)])
def test_near_and_far_pairs_are_precise(p, rtol):
    train = unit_rows(200, p)
    noise = np.random.default_rng(1).normal(size=(200, p))
    scale = np.geomspace(1e-12, 1, 200)[:, None]
    rows = to_sphere(train + scale * noise, "sphere")
    expected = cdist(rows, train, "sqeuclidean") / 2
    found = SphereDistances(train).between(rows)
    np.testing.assert_allclose(found, expected, rtol=rtol)
    assert found.dtype == (np.float32 if p > 64 else np.float64)


def test_rows_far_from_the_origin_and_close_together_keep_their_digits():
    train = to_sphere(10 + np.random.default_rng(0).normal(size=(300, 100)) * 1e-3, "sphere")
    found = SphereDistances(train).between(train[:50])
    np.testing.assert_allclose(found, cdist(train[:50], train, "sqeuclidean") / 2, rtol=1e-4)


@pytest.mark.parametrize("p", [3, 100])
def test_rows_that_differ_by_rounding_are_equal(p):
    train = unit_rows(50, p)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(p, p)))[0]
    t = SphereDistances((train @ turn) @ turn.T).between(train)
    assert np.diag(t).max() < EQUAL < np.min(t[~np.eye(50, dtype=bool)])


def test_blocks_cover_the_rows_in_order(monkeypatch):
    monkeypatch.setattr(sphere_distances, "NUMBERS", 100)
    train, rows = unit_rows(30, 4), unit_rows(11, 4, seed=1)
    distances = SphereDistances(train)
    parts = list(distances.blocks(rows))
    assert len(parts) == 4
    found = np.concatenate([t for _, t in parts])
    np.testing.assert_allclose(found, distances.between(rows), rtol=1e-12)
    assert [part.start for part, _ in parts] == [0, 3, 6, 9]


def test_norms_beyond_the_range_of_floats():
    X = np.array([[3e-300, 4e-300], [3e300, 4e300], [3.0, 4.0]])
    np.testing.assert_allclose(to_sphere(X, "sphere"), [[0.6, 0.8]] * 3, rtol=1e-14)


@pytest.mark.parametrize(
    ("X", "normalize", "message"),
    [
        ([[1.0, 0], [0, 0]], "sphere", "X must not have a row of zeros, .* got one in row 1"),
        ([[1.0, 0], [0, 1.1]], None, "X must have rows of norm 1 .* got norm 1.1 in row 1"),
        ([[1.0, 0]], "cube", "normalize must be 'sphere' or None .* got 'cube'"),
    ],
)
def test_bad_rows_are_named(X, normalize, message):
    with pytest.raises(ValueError, match=message):
        to_sphere(np.array(X), normalize)


def test_unit_rows_pass_as_they_are():
    X = unit_rows(5, 3)
    assert to_sphere(X, None) is X
