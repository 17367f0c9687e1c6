"""Rows drawn by the seed, standardised by the training rows alone."""

import numpy as np
import pytest

from overparam.studies.standardised_images import images


def test_rows_are_drawn_by_the_seed_and_test_rows_are_others():
    data, other = images("digits", 200, 0, 100), images("digits", 200, 1, 100)
    assert data.X.shape == (200, 64)
    assert data.X_test.shape == (100, 64)
    assert data.X.mean() == pytest.approx(0, abs=1e-5)
    assert data.X.std() == pytest.approx(1, abs=1e-5)
    rows = {row.tobytes() for row in data.X}
    assert not rows & {row.tobytes() for row in data.X_test}
    assert not np.array_equal(data.y, other.y)


def test_tensors_are_the_same_rows():
    data = images("digits", 128, 0, 60)
    tensors = data.tensors()
    for ours, theirs in zip(tensors[:4], data[:4], strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    assert tensors.k == data.k == 10
