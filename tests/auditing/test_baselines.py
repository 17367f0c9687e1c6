"""Baselines against scikit-learn, and boosting that stops by the clock."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import KNeighborsClassifier
from tests.auditing.known_data import blobs

from overparam.auditing.baselines import (
    NAMES,
    TreeFeatures,
    fit_baseline,
    predict_features,
    predict_view,
)
from overparam.auditing.net_cells import fit_and_held
from overparam.data.loading import load


@pytest.fixture(scope="module")
def view():
    dataset = load(*blobs(300, 4, classes=3, distance=3.0))
    return dataset.split(0).train


@pytest.mark.parametrize("name", NAMES["classification"])
def test_probabilities_are_those_of_every_class(view, name):
    model, _ = fit_baseline(name, view, 0, 1.0)
    p = predict_view(model, view)
    assert p.shape == (len(view), 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


def test_neighbours_are_chosen_on_the_held_out_tenth(view):
    model, setting = fit_baseline("k-nearest-neighbours", view, 0, 10.0)
    fitted, held = (
        view.dataset.view(rows, view.fit_rows) for rows in fit_and_held(view.dataset, view.rows, 0)
    )
    losses = {}
    for k in (5, 1, 15):
        peer = KNeighborsClassifier(k, weights="distance").fit(fitted.flat, fitted.y)
        p = peer.predict_proba(held.flat)[np.arange(len(held)), held.y]
        losses[k] = -np.log(np.clip(p, 1e-12, None)).mean()
    assert model.n_neighbors == min(losses, key=losses.get)
    assert setting == f"k = {model.n_neighbors}"
    assert model.n_samples_fit_ == len(view)


def test_boosting_keeps_the_iteration_that_was_best_on_the_held_out_rows(view):
    model, setting = fit_baseline("gradient-boosting", view, 0, 30.0)
    iterations, leaves = int(setting.split()[0]), int(setting.split()[3])
    fitted, _ = fit_and_held(view.dataset, view.rows, 0)
    rows = view.dataset.view(fitted, view.fit_rows)
    peer = HistGradientBoostingClassifier(
        max_leaf_nodes=leaves,
        max_iter=iterations,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ).fit(rows.X, rows.y)
    np.testing.assert_allclose(predict_view(model, view), peer.predict_proba(view.X), atol=1e-9)


def test_boosting_without_time_is_one_block(view):
    _, setting = fit_baseline("gradient-boosting", view, 0, 0.0)
    assert setting.startswith("10 iterations of")


def test_a_class_that_was_not_fitted_has_probability_zero(view):
    two = view.take(np.flatnonzero(view.y < 2))
    model, _ = fit_baseline("logistic-regression", two, 0, 1.0)
    p = predict_features(model, view.preprocessor, view.X, 3)
    assert (p[:, 2] == 0).all()


def test_large_images_are_pooled_for_trees():
    images = np.random.default_rng(0).integers(0, 255, (60, 28, 28)).astype(np.uint8)
    dataset = load(images, np.arange(60) % 2)
    rows = np.arange(60)
    X = dataset.view(rows, rows).X
    features = TreeFeatures.of(dataset.preprocessor(rows))
    assert features.pool == 2
    pooled = features(X)
    assert pooled.shape == (60, 196)
    np.testing.assert_allclose(pooled[0, 0], X[0, 0, :2, :2].mean(), rtol=1e-5)
