"""Suspected labels weigh less, and suspicion comes from the training part alone."""

from dataclasses import replace

import numpy as np
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.answers import NotApplicable
from overparam.auditing.treatments.down_weighting import (
    WEIGHT,
    down_weighting,
    suspect_weights,
    training_weights,
)
from overparam.data.loading import load


def noisy():
    X, y = blobs(300, 6, distance=6.0)
    noisy, wrong = flipped(y, 0.15)
    return load(X, noisy), wrong


def test_wrong_training_labels_get_the_small_weight(make_context):
    dataset, wrong = noisy()
    context = make_context(dataset)
    weights = training_weights(context, 0)
    train = context.splits[0].train.rows
    light = weights < 1
    assert set(np.unique(weights)) == {WEIGHT, 1.0}
    assert not light[np.setdiff1d(np.arange(dataset.n), train)].any()
    assert wrong[light].mean() > 0.9
    assert light[train][wrong[train]].mean() > 0.8


def test_labels_outside_the_training_part_change_nothing(make_context):
    dataset, _ = noisy()
    context = make_context(dataset)
    y = dataset.y.copy()
    split = context.splits[0]
    for part in (split.validation, split.test):
        y[part.rows] = 1 - y[part.rows]
    other = replace(dataset, y=y)
    other.__dict__["layout"] = dataset.layout  # the split is stratified by labels: keep it
    changed = make_context(other)
    np.testing.assert_array_equal(changed.splits[0].train.rows, split.train.rows)
    np.testing.assert_array_equal(training_weights(changed, 0), training_weights(context, 0))
    ours, theirs = down_weighting(context), down_weighting(changed)
    np.testing.assert_array_equal(ours.predictions[0], theirs.predictions[0])


def test_every_split_has_its_own_suspects(make_context):
    context = make_context(noisy()[0], repeats=2, net={"epochs": 10})
    candidate = down_weighting(context)
    assert len(candidate.predictions) == 2
    assert candidate.build.downweight
    assert candidate.setting.endswith(f"training rows at weight {WEIGHT:g}")
    first, second = training_weights(context, 0), training_weights(context, 1)
    assert (first != second).any()


def test_clean_labels_leave_nothing_to_weigh(make_context):
    context = make_context(*blobs(300, 6, distance=8.0))
    with pytest.raises(NotApplicable, match="no training label is suspected"):
        down_weighting(context)


def test_suspects_are_places_among_the_rows_that_were_predicted():
    weights = suspect_weights(6, np.array([1, 3, 4]), np.array([False, True, False]))
    np.testing.assert_array_equal(weights, [1, 1, 1, WEIGHT, 1, 1])
