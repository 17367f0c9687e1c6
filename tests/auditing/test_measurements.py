"""What is measured once and read by several."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing import measurements

FEW = {"width": 8, "epochs": 4}


@pytest.fixture
def context(make_context):
    return make_context(*blobs(200, 4, classes=3, distance=2.0), net=FEW)


def test_a_measurement_is_taken_once(context):
    first = measurements.replicas(context)
    spent = dict(context.ledger.spent)
    assert measurements.replicas(context) is first
    assert context.ledger.spent == spent


def test_replicas_have_a_member_a_seed_on_every_split(make_context):
    context = make_context(*blobs(200, 4, distance=2.0), net=FEW, repeats=2)
    fits = measurements.replicas(context)
    assert [v.shape for v in fits.validation] == [
        (context.plan.replicas, len(context.validation(i)), 2) for i in range(2)
    ]
    assert fits.figures[0]["train_error"].shape == (context.plan.replicas,)
    assert fits.seconds > 0


def test_the_decay_sweep_has_the_baseline_among_its_members(context):
    sweep = measurements.decay_sweep(context)
    assert sweep.validation.shape[:2] == (len(context.plan.decays), context.plan.sweep_seeds)
    usual = context.plan.decays.index(context.recipe.weight_decay)
    [replica] = measurements.replicas(context).validation
    np.testing.assert_allclose(sweep.validation[usual, 0], replica[0], rtol=1e-3, atol=1e-3)


def test_a_narrower_net_of_the_same_kind_costs_less(context):
    recipe = context.recipe
    one = measurements.cost_of_one(context, recipe)
    narrow = measurements.cost_of_one(context, recipe.but(width=2))
    assert narrow == pytest.approx(measurements.NARROW_COST * one)
    assert measurements.cost_of_one(context, recipe.but(width=16)) == one


def test_the_width_sweep_goes_from_narrow_to_wide(context):
    sweep = measurements.width_sweep(context)
    assert list(sweep.values) == list(context.plan.widths)
    assert (np.diff(sweep.parameters) > 0).all()
    assert sweep.train_error.shape == (len(context.plan.widths), context.plan.sweep_seeds)


def test_every_row_is_predicted_once_by_nets_that_have_not_seen_it(context):
    rows = context.splits[0].train.rows
    found = measurements.out_of_fold_predictions(context, rows, stage="nets", name="here")
    np.testing.assert_array_equal(found.rows, np.sort(rows))
    np.testing.assert_allclose(found.p.sum(axis=1), 1, rtol=1e-6)


def test_sizes_of_the_curve_leave_rows_for_every_class():
    assert measurements.curve_sizes(1600, (1 / 16, 1 / 4, 1.0), 10) == [100, 400, 1600]
    assert measurements.curve_sizes(200, (1 / 16, 1 / 4, 1.0), 10) == [50, 200]
    assert measurements.curve_sizes(12, (0.5, 1.0), 2) == [12]


def test_more_passes_are_expected_to_cost_more(context):
    one = measurements.cost_of_one(context, context.recipe)
    assert measurements.cost_of_one(context, context.recipe.but(epochs=8)) == pytest.approx(2 * one)
