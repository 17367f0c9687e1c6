"""Nets on all training rows, where the findings could afford only some."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.treatments.all_rows import PASSES, all_rows

FEW = {"width": 8, "epochs": 8, "rows": 40}


@pytest.fixture
def context(make_context):
    return make_context(*blobs(240, 4, distance=2.0), net=FEW)


def test_all_training_rows_are_used_and_the_weights_are_kept(context):
    candidate = all_rows(context)
    split = context.splits[0]
    assert candidate.build.recipe.rows == len(split.train)
    assert candidate.build.members == context.plan.jobs
    assert candidate.predictions[0].shape == (1, len(split.validation), 2)
    assert candidate.nets_on_test.shape == (len(split.test), 2)
    np.testing.assert_allclose(candidate.nets_on_test.sum(axis=1), 1, rtol=1e-6)
    assert any(name.startswith("state/") for name in candidate.nets)


def test_it_does_not_apply_where_every_net_sees_all_rows(make_context):
    context = make_context(*blobs(120, 4, distance=2.0), net={"width": 8, "epochs": 2})
    with pytest.raises(NotApplicable, match="trained on all rows already"):
        all_rows(context)


def test_it_is_left_out_where_the_time_allows_too_few_passes(context):
    context.ledger.total = 1e-6
    with pytest.raises(NotAffordable, match=f"{PASSES} passes over 144 rows need about"):
        all_rows(context)


def test_passes_follow_the_time_that_is_left(context):
    context.plan.seconds["one_net"] = 100.0
    context.ledger.total = 3000.0
    passes = all_rows(context).build.recipe.epochs
    assert PASSES <= passes <= context.recipe.epochs


def test_several_splits_are_left_alone(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=FEW, repeats=2)
    with pytest.raises(NotApplicable, match="compared over several splits"):
        all_rows(context)
