"""Lines have the normal that is given, inside the square of the points."""

import pytest

from overparam.report.boundary_plane import boundary_plane
from overparam.report.rendering import svg

POINTS = [
    {"u": 1.0, "v": 0.5, "row": "cats"},
    {"u": -2.0, "v": 0.0, "row": "dogs"},
]


def lines(spec):
    """Ends of each line, by the values of its data set."""
    names = [layer["data"]["name"] for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    return [spec["datasets"][name] for name in names]


@pytest.mark.parametrize("normal", [(1.0, 0.0), (0.0, 1.0), (0.17, 0.98), (0.98, -0.17)])
def test_a_line_is_orthogonal_to_its_normal_and_ends_on_the_border(normal):
    [ends] = lines(boundary_plane(POINTS, "u", "v", "row", {"C": normal}))
    for end in ends:
        assert normal[0] * end["x"] + normal[1] * end["y"] == pytest.approx(0, abs=1e-12)
        assert max(abs(end["x"]) / 2.2, abs(end["y"]) / 0.88) == pytest.approx(1)


def test_axes_have_equal_units():
    upright = [{"u": p["v"], "v": p["u"], "row": p["row"]} for p in POINTS]
    for points, reach in ((POINTS, (2.2, 0.88)), (upright, (0.88, 2.2))):
        spec = boundary_plane(points, "u", "v", "row", {"C": (1.0, 0.0)})
        assert spec["width"] / spec["height"] == pytest.approx(reach[0] / reach[1], rel=0.01)
        for layer in spec["layer"]:
            for axis, end in zip(("x", "y"), reach, strict=True):
                domain = layer["encoding"][axis]["scale"]["domain"]
                assert domain == pytest.approx([-end, end])


def test_it_draws_with_every_name():
    page = svg(boundary_plane(POINTS, "u", "v", "row", {"fitted": (1, 0), "tilted": (0.1, 1)}))
    for word in ("cats", "dogs", "fitted", "tilted"):
        assert word in page
