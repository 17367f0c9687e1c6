import numpy as np
import pytest
from scipy import stats

from overparam.evidence.intervals import (
    bootstrap_interval,
    exact_statistic,
    t_interval,
    t_statistic,
)


def test_the_t_interval_is_scipys():
    values = np.random.default_rng(0).normal(size=5)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    ours = t_interval(values, level=0.9)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert ours.method == "t"


def test_a_t_statistic_carries_mean_label_and_count():
    statistic = t_statistic([1.0, 2.0, 3.0], "rise")
    assert (statistic.value, statistic.label, statistic.n) == (2.0, "rise", 3)
    assert statistic.interval == t_interval([1.0, 2.0, 3.0])
    assert exact_statistic(2, "rise").interval is None


def test_a_missing_value_makes_the_interval_not_a_number():
    interval = t_interval([1.0, np.nan, 2.0])
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_the_bootstrap_interval_is_scipys_percentile_interval():
    values = np.random.default_rng(1).exponential(size=200)
    for statistic in (np.mean, np.median):
        ours = bootstrap_interval(values, statistic, resamples=20_000, seed=3)
        theirs = stats.bootstrap(
            (values,), statistic, n_resamples=20_000, method="percentile", rng=4
        ).confidence_interval
        width = theirs.high - theirs.low  # the end of 20,000 resamples wavers by about 2 %
        assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
        assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_columns_are_resampled_together():
    rows = np.random.default_rng(3).normal(size=(40, 1)) * [1.0, 2.0]

    def slope(sample, axis):
        assert axis == 1
        return sample[..., 1].sum(axis=1) / sample[..., 0].sum(axis=1)

    interval = bootstrap_interval(rows, slope, resamples=100)
    assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_t_interval_of_three_seeds_covers_as_often_as_it_says(level):
    draws = np.random.default_rng(4).normal(1.0, 2.0, size=(4000, 3))
    covered = 0
    for values in draws:
        interval = t_interval(values, level)
        covered += interval.low <= 1.0 <= interval.high
    # three standard errors of a share over 4,000 trials
    assert covered / 4000 == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 4000))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: t_interval([1.0]), r"vector of at least 2 numbers; got shape \(1,\)"),
        (lambda: t_interval([1.0, 2.0], level=95), "level must be a number between 0 and 1"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "resamples must be at least 1"),
        (lambda: bootstrap_interval([[[1.0]]]), "values must be"),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
