"""Nets on all rows, where the findings could afford some of them."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.treatments.all_rows import all_rows

CUT = {"width": 8, "epochs": 8, "rows": 40}


def test_as_many_nets_as_the_time_trains_see_every_training_row(make_context):
    context = make_context(*blobs(200, 4, distance=3.0), net=CUT, replicas=2)
    candidate = all_rows(context)
    assert candidate.build.recipe.rows == len(context.splits[0].train)
    assert candidate.build.members == 2
    assert candidate.predictions[0].shape == (1, len(context.validation(0)), 2)
    assert candidate.nets_on_test.shape == (len(context.splits[0].test), 2)
    np.testing.assert_allclose(candidate.nets_on_test.sum(axis=1), 1)
    assert candidate.setting == f"{len(context.splits[0].train)} rows instead of 40"


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
    with pytest.raises(NotAffordable, match="one net on 120 rows needs about 0 s, 0 s are left"):
        all_rows(context)
