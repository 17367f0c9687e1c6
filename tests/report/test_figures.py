import json

import numpy as np
import polars as pl
import pytest

from overparam.report import figures, rendering

NAN = float("nan")
LONG = 'a label that goes on and on, with <b>markup</b> and "quotes" & more ' * 3
HARD = ["a.b", "c[0]", "d:Q", "it's"]  # each means something to Vega when it names a field


def rows_of(spec):
    return max(spec["datasets"].values(), key=len)


def one_of_each(table, columns):
    """Every chart of the same awkward table, whose columns have the given names."""
    label, value, low, high = columns
    bins = table.select(
        confidence=pl.col(value), accuracy=pl.col(value), count=pl.lit(3), model=pl.col(label)
    )
    return {
        "curve": figures.curve(table, label, value, low=low, high=high),
        "lines": figures.curve(table, value, high, color=label, log_x=True, log_y=True, rules=[1]),
        "forest": figures.forest(table, label, value, low, high, color=label),
        "reliability": figures.reliability(bins),
        "histogram": figures.histogram(table, value, color=label, rules=[(0.5, "rule")]),
        "bars": figures.bars(table, label, value),
        "heatmap": figures.heatmap(table, label, low, value),
    }


def awkward(n, **columns):
    made = {
        HARD[0]: [f"{k % 17}" for k in range(n)],
        HARD[1]: np.linspace(0.1, 0.9, n),
        HARD[2]: np.linspace(0.0, 0.8, n),
        HARD[3]: np.linspace(0.2, 1.0, n),
    }
    return pl.DataFrame({**made, **columns})


TABLES = {
    "empty": awkward(0),
    "one point": awkward(1),
    "not finite": awkward(4, **{HARD[1]: [NAN, np.inf, 0.5, None], HARD[3]: [NAN] * 4}),
    "nothing finite": awkward(3, **{HARD[1]: [NAN] * 3}),
    "constant": awkward(5, **{HARD[1]: [2.0] * 5}),
    "negative": awkward(5, **{HARD[1]: [-1.0, -2.0, 0.0, 1.0, 3.0]}),
    "long labels": awkward(3, **{HARD[0]: [LONG, LONG, "\u202eright to left"]}),
    "17 series": awkward(170),
    "many rows": awkward(30_000),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_chart_draws_every_awkward_table(name):
    for kind, spec in one_of_each(TABLES[name], HARD).items():
        assert len(rows_of(spec)) <= 5_000, kind
        svg = rendering.svg(spec)
        assert "<b>" not in svg
        assert "NaN" not in svg, kind
        assert len(svg) < 1_000_000, kind
        json.dumps(spec, allow_nan=False)


def test_what_a_chart_leaves_out_is_said_in_it():
    spec = figures.curve([{"a": 1, "b": NAN}, {"a": 2, "b": 1.0}], "a", "b", title="T")
    assert spec["usermeta"]["notes"] == ["1 of 2 rows have no value to show."]
    assert spec["usermeta"]["title"] == "T"
    assert "1 of 2 rows" in rendering.svg(spec)
    assert "nothing to show" in rendering.svg(figures.bars([], "a", "b"))


def test_a_curve_keeps_its_numbers_and_their_names():
    table = [{"width": 2, "error": 0.5, "kind": "a"}, {"width": 4, "error": 0.25, "kind": "b"}]
    spec = figures.curve(table, "width", "error", color="kind", log_x=True)
    assert rows_of(spec) == [{"x": 2, "y": 0.5, "color": "a"}, {"x": 4, "y": 0.25, "color": "b"}]
    assert spec["usermeta"]["columns"] == {"x": "width", "y": "error", "color": "kind"}


def test_a_histogram_holds_counts_only():
    values = np.random.default_rng(0).normal(size=50_000)
    spec = figures.histogram(pl.DataFrame({"v": values}), "v", bins=20)
    counts = rows_of(spec)
    assert len(counts) <= 20
    assert sum(row["count"] for row in counts) == 50_000


def test_a_rule_may_be_a_number_a_tuple_or_named():
    rules = [3, (4, "four"), figures.Rule(0.5, "half", axis="y")]
    spec = figures.curve([{"a": 1, "b": 0.0}, {"a": 9, "b": 1.0}], "a", "b", rules=rules)
    svg = rendering.svg(spec)
    assert "four" in svg
    assert "half" in svg


def test_empty_bins_are_no_points_of_a_reliability_diagram():
    bins = [
        {"confidence": 0.9, "accuracy": 0.8, "count": 5},
        {"confidence": NAN, "accuracy": NAN, "count": 0},
    ]
    points = [
        row
        for rows in figures.reliability(bins)["datasets"].values()
        for row in rows
        if "count" in row
    ]
    assert points == [{"x": 0.9, "y": 0.8, "count": 5}]


def test_cells_that_occur_twice_are_averaged():
    cells = [{"x": "a", "y": "b", "v": 1.0}, {"x": "a", "y": "b", "v": 3.0}]
    assert rows_of(figures.heatmap(cells, "x", "y", "v"))[0]["value"] == 2.0


def test_the_same_table_gives_the_same_specification():
    table = [{"a": 1, "b": 2.0, "c": "u"}, {"a": 2, "b": 3.0, "c": "v"}]
    one, other = (figures.curve(table, "a", "b", color="c") for _ in range(2))
    assert one == other
