"""Where one temperature mends the confidence, where nothing is to mend."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.findings.calibration import (
    calibration,
    fitted_temperature,
    scaled_probabilities,
    temperatures,
)
from overparam.auditing.measurements import replicas

SURE = {"net": {"weight_decay": 0.0, "epochs": 60}}


def test_a_net_that_fits_overlapping_classes_is_over_confident(make_context):
    answer = calibration(make_context(*blobs(1000, 40, distance=1.5), **SURE))
    assert answer.resolved_outcome == "issue"
    assert answer.extra["temperature"] > 1.5
    assert answer.extra["ece_after"] < answer.extra["ece_before"]
    assert answer.headline.startswith("The net is over-confident: dividing its logits by")
    assert any("Estimated overlap of the classes" in text for text in answer.details)


def test_separable_classes_need_no_temperature(make_context):
    context = make_context(*blobs(1200, 10, distance=6.0))
    answer = calibration(context)
    assert answer.resolved_outcome == "fine"
    assert answer.action == "Nothing to do."
    # Held-out rows that are all right say nothing: the temperature stays 1.
    assert (temperatures(context) == 1).all()


def test_a_regression_has_no_confidence(make_context):
    X, _ = blobs(100, 5, distance=1.0)
    with pytest.raises(NotApplicable, match="a regression has no probabilities to calibrate"):
        calibration(make_context(X, X[:, 0].astype(float)))


def test_a_temperature_never_changes_the_most_probable_class(make_context):
    context = make_context(*blobs(300, 10, classes=3, distance=2.0), repeats=2)
    scaled = scaled_probabilities(context)
    assert (temperatures(context) != 1).any()
    for before, after in zip(replicas(context).validation, scaled, strict=True):
        np.testing.assert_array_equal(before.argmax(-1), after.argmax(-1))
        np.testing.assert_allclose(after.sum(-1), 1)


def test_the_temperature_recovers_the_factor_that_logits_were_scaled_by():
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((20_000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (rng.random(20_000)[:, None] > p.cumsum(1)).sum(1)
    assert fitted_temperature(3 * logits, y) == pytest.approx(3, rel=0.05)
