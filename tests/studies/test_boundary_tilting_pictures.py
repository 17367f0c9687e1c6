"""Pictures show what is in their tables."""

import polars as pl

from overparam.report.rendering import svg
from overparam.studies.boundary_tilting_pictures import by_decay, margins, tilted_boundary, types


def test_margins_have_a_line_for_all_rows_and_one_for_correct_ones():
    found = {"angle": [80.0, 10.0], "all_rows": [0.2, 0.98], "correct_rows": [1.0, 2.2]}
    page = svg(margins(found))
    assert "correct rows only" in page
    assert "deviation angle, degrees" in page


def test_the_plane_names_classes_and_boundaries():
    found = {
        "rows": [[1.0, 0.0], [-1.0, 0.1]],
        "images": [[0.9, -0.3], [-0.9, 0.3]],
        "label": [1, 0],
        "normal": [1.0, 0.0],
        "tilted_normal": [0.17, 0.98],
    }
    page = svg(tilted_boundary(found, ["Coat", "Shirt"], 80.0))
    for word in ("Coat", "Shirt", "mirror images", "as fitted", "tilted by 80 degrees"):
        assert word in page


def test_decays_stand_in_their_order():
    rows = [
        {"decay": d, "seed": s, "accuracy": 0.8, "distance": 0.3}
        for d in (0.0, 0.003)
        for s in (0, 1)
    ]
    page = svg(by_decay(pl.DataFrame(rows)))
    assert "relative distance" in page
    assert page.index(">0.0<") < page.index(">0.003<")


def test_types_are_coloured():
    means = pl.DataFrame({"pair": ["3/7", "a/b"], "angle": [18.0, 65.0], "type": [0.0, 2.0]})
    page = svg(types(means))
    assert "type 0" in page
    assert "type 2" in page
