"""The finding fires on data whose flat directions are overfitted, and only there."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.findings.boundary_tilt import FARTHER, Path, _words, boundary_tilt
from overparam.data.loading import load
from overparam.diagnostics.deviation_angle import TILTED
from overparam.evidence.intervals import t_statistic
from overparam.evidence.verdict import Verdict


def flat_directions(n=400, d=150, seed=0):
    """Images-like rows: one wide signal, and many columns that hardly vary beside it.

    Each column is the sum of a common part, which tells the classes, and a little of its own: along
    differences of columns the data hardly vary, and few rows leave them to be overfitted.
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    common = (2.0 * y + rng.standard_normal(n))[:, None]
    return (common + 0.3 * rng.standard_normal((n, d))).astype(np.float32), y


def test_many_barely_varying_directions_and_few_rows_make_it_an_issue(make_context):
    answer = boundary_tilt(make_context(*flat_directions()))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.evidence.statistic.interval.low > TILTED
    assert answer.headline.endswith("your data hardly vary flip it.")
    assert answer.action.startswith("Regularise to C = ")
    assert answer.extra["recommended_c"] < 1
    assert answer.extra["angle_there"] < answer.extra["angle"] - 10
    assert "of the normal's squared length lie in the directions" in answer.details[0]


def test_at_the_recommended_level_the_model_is_as_accurate_and_stands_farther_off(make_context):
    answer = boundary_tilt(make_context(*flat_directions()))
    table = answer.evidence.table
    at = table.filter(C=answer.extra["recommended_c"]).row(0, named=True)
    weakest = table.row(-1, named=True)
    assert weakest["C"] == 1
    assert at["validation_error"] <= weakest["validation_error"]
    assert at["relative_margin"] > FARTHER * weakest["relative_margin"]
    assert table["angle"].is_sorted()


def test_round_classes_are_fine(make_context):
    answer = boundary_tilt(make_context(*blobs(400, 5, distance=3.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.interval.high <= TILTED
    assert answer.action == "There is nothing to do."


def test_a_tilt_that_accuracy_needs_is_fine(make_context):
    # One column moves the means; the difference of two others tells the classes.
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(1000) % 2)
    wide = 3 * rng.standard_normal(1000)
    X = np.column_stack([wide + 0.25 * y, wide, 2 * y + 2 * rng.standard_normal(1000)])
    X[:, :2] += 0.05 * rng.standard_normal((1000, 2))
    answer = boundary_tilt(make_context(X.astype(np.float32), y))
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.resolved_outcome == "fine"
    assert "and has to be" in answer.headline


def test_of_many_classes_the_confused_pair_is_asked_about(make_context):
    X, y = blobs(600, 8, classes=4, distance=8.0)
    X[y == 3] += 0.8 * (X[y == 2].mean(axis=0) - X[y == 3].mean(axis=0))
    answer = boundary_tilt(make_context(X, y))
    assert answer.extra["pair"] == ["2", "3"]
    assert answer.headline.startswith("The linear model between 2 and 3 is tilted")


def test_a_nets_boundary_is_told_where_the_budget_reaches(make_context):
    context = make_context(*blobs(300, 4, distance=3.0))
    told = boundary_tilt(context).details[-1]
    assert told.startswith("The baseline net's own boundary lies ")
    assert "half the distance of the two class means away" in told
    context = make_context(*blobs(300, 4, distance=3.0), seconds={"one_net": 1e9})
    assert boundary_tilt(context).details[-1].endswith("the budget does not reach.")


def test_a_level_within_one_standard_error_is_recommended():
    found = {
        "c": [0.01, 0.1, 1.0],
        "angle": np.array([[10.0, 40.0, 70.0]] * 2),
        "error": np.array([[0.3, 0.11, 0.10], [0.3, 0.11, 0.10]]),
        "validation_rows": 400,  # one standard error: 0.015
    }
    path = Path(found)
    assert path.recommended == 0.1
    assert path.farther == pytest.approx(np.cos(np.radians(40)) / np.cos(np.radians(70)))
    assert Path(found | {"validation_rows": 100_000}).recommended == 1.0


@pytest.mark.parametrize(
    ("errors", "levels", "outcome"),
    [
        ([0.10, 0.10, 0.10], [50.0, 60.0, 70.0], "issue"),
        ([0.10, 0.10, 0.10], [66.0, 68.0, 70.0], "fine"),  # 1.19 times as far
        ([0.30, 0.10, 0.10], [10.0, 68.0, 70.0], "fine"),  # what would help costs too much
        ([0.30, 0.20, 0.10], [10.0, 40.0, 70.0], "fine"),
    ],
)
def test_it_is_an_issue_only_where_regularising_helps_at_no_cost(errors, levels, outcome):
    angles = np.array(levels) + np.array([[-0.1], [0.0], [0.1]])
    path = Path(
        {"c": [0.01, 0.1, 1.0], "angle": angles, "error": errors + 0 * angles}
        | {"validation_rows": 400}
    )
    headline, _, found = _words(path, t_statistic(angles[:, -1], "angle"), ["a", "b"], 2)
    assert found == outcome
    assert ("and has to be" in headline) == (outcome == "fine")


@pytest.mark.parametrize(
    ("turned", "outcome"), [([44, 45, 43], "fine"), ([44, 48, 49], "tip"), ([60, 61, 60], "issue")]
)
def test_below_45_degrees_it_is_silent_whatever_the_interval(turned, outcome):
    angles = np.array([[5.0, 20.0, angle] for angle in turned])
    found = {"c": [0.01, 0.1, 1.0], "angle": angles, "error": 0.1 + 0 * angles}
    path = Path(found | {"validation_rows": 400})
    assert _words(path, t_statistic(angles[:, -1], "angle"), ["a", "b"], 2)[2] == outcome


def test_what_it_does_not_apply_to(make_context):
    X, y = blobs(300, 4, distance=2.0)
    with pytest.raises(NotApplicable, match="a regression has no boundary between classes"):
        boundary_tilt(make_context(X, X[:, 0].astype(float)))
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:15]])
    with pytest.raises(NotApplicable, match="no two classes have 15 training rows"):
        boundary_tilt(make_context(load(X[rare], y[rare])))
