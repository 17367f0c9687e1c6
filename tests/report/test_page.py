import json
import re

from overparam.report import figures, page

CHART = figures.curve([{"a": 1, "b": 2.0}, {"a": 2, "b": 3.0}], "a", "b", title="A title")


def test_a_title_is_lifted_out_of_the_picture():
    drawn = page.picture("x", CHART)
    assert drawn.title == "A title"
    assert "A title" not in drawn.svg


def test_a_chart_that_cannot_be_drawn_says_so():
    assert page.picture("x", {"mark": "nonsense", "data": {"values": []}}).problem


def test_pictures_follow_the_readers_theme():
    assert "var(--blue)" in page.picture("x", CHART).svg


def test_specifications_in_the_page_are_safe_and_complete():
    table = [{"a": 1, "b": 2.0, "c": "</script><script>&'"}]
    text = page.assemble("audit.html.j2", {"x": figures.curve(table, "a", "b", color="c")})
    inside = re.search(r'id="specs">(.*?)</script>', text, re.DOTALL)[1]
    assert not set("<>&") & set(inside)
    spec = json.loads(inside)["x"]["spec"]
    assert "</script><script>&'" in json.dumps(spec)


def test_templates_escape():
    assert page.environment().from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"


def test_clip_paths_of_two_pictures_keep_apart():
    clipped = {
        "data": {"values": [{"a": 1, "b": 1}, {"a": 2, "b": 9}]},
        "mark": {"type": "line", "clip": True},
        "encoding": {
            "x": {"field": "a", "type": "quantitative"},
            "y": {"field": "b", "type": "quantitative"},
        },
    }
    for name in ("one", "two"):
        svg = page.picture(name, clipped).svg
        ids = re.findall(r'\sid="([^"]+)"', svg)
        assert ids
        assert all(found.startswith(f"{name}-") for found in ids)
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(ids)
