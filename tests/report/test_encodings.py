import altair as alt
import polars as pl
import pytest

from overparam.report import encodings, rendering


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([1.0, 5.0], {1, 2, 3, 5, 7, 10}), ([1e-5, 1e3], {1e-5, 1e-2, 1.0, 1e3}), ([None], {1.0})],
)
def test_logarithmic_ticks_are_powers_of_ten_and_steps_where_these_are_few(values, ticks):
    _, axis = encodings.measure_axis(pl.Series(values, dtype=pl.Float64), log=True)
    made = axis.to_dict()["values"]
    assert all(any(abs(tick / one - 1) < 1e-9 for one in made) for tick in ticks)
    assert len(made) <= 20


def test_bars_leave_room_for_their_numbers_on_the_side_where_they_stand():
    assert encodings.room_for_numbers(pl.Series([1.0, 10.0])) == [0.0, pytest.approx(11.2)]
    assert encodings.room_for_numbers(pl.Series([-10.0])) == [pytest.approx(-11.2), 0.0]
    assert encodings.room_for_numbers(pl.Series([], dtype=pl.Float64)) == [0.0, pytest.approx(1.12)]


@pytest.mark.parametrize(("value", "side"), [(1.0, "left"), (9.0, "right")])
def test_a_label_stands_on_the_roomier_side_of_its_rule(value, side):
    _, text = encodings.rule_layers([(value, "here")], pl.Series([0.0, 10.0]))
    assert text.mark.align == side


def test_more_series_than_colours_are_told_apart_by_dashes():
    frame = pl.DataFrame({"color": [f"s{k}" for k in range(17)]})
    shades, _, _ = encodings.series(frame, line=True)
    colors, dashes = (shades[name]["scale"]["range"] for name in ("color", "strokeDash"))
    looks = zip(colors, map(str, dashes), strict=True)
    assert len(set(looks)) == 17
    assert "strokeDash" not in encodings.without_dashes(shades)


def test_a_finished_chart_has_the_house_style_and_carries_its_notes():
    layer = alt.Chart(pl.DataFrame({"x": [1.0]})).mark_point().encode(x="x:Q")
    spec = encodings.finished([layer], "T", ["n"], {"x": "width", "color": None})
    assert spec["usermeta"] == {"title": "T", "notes": ["n"], "columns": {"x": "width"}}
    assert rendering.svg(spec).count(">n</text>") == 1


def test_labels_of_rules_that_are_close_stand_below_each_other():
    rules = [(1.0, "first"), (1.5, "second"), (9.0, "far")]
    texts = encodings.rule_layers(rules, pl.Series([0.0, 10.0]))[1::2]
    heights = [text.to_dict()["encoding"]["y"]["value"] for text in texts]
    assert heights[0] == heights[2] < heights[1]
