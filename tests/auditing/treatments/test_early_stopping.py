"""Early stopping keeps the epoch of least held-out loss."""

import numpy as np
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.measurements import fit_recipe
from overparam.auditing.reading import held_loss
from overparam.auditing.treatments.early_stopping import early_stopping


def test_stopped_nets_have_less_held_out_loss_than_those_trained_on(make_context):
    X, y = blobs(300, 20, distance=2.0)
    context = make_context(X, flipped(y, 0.2)[0], net={"epochs": 60})
    candidate = early_stopping(context)
    assert candidate.build.recipe == context.recipe.but(early_stopping=True)
    assert candidate.predictions[0].shape == (2, len(context.validation(0)), 2)
    kept, last = (
        fit_recipe(context, recipe, 2, stage="treatments", label="nets")
        for recipe in (candidate.build.recipe, context.recipe)
    )
    assert (held_loss(context, kept.held[0]) < held_loss(context, last.held[0])).all()
    np.testing.assert_array_equal(
        candidate.predictions[0], context.probabilities(kept.validation[0])
    )
    assert (kept.figures[0]["best_epoch"] < 60).all()


def test_a_regression_stops_too(regression):
    candidate = early_stopping(regression)
    assert candidate.predictions[0].shape == (2, len(regression.validation(0)), 1)
