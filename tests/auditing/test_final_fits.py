"""Fitting for use: members side by side, rows as the reserve allows."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.final_fits import (
    expected_seconds,
    fit_baseline_on,
    fit_nets_on,
    joined,
    with_rows,
)
from overparam.auditing.label_quality import OutOfFold

FEW = {"width": 8, "epochs": 4}


@pytest.fixture
def context(make_context):
    return make_context(*blobs(160, 4, distance=2.0), net=FEW)


def fitted(context, **changes):
    build = Build(context.recipe, 3)
    rows, test = context.splits[0].train.rows, context.splits[0].test.rows
    return fit_nets_on(context, build, rows, test, stage="reserve", label="nets", **changes)


def test_members_do_not_depend_on_the_cells_that_they_share(context):
    together, apart = fitted(context), fitted(context, members_a_cell=1)
    assert together["logits"].shape == (3, len(context.splits[0].test), 2)
    np.testing.assert_allclose(together["logits"], apart["logits"], rtol=1e-4, atol=1e-4)
    assert set(together) == set(apart)


def test_suspects_change_the_nets_only_where_they_are_to_weigh_less(context):
    rows = context.splits[0].train.rows
    y = context.dataset.y[rows]
    wrong = OutOfFold(rows, np.eye(2)[1 - y] * 0.98 + 0.01)
    plain = fitted(context)
    np.testing.assert_array_equal(fitted(context, found=wrong)["logits"], plain["logits"])


def test_joined_keeps_the_order_of_members():
    cells = [
        {"logits": np.full((1, 2, 2), i), "state/w": np.full((1, 3), i), "n_features": 3}
        for i in range(3)
    ]
    stack = joined(cells)
    np.testing.assert_array_equal(stack["state/w"][:, 0], [0, 1, 2])
    np.testing.assert_array_equal(stack["logits"][:, 0, 0], [0, 1, 2])
    assert stack["n_features"] == 3


def test_rows_grow_as_far_as_half_of_the_reserve_reaches(context):
    build = Build(context.recipe.but(rows=50), 2)
    assert with_rows(context, build, 96).recipe.rows == 96
    context.plan.__dict__["reserve_seconds"] = 1e-9
    assert with_rows(context, build, 96).recipe.rows == 50
    assert with_rows(context, Build(baseline="majority"), 96) == Build(baseline="majority")


def test_expected_seconds_add_nets_and_baseline(context):
    context.baselines["majority"] = Candidate("majority", "", Build(), [], seconds=4.0)
    nets = expected_seconds(context, Build(context.recipe, 2), context.n_train)
    both = expected_seconds(context, Build(context.recipe, 2, baseline="majority"), context.n_train)
    assert nets > 0
    assert both - nets == pytest.approx(4.0)


def test_a_baseline_comes_as_bytes_that_are_no_pickle(context):
    blob = fit_baseline_on(context, "logistic-regression", np.arange(100), label="baseline")
    assert blob[:2] == b"PK"  # a zip with JSON and arrays
