"""A recipe trained under the treatments' seeds, on every split."""

import numpy as np

from overparam.auditing.candidates import Build
from overparam.auditing.measurements import replicas
from overparam.auditing.treatments.single_nets import trained


def test_the_baseline_recipe_gives_the_baseline_nets_seed_by_seed(split_context):
    candidate = trained(split_context, "same", "the same", Build(split_context.recipe, 1))
    assert candidate.name == "same"
    assert len(candidate.predictions) == 3
    for ours, theirs in zip(candidate.predictions, replicas(split_context).validation, strict=True):
        np.testing.assert_allclose(ours, split_context.probabilities(theirs[:2]), atol=1e-5)
