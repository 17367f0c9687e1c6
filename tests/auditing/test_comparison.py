"""Intervals of differences: coverage by simulation, limits by closed form."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from overparam.auditing.comparison import (
    Difference,
    crossed,
    holm_levels,
    over_splits,
    repeated,
    unpaired,
)


def sample(rng, n_seeds, n_rows, seed_sd, row_sd, both_sd):
    return (
        seed_sd * rng.standard_normal((n_seeds, 1))
        + row_sd * rng.standard_normal((1, n_rows))
        + both_sd * rng.standard_normal((n_seeds, n_rows))
    )


@pytest.mark.parametrize(
    ("seed_sd", "row_sd", "both_sd"), [(0.1, 1.0, 0.5), (0.5, 0.1, 0.1), (0.0, 1.0, 1.0)]
)
def test_the_interval_covers_the_truth_as_often_as_it_says(seed_sd, row_sd, both_sd):
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        low, high = crossed(sample(rng, 5, 60, seed_sd, row_sd, both_sd)).interval()
        inside += low <= 0 <= high
    assert 0.92 <= inside / 400 <= 0.985


def test_one_seed_is_the_usual_t_interval_over_rows():
    scores = np.random.default_rng(1).standard_normal(40) + 0.3
    peer = ttest_1samp(scores, 0.0)
    difference = crossed(scores)
    assert difference.p_value == pytest.approx(peer.pvalue)
    assert difference.interval() == pytest.approx(tuple(peer.confidence_interval()))


def test_rows_alike_leave_the_t_interval_over_seeds():
    per_seed = np.array([0.1, 0.3, 0.2])
    difference = crossed(np.repeat(per_seed[:, None], 50, axis=1))
    peer = ttest_1samp(per_seed, 0.0).confidence_interval()
    assert difference.interval() == pytest.approx(tuple(peer), rel=1e-9)


@pytest.mark.parametrize("seed_sd", [0.05, 0.005, 0.0])
def test_two_seeds_against_four_cover_the_truth_as_often_as_they_say(seed_sd):
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        rows = 0.15 * rng.standard_normal(60)  # the same for both
        first = sample(rng, 4, 60, seed_sd, 0.05, 0.03) + rows
        second = sample(rng, 2, 60, seed_sd, 0.0, 0.03) + rows
        low, high = unpaired(first, second).interval()
        inside += low <= 0 <= high
    assert 0.93 <= inside / 1000 <= 0.985


def test_rows_alike_leave_the_t_interval_of_two_samples():
    first, second = np.array([0.1, 0.3, 0.2, 0.4]), np.array([0.0, 0.1])
    difference = unpaired(np.tile(first[:, None], 50), np.tile(second[:, None], 50))
    peer = ttest_ind(first, second)
    assert difference.p_value == pytest.approx(peer.pvalue)
    assert difference.interval() == pytest.approx(tuple(peer.confidence_interval()))


def test_no_difference_at_all_has_no_width():
    difference = crossed(np.zeros((3, 10)))
    assert difference.interval() == (0.0, 0.0)
    assert difference.p_value == 1.0
    assert Difference(0.2, 0.0, 1).p_value == 0.0


def test_repeated_splits_are_widened_for_their_overlap():
    means = [0.1, 0.2, 0.3, 0.2, 0.2]
    difference = repeated(means, n_train=300, n_validation=100)
    assert difference.error == pytest.approx(np.std(means, ddof=1) * np.sqrt(1 / 5 + 1 / 3))
    assert difference.freedom == 4


def test_several_splits_take_the_mean_of_each():
    scores = [np.full((2, 10), v) for v in (0.1, 0.3)]
    assert over_splits(scores, 30).value == pytest.approx(0.2)
    assert over_splits(scores[:1], 30).value == pytest.approx(0.1)


def test_holm_levels_step_down_and_stop():
    # 0.001 < .05/3, 0.02 < .05/2, 0.2 > .05: levels grow less strict step by step.
    assert holm_levels([0.2, 0.001, 0.02]) == pytest.approx([0.95, 1 - 0.05 / 3, 0.975])
    # The first is not significant at .05/2: the second keeps that level, however small its p.
    assert holm_levels([0.03, 0.04]) == pytest.approx([0.975, 0.975])
