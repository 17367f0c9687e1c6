"""The ensemble is the mean of its members."""

import numpy as np

from overparam.auditing.measurements import replicas
from overparam.auditing.treatments.ensemble import ensemble


def test_its_probabilities_are_the_mean_of_the_members(context):
    candidate = ensemble(context)
    logits = replicas(context).validation[0].astype(float)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(candidate.predictions[0], p.mean(axis=0, keepdims=True), rtol=1e-6)
    assert candidate.predictions[0].shape == (1, len(context.validation(0)), 3)
    assert candidate.build.members == context.plan.replicas == 4


def test_a_regression_averages_predictions(regression):
    members = replicas(regression).validation[0]
    np.testing.assert_allclose(
        ensemble(regression).predictions[0], members.mean(axis=0, keepdims=True)
    )


def test_there_is_one_on_every_split_and_it_costs_its_members(split_context):
    candidate = ensemble(split_context)
    assert len(candidate.predictions) == 3
    assert candidate.seconds == 4 * replicas(split_context).seconds > 0
