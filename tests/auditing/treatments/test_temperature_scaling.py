"""One temperature a net, from the held-out tenth; never another class."""

import numpy as np
import pytest

from overparam.auditing.answers import NotApplicable
from overparam.auditing.measurements import replicas
from overparam.auditing.treatments.temperature_scaling import temperature_scaling


def test_the_most_probable_class_stays(context):
    candidate = temperature_scaling(context)
    before = replicas(context).validation[0]
    after = candidate.predictions[0]
    assert after.shape == before.shape
    np.testing.assert_array_equal(after.argmax(-1), before.argmax(-1))
    assert not np.allclose(after, context.probabilities(before))
    assert candidate.build.temperature


def test_a_regression_has_nothing_to_scale(regression):
    with pytest.raises(NotApplicable, match="no probabilities to calibrate"):
        temperature_scaling(regression)
