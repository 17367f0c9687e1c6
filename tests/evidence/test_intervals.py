import numpy as np
import pytest
from scipy import stats

from overparam.evidence.intervals import (
    bootstrap_interval,
    exact_statistic,
    holm,
    paired_bootstrap,
    resampled_means,
    seeds_and_rows,
    simultaneous_level,
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


def test_blocks_do_not_change_the_resamples(monkeypatch):
    values = np.random.default_rng(2).normal(size=50)
    whole = bootstrap_interval(values, resamples=500)
    monkeypatch.setattr("overparam.evidence.intervals._BLOCK", 50 * 7)
    assert bootstrap_interval(values, resamples=500) == whole
    assert len(resampled_means(values, resamples=501)) == 501


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


def test_seeds_and_rows_covers_when_both_vary():
    generator = np.random.default_rng(5)
    trials, seeds, rows = 1500, 5, 100
    covered = 0
    for trial in range(trials):
        gap = (
            0.3
            + generator.normal(0, 0.10, size=(seeds, 1))
            + generator.normal(0, 1.0, size=(1, rows))
            + generator.normal(0, 0.5, size=(seeds, rows))
        )
        interval = paired_bootstrap(gap, np.zeros_like(gap), "gap", resamples=200, seed=trial)
        interval = interval.statistic.interval
        covered += interval.low <= 0.3 <= interval.high
    assert covered / trials > 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    assert covered / trials < 0.99  # a little too wide, not useless


def test_rows_alone_would_forget_the_seeds():
    generator = np.random.default_rng(6)
    gap = generator.normal(0, 1.0, size=(5, 1)) + np.zeros((5, 400))
    both = paired_bootstrap(gap, 0 * gap, "gap").statistic.interval
    rows = paired_bootstrap(gap.mean(axis=0), np.zeros(400), "gap").statistic.interval
    assert both.high - both.low > 1.0
    assert rows.high - rows.low == 0.0


def test_p_value_and_interval_agree_about_zero():
    generator = np.random.default_rng(7)
    for shift in np.linspace(0.0, 0.3, 12):
        gap = shift + generator.normal(0, 1.0, size=(5, 200))
        difference = paired_bootstrap(gap, 0 * gap, "gap")
        interval = difference.statistic.interval
        assert (difference.p_value < 0.05) is not (interval.low <= 0 <= interval.high)


def test_two_equal_sides_differ_by_nothing():
    same = np.ones((3, 10))
    difference = paired_bootstrap(same, same, "gap")
    assert difference.statistic.interval.low == difference.statistic.interval.high == 0.0
    assert difference.p_value == 1.0
    assert seeds_and_rows([1.0, 1.0], [1.0, 1.0], "gap").p_value == 0.0


def test_holm_multiplies_step_by_step_and_never_falls():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
        holm([1.2])


def test_holm_keeps_false_rejections_rare():
    p = np.random.default_rng(8).uniform(size=(2000, 8))
    wrong = np.mean([holm(row).min() < 0.05 for row in p])
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_simultaneous_intervals_share_the_error():
    assert simultaneous_level(0.95, 5) == pytest.approx(0.99)
    with pytest.raises(ValueError, match="comparisons must be at least 1; got 0"):
        simultaneous_level(0.95, 0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: t_interval([1.0]), r"vector of at least 2 numbers; got shape \(1,\)"),
        (lambda: t_interval([1.0, 2.0], level=95), "level must be a number between 0 and 1"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "resamples must be at least 1"),
        (lambda: bootstrap_interval([[[1.0]]]), "values must be"),
        (lambda: paired_bootstrap([1.0, 2.0], [1.0], "gap"), "a and b must have one shape"),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
