"""Statistics of many nets' predictions."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.comparison import crossed
from overparam.auditing.reading import (
    gains,
    held_loss,
    held_targets,
    margin,
    mean_with_interval,
    points,
    score_with_interval,
    statistic,
)


def test_gains_are_row_scores_of_every_net(make_context):
    context = make_context(*blobs(100, 3, distance=2.0))
    y = context.validation(0)
    logits = np.random.default_rng(0).standard_normal((3, 2, len(y), 2))
    np.testing.assert_array_equal(gains(context, logits), logits.argmax(-1) == y)


def test_held_loss_is_log_loss_or_squared_error(make_context):
    context = make_context(*blobs(100, 3, distance=2.0))
    y = held_targets(context)
    assert held_loss(context, np.zeros((4, len(y), 2))) == pytest.approx(np.full(4, np.log(2)))
    X, _ = blobs(100, 3, distance=2.0)
    context = make_context(X, X[:, 0].astype(float))
    y = held_targets(context)
    assert held_loss(context, y[None, :, None] + 0.5) == pytest.approx([0.25])


def test_a_margin_is_a_share_but_for_an_rmse(make_context):
    X, y = blobs(100, 3, distance=2.0)
    assert margin(make_context(X, y), 0.01) == 0.01
    target = 50 * X[:, 0].astype(float)
    assert margin(make_context(X, target), 0.01) == 0.01
    context = make_context(X, target, metric="rmse")
    assert margin(context, 0.01) == pytest.approx(0.01 * context.splits[0].train.y.std())


def test_the_statistic_carries_the_interval_of_the_difference(make_context):
    scores = np.random.default_rng(0).standard_normal((4, 30))
    difference = crossed(scores)
    found = statistic(difference, "gain", 4)
    assert (found.value, found.label, found.n) == (difference.value, "gain", 4)
    assert (found.interval.low, found.interval.high) == difference.interval()
    assert mean_with_interval(scores) == (difference.value, *difference.interval())


def test_shares_are_told_in_points(make_context):
    X, y = blobs(100, 3, distance=2.0)
    assert points(make_context(X, y), 0.0123) == "1.2 points of accuracy"
    assert points(make_context(X, y), -0.0001) == "0.0 points of accuracy"
    assert points(make_context(X, X[:, 0].astype(float)), 0.0123) == "0.0123 in R²"


def test_a_charts_row_has_the_metric_itself_between_its_ends(make_context):
    scores = np.array([[-0.5, -0.7, -0.6], [-0.4, -0.8, -0.6]])
    context = make_context(*blobs(90, 3, distance=2.0), metric="log_loss")
    row = score_with_interval(context, scores)
    value, low, high = mean_with_interval(scores)
    assert row == {"score": -value, "low": -high, "high": -low}


def test_a_charts_ends_stay_where_the_metric_can_be(make_context):
    context = make_context(*blobs(90, 3, distance=2.0))
    scores = np.array([[1.0] * 30 + [0.0] * 10, [1.0] * 12 + [0.0] * 28])  # two seeds far apart
    _, low, high = mean_with_interval(scores)
    assert low < 0
    assert high > 1
    row = score_with_interval(context, scores)
    assert (row["low"], row["high"]) == (0.0, 1.0)
