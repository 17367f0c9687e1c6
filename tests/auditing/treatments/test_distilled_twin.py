"""A student of four nets: nearer to their mean than a net of its own is."""

import numpy as np
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.measurements import replicas
from overparam.auditing.net_cells import FIRST_TEACHER, TAUGHT, SplitKey, _taught, train, views
from overparam.auditing.treatments.distilled_twin import TEACHERS, distilled_twin
from overparam.data.loading import load


def test_it_is_one_net_that_costs_its_teachers(context):
    candidate = distilled_twin(context)
    assert candidate.build.members == 1
    assert candidate.build.recipe == context.recipe.but(teachers=TEACHERS)
    assert candidate.predictions[0].shape == (2, len(context.validation(0)), 3)


def test_a_student_is_nearer_to_the_ensemble_than_a_net_of_its_own(make_context):
    X, y = blobs(400, 6, classes=3, distance=2.5)
    context = make_context(X, flipped(y, 0.2)[0], net={"width": 32, "epochs": 150})
    own = context.probabilities(replicas(context).validation[0])
    mean = own.mean(axis=0)
    student = distilled_twin(context).predictions[0]
    within = np.abs(own - mean).mean()
    outside = within * np.sqrt(5 / 3)  # of a fifth net from the mean of four, as seeds scatter
    assert np.abs(student - mean).mean() < 0.8 * outside


def test_targets_are_between_labels_and_what_the_teachers_say(context):
    fitted, held, _ = views(context.dataset, SplitKey(0), context.recipe.rows)
    recipe = context.recipe.but(teachers=2)
    found = _taught(fitted, recipe, fitted.y, 3, held=held)
    teachers = train(fitted, context.recipe, [FIRST_TEACHER + 6, FIRST_TEACHER + 7], held=held)
    said = context.probabilities(teachers.logits(fitted)).mean(axis=0)
    np.testing.assert_allclose(found, TAUGHT * said + (1 - TAUGHT) * np.eye(3)[fitted.y], atol=1e-5)


def test_a_regression_learns_numbers_in_its_own_unit(make_context):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 4)).astype(np.float32)
    y = 1000 + 50 * X[:, 0]
    context = make_context(load(X, y), net={"width": 16, "epochs": 400})
    candidate = distilled_twin(context)
    error = np.abs(candidate.predictions[0][..., 0] - context.validation(0)).mean()
    assert error < 0.5 * np.abs(y - y.mean()).mean()
