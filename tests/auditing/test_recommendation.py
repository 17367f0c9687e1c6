"""The choice looks at validation rows only; the test rows are scored as they are."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.recommendation import best, measure, refitted, validation_score


def candidate(name, predictions, seconds=1.0, **changes):
    return Candidate(name, name, Build(), predictions, seconds, **changes)


@pytest.fixture
def context(make_context):
    return make_context(*blobs(200, 4, distance=2.0), net={"width": 8, "epochs": 5})


def right(context, share):
    """Probabilities that are right on the first part of the validation rows."""
    y = context.validation(0)
    p = np.full((1, len(y), 2), 0.1)
    good = np.arange(len(y)) < share * len(y)
    p[0, np.arange(len(y)), np.where(good, y, 1 - y)] = 0.9
    return [p]


def test_the_best_validation_score_wins_whatever_it_costs(context):
    worse = candidate("worse", right(context, 0.5), seconds=0.1)
    better = candidate("better", right(context, 0.75), seconds=99.0)
    assert validation_score(context, better) == pytest.approx(0.75)
    assert best(context, [worse, better]) is better


def test_of_equal_candidates_the_first_wins_however_long_each_took(context):
    first = candidate("first", right(context, 0.5), seconds=9.0)
    second = candidate("second", right(context, 0.5), seconds=0.1)
    assert best(context, [first, second]) is first


def test_a_smaller_log_loss_is_better(make_context):
    context = make_context(*blobs(200, 4, distance=2.0), metric="log_loss")
    worse, better = (candidate(str(s), right(context, s)) for s in (0.5, 0.75))
    assert best(context, [worse, better]) is better


def test_the_test_figure_is_that_of_nets_fitted_on_the_training_rows(context):
    n_test = len(context.splits[0].test)
    kept = np.tile([0.9, 0.1], (n_test, 1))
    nets = {"n_features": 4, "temperatures": np.ones(1)}
    chosen = Candidate(
        "kept", "kept", Build(context.recipe, 1), right(context, 0.9), 1.0, nets=nets,
        nets_on_test=kept,
    )  # fmt: skip
    entry, parts = measure(context, chosen, chosen)
    y = context.splits[0].test.y
    assert entry["test"] == (y == 0).mean()
    assert entry["interval"][0] <= entry["test"] <= entry["interval"][1]
    assert entry["difference"] == 0
    assert entry["validation"] == pytest.approx(0.9, abs=0.02)
    np.testing.assert_array_equal(parts.rows, context.splits[0].train.rows)


def test_refitting_takes_every_labelled_row(context):
    parts = refitted(context, Build(context.recipe, 2))
    np.testing.assert_array_equal(parts.rows, np.arange(200))
    assert parts.build.recipe.rows == 200
    assert len(parts.nets["temperatures"]) == 2
