"""Label smoothing takes a tenth of each label's mass; it needs classes."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.treatments.label_smoothing import AMOUNT, label_smoothing


def test_smoothed_nets_are_less_sure_than_the_baseline(make_context):
    context = make_context(*blobs(200, 4, distance=8.0), net={"epochs": 200})
    candidate = label_smoothing(context)
    assert candidate.build.recipe == context.recipe.but(label_smoothing=AMOUNT)
    assert candidate.predictions[0].shape == (2, len(context.validation(0)), 2)
    surest = np.median(candidate.predictions[0].max(axis=-1))
    assert surest == pytest.approx(1 - AMOUNT / 2, abs=0.03)  # the other class has half of it


def test_a_regression_has_no_labels_to_smooth(regression):
    with pytest.raises(NotApplicable, match="numbers, not classes"):
        label_smoothing(regression)
