"""The chosen decay of the sweep is the one that is trained with."""

from overparam.auditing.findings.weight_decay import chosen_decay
from overparam.auditing.treatments.tuned_weight_decay import tuned_weight_decay


def test_it_trains_with_the_decay_of_least_held_out_loss(regression):
    candidate = tuned_weight_decay(regression)
    decay = chosen_decay(regression)
    assert candidate.build.recipe == regression.recipe.but(weight_decay=decay)
    assert candidate.setting == f"weight decay {decay:g} instead of 0.01"
    assert candidate.predictions[0].shape == (2, len(regression.validation(0)), 1)
