"""Tables by seed."""

import numpy as np
import polars as pl
import pytest

from overparam.evidence.intervals import t_interval
from overparam.evidence.regions import between, more_than
from overparam.evidence.seed_tables import by_seed, log_log_slopes, seed_means, worst_interval

TABLE = pl.DataFrame(
    {
        "k": [8, 8, 2, 2],  # not sorted: the order of the table is kept
        "seed": [1, 0, 0, 1],
        "kl": [4.0, 3.0, 1.0, 2.0],
    }
)


def test_rows_are_seeds_and_columns_are_places_in_the_order_of_the_table():
    np.testing.assert_array_equal(by_seed(TABLE, "kl", "k"), [[3.0, 1.0], [4.0, 2.0]])


@pytest.mark.parametrize("wrong", [TABLE[:3], pl.concat([TABLE, TABLE[:1]])])
def test_a_seed_without_a_value_or_with_two_is_named(wrong):
    with pytest.raises(ValueError, match=r"one row for each seed and k; got [35] rows for 2 seeds"):
        by_seed(wrong, "kl", "k")


VALUES = np.array([[1.0, 0.9, -0.7], [1.2, 1.7, -0.8]])  # the second has the widest interval


@pytest.mark.parametrize(
    ("columns", "region", "deciding"),
    [
        ([0, 1], more_than(0), 1.3),  # both above on average, the second reaches below
        ([0, 1, 2], more_than(0), -0.75),  # wholly outside: decides whatever the others say
        ([0, 2], between(-3, 2), 1.1),  # nearer to the upper end than the other to the lower
    ],
)
def test_the_worst_place_decides(columns, region, deciding):
    assert worst_interval(VALUES[:, columns], region, "x").value == pytest.approx(deciding)


def test_a_missing_figure_decides():
    missing = np.c_[VALUES[:, :2], [np.nan, 1.0]]
    assert np.isnan(worst_interval(missing, more_than(0), "x").value)


def test_means_come_with_their_interval_in_the_order_of_the_groups():
    means = seed_means(TABLE, "kl", ["k"])
    assert means["k"].to_list() == [8, 2]
    assert means["kl"].to_list() == [3.5, 1.5]
    assert (means["low"][0], means["high"][0]) == pytest.approx(
        (t_interval([4, 3]).low, t_interval([4, 3]).high)
    )


def test_one_seed_has_a_mean_and_no_interval():
    means = seed_means(TABLE[:1], "kl", ["k"])
    assert means.row(0, named=True) == {"k": 8, "kl": 4.0, "low": None, "high": None}


def test_slopes_are_the_exponents_of_power_laws():
    x = [2, 8, 64]
    y = np.array([[3.0 * v**-0.5 for v in x], [0.1 * v**2 for v in x]])
    np.testing.assert_allclose(log_log_slopes(x, y), [-0.5, 2.0], atol=1e-12)
