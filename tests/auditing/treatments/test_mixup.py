"""Mixup needs classes, and columns of which a mixture exists."""

import polars as pl
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.measurements import replicas
from overparam.auditing.treatments.mixup import mixup
from overparam.data.loading import load


def test_it_trains_the_baseline_net_on_mixtures(context):
    candidate = mixup(context)
    assert candidate.build.recipe == context.recipe.but(mix_size=2)
    assert candidate.predictions[0].shape == (2, len(context.validation(0)), 3)
    unmixed = context.probabilities(replicas(context).validation[0][:2])
    assert abs(candidate.predictions[0] - unmixed).max() > 1e-3


def test_a_regression_has_no_labels_to_mix(regression):
    with pytest.raises(NotApplicable, match="the target is a number"):
        mixup(regression)


def test_codes_of_categories_are_not_mixed(make_context):
    X, y = blobs(120, 2, distance=3.0)
    colour = [("red", "green", "blue")[i % 3] for i in range(120)]
    frame = pl.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "colour": colour, "y": y})
    context = make_context(load(frame, "y"), net={"net": "tabular"})
    with pytest.raises(NotApplicable, match="the table has categories"):
        mixup(context)
