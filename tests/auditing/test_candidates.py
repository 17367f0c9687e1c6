"""How a candidate is built, as plain values."""

import json

from overparam.auditing.candidates import Build
from overparam.auditing.recipes import Recipe

RECIPE = Recipe("tabular", 8, rows=50, epochs=2, batch_size=10)


def test_a_build_survives_json():
    for build in (
        Build(baseline="majority"),
        Build(RECIPE, 3, temperature=True, downweight=True),
        Build(RECIPE, 3, baseline="gradient-boosting"),
    ):
        assert Build.from_dict(json.loads(json.dumps(build.as_dict()))) == build


def test_rows_are_changed_and_nothing_else():
    build = Build(RECIPE, 3, temperature=True)
    assert build.with_rows(99) == Build(RECIPE.but(rows=99), 3, temperature=True)
