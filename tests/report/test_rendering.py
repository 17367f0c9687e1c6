import pytest

from overparam.report import figures, rendering

CHART = figures.curve([{"a": 1, "b": 2.0}, {"a": 2, "b": 3.0}], "a", "b")


def test_a_png_has_the_asked_size_and_a_svg_the_axis_titles():
    small, large = (rendering.png(CHART, scale=scale) for scale in (1, 2))
    assert small[:8] == b"\x89PNG\r\n\x1a\n"
    width = [int.from_bytes(image[16:20], "big") for image in (small, large)]
    assert width[1] == pytest.approx(2 * width[0], abs=2)
    svg = rendering.svg(CHART)
    assert svg.startswith("<svg")
    assert ">a</text>" in svg


def test_data_elsewhere_is_not_fetched():
    spec = {"data": {"url": "https://example.org/x.csv"}, "mark": "point", "encoding": {}}
    with pytest.raises(ValueError, match=r"example\.org"):
        rendering.svg(spec)


def test_the_script_is_made_once_and_can_stand_in_a_page():
    assert rendering.script() is rendering.script()
    assert "</script" not in rendering.script()
    assert "vegaEmbed" in rendering.script()
