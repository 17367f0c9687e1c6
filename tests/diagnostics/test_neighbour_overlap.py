"""The overlap estimate on data whose overlap is known."""

import numpy as np
import pytest

from overparam.data.synthetic import make_overlap_mixture
from overparam.diagnostics.neighbour_overlap import label_overlap, nearest_disagreement


@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
def test_a_known_overlap_is_inside_the_interval(overlap):
    data = make_overlap_mixture(4, 500, dim=10, overlap=overlap, seed=3)
    estimate, low, high = label_overlap(data.X, data.y)
    assert low <= estimate <= high
    assert estimate == pytest.approx(overlap, abs=0.08)


def test_known_label_noise_is_taken_off():
    data = make_overlap_mixture(4, 500, dim=10, overlap=0.0, seed=3)
    rng = np.random.default_rng(0)
    flipped = rng.random(len(data.y)) < 0.1
    y = np.where(flipped, (data.y + 1) % 4, data.y)
    with_noise, *_ = label_overlap(data.X, y)
    without, *_ = label_overlap(data.X, y, noise_share=0.1)
    assert with_noise > 0.25
    # 2 * 2 * 0.1 * 0.9 shows, 0.2 is taken off: what a pair of independent wrong labels leaves.
    assert without == pytest.approx(0.36 - 0.2, abs=0.06)


def test_disagreement_is_that_of_the_nearest_other_row():
    X = np.array([[0.0], [0.1], [5.0], [5.2]])
    np.testing.assert_array_equal(
        nearest_disagreement(X, np.array([0, 0, 0, 1])), [False, False, True, True]
    )


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="got 2 labels for 3 rows"):
        nearest_disagreement(np.zeros((3, 1)), np.zeros(2))
    with pytest.raises(ValueError, match="at least 2 rows; got 1"):
        nearest_disagreement(np.zeros((1, 1)), np.zeros(1))
    with pytest.raises(ValueError, match=r"noise_share must lie in \[0, 1\]; got 2"):
        label_overlap(np.zeros((3, 1)), np.zeros(3), noise_share=2)
