"""Nets and trees are averaged half and half."""

import numpy as np
import pytest

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.measurements import replicas
from overparam.auditing.treatments.blend import TREES, nets_and_trees


def test_it_is_the_mean_of_the_ensemble_and_the_trees(split_context):
    p = [np.full((1, len(split_context.validation(i)), 2), 0.5) for i in range(3)]
    trees = Candidate(TREES, "gradient boosting", Build(baseline=TREES), p, seconds=7.0)
    split_context.baselines[TREES] = trees
    candidate = nets_and_trees(split_context)
    for got, logits in zip(candidate.predictions, replicas(split_context).validation, strict=True):
        nets = split_context.probabilities(logits).mean(axis=0, keepdims=True)
        np.testing.assert_allclose(got, nets / 2 + 0.25)
    assert candidate.build == Build(split_context.recipe, 4, baseline=TREES)
    assert candidate.seconds == 7 + 4 * replicas(split_context).seconds


def test_without_trees_there_is_nothing_to_average_with(split_context):
    with pytest.raises(NotApplicable, match="gradient boosting was not fitted"):
        nets_and_trees(split_context)
