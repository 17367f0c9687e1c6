import numpy as np
import polars as pl
import pytest

from overparam.report import chart_data


def test_records_may_lack_keys():
    frame = chart_data.frame_of([{"a": 1}, {"a": 2.5, "b": "x"}])
    assert frame.to_dict(as_series=False) == {"a": [1.0, 2.5], "b": [None, "x"]}


def test_a_column_that_lacks_is_named():
    with pytest.raises(ValueError, match=r"must have a column 'y'; got \['a'\]"):
        chart_data.select([{"a": 1}], {"x": "a", "y": "y"})


def test_gaps_take_what_a_scale_cannot_show():
    frame = pl.DataFrame({"y": [1.0, float("nan"), float("inf"), 0.0, -2.0]})
    assert chart_data.with_gaps(frame, "y")["y"].to_list() == [1.0, None, None, 0.0, -2.0]
    positive = chart_data.with_gaps(frame, "y", positive=True)
    assert positive["y"].to_list() == [1.0, None, None, None, None]
    assert chart_data.missing(positive, "y") == ["4 of 5 rows have no value to show."]


def test_means_keep_each_series_and_the_trend():
    x = np.random.default_rng(0).random(20_000)
    series = np.where(np.arange(20_000) % 2, "up", "down")
    frame = pl.DataFrame({"x": x, "y": np.where(series == "up", x, -x), "color": series})
    means, notes = chart_data.averaged(frame)
    assert notes == ["Means of 20,000 rows in 100 bins."]
    assert means.height == 200
    signed = np.where(means["color"].to_numpy() == "up", 1, -1)
    np.testing.assert_allclose(means["y"], signed * means["x"].to_numpy(), atol=1e-12)


def test_equal_labels_keep_a_line_each_and_long_ones_two_lines():
    names = ["same", "same", "a very long label " * 10, None, "  "]
    frame, notes = chart_data.labelled(pl.DataFrame({"label": names}))
    assert frame["label"].n_unique() == 5
    assert frame["label"].str.count_matches("\n").max() == 1
    assert frame["name"].to_list()[2] == names[2]
    assert notes == []
    many, notes = chart_data.labelled(pl.DataFrame({"label": [str(k) for k in range(100)]}))
    assert many.height == 60
    assert notes == ["The first 60 of 100 rows."]


def test_a_large_heat_map_keeps_its_strongest_rows():
    frame = pl.DataFrame({"x": list(range(100)), "value": [-float(k) for k in range(100)]})
    kept, notes = chart_data.strongest(frame, "x", "unit")
    assert kept["x"].to_list() == list(range(60, 100))
    assert notes == ["40 of 100 values of unit: those with the largest totals."]
