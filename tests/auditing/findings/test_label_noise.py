"""Wrong labels are found, their share is right, and doubt is not taken for noise."""

from dataclasses import replace

import numpy as np
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.findings.label_noise import label_noise
from overparam.data.loading import load


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_the_share_of_flipped_labels_is_recovered(make_context, share):
    X, y = blobs(1200, 10, distance=6.0)
    noisy, wrong = flipped(y, share)
    context = make_context(X, noisy)
    answer = label_noise(context)
    truth = wrong[context.splits[0].train.rows].mean()
    interval = answer.evidence.statistic.interval
    assert answer.resolved_outcome == "issue"
    assert interval.low <= truth <= interval.high
    assert answer.extra["share"] == pytest.approx(truth, abs=0.03)


def test_flipped_digits_are_found_by_row(make_context):
    digits = load("digits")
    noisy, wrong = flipped(digits.y, 0.15)
    context = make_context(replace(digits, y=noisy), net={"width": 64, "epochs": 30})
    answer = label_noise(context)
    truth = wrong[context.splits[0].train.rows].mean()
    interval = answer.evidence.statistic.interval
    assert interval.low <= truth <= interval.high
    assert answer.extra["share"] == pytest.approx(truth, abs=0.03)
    worst = answer.evidence.table  # the 50 rows of least quality, by their number in the input
    assert wrong[worst["row"].to_numpy()].mean() > 0.9
    assert set(worst["part"]) == {"suspected"}


def test_clean_digits_are_fine(make_context):
    answer = label_noise(make_context(load("digits"), net={"width": 64, "epochs": 30}))
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("Labels look clean")


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0])
def test_overlapping_classes_are_not_called_noise(make_context, distance):
    answer = label_noise(make_context(*blobs(1200, 5, distance=distance)))
    assert answer.resolved_outcome != "issue"
    assert answer.extra["share"] < 0.05


def test_far_values_of_a_regression_are_suspected(make_context):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 5)).astype(np.float32)
    y = X[:, 0] + 0.1 * rng.standard_normal(600)
    assert label_noise(make_context(X, y)).resolved_outcome == "fine"
    far = rng.permutation(600)[:30]
    y[far] += 30
    context = make_context(X, y)
    answer = label_noise(context)
    assert answer.resolved_outcome == "issue"
    assert answer.extra["suspected"] == np.isin(context.splits[0].train.rows, far).sum()


def test_nets_that_saw_few_of_the_rows_give_a_tip_at_most(make_context):
    X, y = blobs(600, 6, classes=3, distance=6.0)
    noisy, _ = flipped(y, 0.2)
    few = make_context(X, noisy, net={"width": 16, "epochs": 40, "rows": 100})
    answer = label_noise(few)
    assert answer.resolved_outcome == "tip"
    assert "nets that saw 100 of 360 training rows" in answer.headline
    assert label_noise(make_context(X, noisy, net={"width": 16})).resolved_outcome == "issue"
