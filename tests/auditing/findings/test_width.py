"""Where a bigger net hurts, where it does not."""

import numpy as np
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.findings.width import MARGIN, width
from overparam.evidence.verdict import Verdict


def test_noise_fitted_by_a_wide_net_is_an_issue(make_context):
    X, y = blobs(1200, 10, distance=3.0)
    answer = width(make_context(X, flipped(y, 0.25)[0]))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.evidence.statistic.interval.low > MARGIN
    assert answer.headline.startswith("Bigger is worse here: 10,357 parameters lose")
    assert answer.extra["interpolates_at"] is None
    assert any("No width fits every training label" in text for text in answer.details)
    assert any("are worst with 1 features for each row" in text for text in answer.details)
    [(_, title, _)] = answer.pictures.values()
    assert title == "The same question for read-outs of random layers"


def test_clear_classes_are_fine_at_any_width(make_context):
    answer = width(make_context(*blobs(1200, 10, distance=6.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("Bigger does not hurt: with 8 parameters for each row")
    fewest = answer.evidence.table["parameters"].min()
    assert answer.extra["interpolates_at"] == fewest
    assert f"The training error reaches 0 from {fewest:,} parameters on." in answer.details


def test_a_regression_has_training_rmse_and_no_training_curve(make_context):
    X, _ = blobs(600, 5, distance=1.0)
    answer = width(make_context(X, X[:, 0] + X[:, 1]))
    assert answer.resolved_outcome == "fine"
    assert set(answer.evidence.table["part"]) == {"validation"}
    assert (answer.evidence.table["training_error"] < 0.5).all()


def test_the_margin_of_an_rmse_has_the_unit_of_the_target(make_context):
    X, _ = blobs(300, 5, distance=1.0)
    y = 1000 * (X[:, 0] + X[:, 1])
    context = make_context(X, y, metric="rmse")
    expected = MARGIN * np.std(context.splits[0].train.y)
    assert width(context).evidence.holds.text.endswith(f"{expected:g}")
