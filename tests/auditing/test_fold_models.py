"""Every row is predicted once by a linear model and a forest that have not seen it."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing import fold_models as module
from overparam.auditing import measurements
from overparam.auditing.fold_models import fold_models, seconds_of_models
from overparam.auditing.label_quality import judged
from overparam.data.loading import load


def test_all_rows_are_predicted_well_by_both():
    X, y = blobs(300, 4, classes=3, distance=6.0)
    dataset = load(X, y)
    found = [fold_models(dataset, np.arange(300), 5, fold, 0) for fold in range(5)]
    rows = np.concatenate([f["rows"] for f in found])
    np.testing.assert_array_equal(np.sort(rows), np.arange(300))
    p = np.concatenate([f["p"] for f in found], axis=1)
    assert p.shape == (2, 300, 3)
    np.testing.assert_allclose(p.sum(axis=2), 1, rtol=1e-5)
    assert ((p.argmax(axis=2) == y[rows]).mean(axis=1) > 0.95).all()


def test_the_label_of_a_row_does_not_reach_its_own_prediction():
    X, y = blobs(200, 4, distance=3.0)
    dataset = load(X, y)
    left_out = fold_models(dataset, np.arange(200), 5, 0, 0)
    other = y.copy()
    other[left_out["rows"]] = 1 - other[left_out["rows"]]
    changed = load(X, other)
    changed.__dict__["layout"] = dataset.layout
    np.testing.assert_array_equal(fold_models(changed, np.arange(200), 5, 0, 0)["p"], left_out["p"])


def test_a_fold_without_a_class_gives_it_no_probability():
    X, _ = blobs(60, 3, distance=3.0)
    p = module._predicted(module.LogisticRegression(), X, np.repeat([0, 2], 30), X[:5], 4)
    assert (p[:, [1, 3]] == 0).all()
    p = module._predicted(module.LogisticRegression(), X, np.full(60, 2), X[:5], 4)
    np.testing.assert_array_equal(p, np.eye(4)[[2] * 5])


def test_the_audit_hears_them_beside_the_nets_and_goes_without_where_time_is_short(make_context):
    X, y = blobs(300, 4, distance=4.0)
    context = make_context(X, y, net={"width": 8, "epochs": 4})
    rows = context.splits[0].train.rows
    found = measurements.out_of_fold_predictions(context, rows, stage="nets", name="here")
    assert found.models.shape == (3, len(rows), 2)
    np.testing.assert_array_equal(found.models[0], found.p)
    right = found.models.argmax(axis=2) == y[found.rows]
    assert (right[1:].mean(axis=1) > 0.9).all()
    assert judged(context.dataset, found).weights.shape == (3,)

    context.ledger.total = 0.45  # seconds: enough for nets of a tenth of a second, not for these
    context.ledger.spent = dict.fromkeys(context.ledger.spent, 0.0)
    assert measurements._fold_models(context, rows, 5, stage="nets", name="poor") is None


def test_numbers_have_nets_only(make_context):
    X, _ = blobs(200, 4, distance=1.0)
    context = make_context(X, X[:, 0].astype(float), net={"width": 8, "epochs": 4})
    rows = context.splits[0].train.rows
    found = measurements.out_of_fold_predictions(context, rows, stage="nets", name="here")
    assert found.models is None


@pytest.mark.parametrize("more", [{"n": 4000}, {"n_flat": 400}, {"n_classes": 20}, {"n_folds": 10}])
def test_more_of_anything_is_expected_to_take_longer(more):
    usual = {"n": 1000, "n_flat": 100, "n_classes": 5, "n_folds": 5}
    assert seconds_of_models(**(usual | more)) > seconds_of_models(**usual)
