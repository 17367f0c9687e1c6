"""Nets on all rows, where the findings could afford some of them."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.budget import SHARES
from overparam.auditing.measurements import cost_of_one
from overparam.auditing.treatments.all_rows import SHARE, all_rows

CUT = {"width": 8, "epochs": 8, "rows": 40}


def test_one_net_a_process_sees_every_training_row(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=CUT, jobs=2)
    candidate = all_rows(context)
    assert candidate.build.recipe.rows == len(context.splits[0].train)
    assert candidate.build.recipe.epochs == 8
    assert candidate.build.members == 2
    assert candidate.predictions[0].shape == (1, len(context.validation(0)), 2)
    assert candidate.nets_on_test.shape == (len(context.splits[0].test), 2)
    np.testing.assert_allclose(candidate.nets_on_test.sum(axis=1), 1)


def test_passes_are_those_that_the_time_allows(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=CUT)
    one_pass = cost_of_one(context, context.recipe.but(rows=120, epochs=1, batch_size=128))
    context.ledger.total = 5.5 * one_pass / (SHARE * (1 - SHARES["reserve"]))
    assert all_rows(context).build.recipe.epochs == 5


def test_nets_that_saw_all_rows_need_no_more(context):
    with pytest.raises(NotApplicable, match="on all rows already"):
        all_rows(context)


def test_several_splits_are_left_alone(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=CUT, repeats=2)
    with pytest.raises(NotApplicable, match="compared over several splits"):
        all_rows(context)


def test_what_a_net_needs_and_what_is_left_are_said(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=CUT)
    context.ledger.total = 0.0
    with pytest.raises(NotAffordable, match="4 passes over 120 rows need about 0 s, 0 s are left"):
        all_rows(context)
