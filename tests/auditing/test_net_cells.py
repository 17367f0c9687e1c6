"""The cells that train nets: which rows they see, and what they give."""

import numpy as np
import polars as pl
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.net_cells import (
    SplitKey,
    fit_and_held,
    fit_nets,
    fit_subsets,
    folds,
    out_of_fold,
    subsample,
    train,
)
from overparam.auditing.recipes import Recipe, module_factory
from overparam.data.loading import load
from overparam.evidence.errors import UserError

RECIPE = Recipe("perceptron", 8, 200, 5, 32).as_dict()
SPLIT = SplitKey(0).as_dict()


def table(n=200, groups=8):
    X, y = blobs(n, 3, distance=2.0)
    columns = {f"x{i}": X[:, i] for i in range(3)}
    return pl.DataFrame(columns | {"when": range(n), "who": np.arange(n) % groups, "y": y})


def test_a_tenth_is_held_out_and_shares_no_row():
    dataset = load(*blobs(200, 3, distance=2.0))
    train = dataset.split(0).train.rows
    fitted, held = fit_and_held(dataset, train, 0)
    assert len(held) == pytest.approx(len(train) / 10, abs=2)
    np.testing.assert_array_equal(np.sort(np.r_[fitted, held]), np.sort(train))


def test_with_times_all_older_rows_are_fitted_and_the_latest_held_out():
    dataset = load(table().drop("who"), "y", time="when")
    train = dataset.split(0).train.rows
    fitted, held = fit_and_held(dataset, train, 0)
    assert len(fitted) > 0.8 * len(train)
    assert dataset.time[fitted].max() < dataset.time[held].min()


def test_fewer_groups_than_folds_give_fewer_folds():
    dataset = load(table().drop("when"), "y", group="who")
    train = dataset.split(0).train.rows
    groups = len(np.unique(dataset.group[train]))
    assert groups < 10
    assert len(folds(dataset, train, 10, 0)) == groups
    fitted, held = fit_and_held(dataset, train, 0)
    assert set(dataset.group[fitted]).isdisjoint(dataset.group[held])
    one = train[dataset.group[train] == dataset.group[train[0]]]
    with pytest.raises(UserError, match="group must have at least two groups in the training"):
        fit_and_held(dataset, one, 0)


def test_smaller_samples_lie_inside_larger_ones():
    rows = np.arange(100, 200)
    small, large = set(subsample(rows, 10, 3)), set(subsample(rows, 50, 3))
    assert len(small) == 10
    assert small < large
    np.testing.assert_array_equal(subsample(rows, 100, 3), rows)


def test_nets_give_logits_of_held_and_validation_rows_and_their_training_error():
    dataset = load(*blobs(200, 3, classes=3, distance=12.0))
    split = dataset.split(0)
    recipe = {**RECIPE, "epochs": 40, "learning_rate": 0.02}
    found = fit_nets(dataset, SPLIT, recipe, [0, 1])
    assert found["validation"].shape == (2, len(split.validation), 3)
    assert found["held"].shape == (2, len(fit_and_held(dataset, split.train.rows, 0)[1]), 3)
    assert (found["train_error"] == 0).all()
    assert (found["gap_mean"] > 0).all()
    assert not found["diverged"].any()


def test_a_regression_is_predicted_in_the_unit_of_the_target():
    X, _ = blobs(200, 3, distance=2.0)
    dataset = load(X, 1000 + 100 * X[:, 0].astype(float))
    found = fit_nets(dataset, SPLIT, {**RECIPE, "epochs": 60, "learning_rate": 0.02}, [0])
    error = found["validation"][0, :, 0] - dataset.split(0).validation.y
    assert np.sqrt((error**2).mean()) < 30
    assert found["train_error"][0] < 0.3


def test_vectors_tell_members_apart():
    dataset = load(*blobs(200, 3, distance=2.0))
    vectors = {"weight_decay": [0.0, 100.0]}
    found = fit_nets(dataset, SPLIT, RECIPE, [0, 0], vectors)
    spread = np.ptp(found["validation"], axis=(1, 2))
    assert spread[1] < spread[0]


def test_under_mup_hidden_weights_move_at_a_fraction_of_the_rate():
    """One step of Adam moves every entry by the rate: the layers' rates can be read off."""
    view = load(*blobs(200, 3, distance=2.0)).split(0).train
    recipe = Recipe("perceptron", 16, 200, 1, 200, weight_decay=0.0, schedule="constant")
    recipe = recipe.but(base_width=4)
    nets = train(view, recipe, [0])
    before = dict(module_factory(recipe, view.preprocessor, None)(3, 2, 0).named_parameters())
    moved = {
        name: float((after - before[name]).detach().abs().max())
        for name, after in nets.ensemble.member(0).named_parameters()
    }
    assert moved["layers.0.weight"] == pytest.approx(1e-3, rel=1e-2)
    for name in ("layers.1.weight", "layers.2.weight"):
        assert moved[name] == pytest.approx(2.5e-4, rel=1e-2)


def test_rows_of_weight_zero_are_not_learnt_from():
    X, y = blobs(200, 3, distance=12.0)
    dataset = load(X, y)
    weights = np.where(dataset.y == 0, 1.0, 0.0)  # class 1 is never seen
    found = fit_nets(
        dataset, SPLIT, {**RECIPE, "epochs": 30, "learning_rate": 0.02}, [0], row_weights=weights
    )
    assert (found["validation"][0].argmax(axis=1) == 0).all()


@pytest.mark.parametrize("column", [None, "when", "who"])
def test_out_of_fold_predictions_cover_rows_once_without_having_seen_them(column):
    frame = table()
    dataset = load(
        frame.drop([c for c in ("when", "who") if c != column]),
        "y",
        **{{"when": "time", "who": "group"}.get(column, "x"): column} if column else {},
    )
    rows = dataset.split(0).train.rows
    parts = folds(dataset, rows, 5, 0)
    found = [out_of_fold(dataset, rows, 5, i, 0, RECIPE, [0])["rows"] for i in range(len(parts))]
    every = np.concatenate(found)
    assert len(np.unique(every)) == len(every)
    if column != "when":  # the oldest rows have no past
        np.testing.assert_array_equal(np.sort(every), rows)


def test_subsets_differ_by_member_and_full_size_is_the_whole_training_part():
    dataset = load(*blobs(200, 3, distance=2.0))
    few = fit_subsets(dataset, SPLIT, RECIPE, 20, [0, 1])["validation"]
    assert few.shape == (2, len(dataset.split(0).validation), 2)
    assert not np.allclose(few[0], few[1])
    n = len(fit_and_held(dataset, dataset.split(0).train.rows, 0)[0])
    whole = fit_subsets(dataset, SPLIT, RECIPE, n, [0])["validation"]
    np.testing.assert_allclose(
        whole, fit_nets(dataset, SPLIT, RECIPE, [0])["validation"], atol=1e-5
    )
