"""Means over ensembles, and the jackknife over models."""

import numpy as np
import pytest

from overparam.studies.infinite_compute_subsets import (
    difference,
    mean_over_subsets,
    pseudo_values,
)

LOSSES = [3.0, 5.0, 2.0, 7.0, 2.5, 4.0, 1.0]  # models {0}, {1}, {0, 1}, {2}, {0, 2}, {1, 2}, all


@pytest.mark.parametrize(
    ("size", "without", "mean"),
    [(1, None, 5), (2, None, 8.5 / 3), (3, None, 1), (1, 0, 6), (2, 1, 2.5), (1, 2, 4)],
)
def test_means_are_over_all_ensembles_of_a_size(size, without, mean):
    assert mean_over_subsets(LOSSES, size, without) == pytest.approx(mean)


@pytest.mark.parametrize(("size", "without", "most"), [(4, None, 3), (3, 1, 2), (0, None, 3)])
def test_sizes_that_do_not_exist_are_named(size, without, most):
    with pytest.raises(ValueError, match=f"size must be in 1 .. {most}, the models there are"):
        mean_over_subsets(LOSSES, size, without)


def test_pseudo_values_of_a_mean_are_the_values_and_of_pairs_average_to_the_statistic():
    singles = [LOSSES[0], LOSSES[1], LOSSES[3]]
    found = pseudo_values(lambda i: mean_over_subsets(LOSSES, 1, i), 3)
    np.testing.assert_allclose(found, singles)
    pairs = pseudo_values(lambda i: mean_over_subsets(LOSSES, 2, i), 3)
    assert pairs.mean() == pytest.approx(mean_over_subsets(LOSSES, 2))


def test_a_difference_of_groups_has_both_their_errors():
    first, second = np.array([1.0, 2, 3]), np.array([0.0, 0.5, 1, 1.5])
    found = difference(first, second, "gap")
    assert (found.value, found.n) == (1.25, 3)
    error = np.sqrt(1 / 3 + (5 / 12) / 4)
    assert found.interval.high - found.value == pytest.approx(4.302653 * error, rel=1e-6)
