"""Trained classifiers of the study: what is chosen on validation rows, data, members."""

import numpy as np
import pytest

from overparam.studies import deep_learning_theory_training_cells as measured

SMALL = {
    "activation": "relu",
    "factor": 1.0,
    "layers": 3,
    "width": 16,
    "residual": 0.0,
    "layerwise": False,
    "rates": (0.03, 0.1),
    "source": "digits",
    "parts": (200, 100, 300),
    "batch": 50,
    "epochs": 2,
    "momentum": 0.9,
    "clip": 1.0,
}


def test_images_are_centred_and_scaled_by_the_training_rows():
    X, y = measured.images("digits", (200, 100, 300), 0)
    assert [len(part) for part in X] == [len(part) for part in y] == [200, 100, 300]
    assert np.abs(X[0].mean(axis=0)).max() < 1e-5
    assert (X[0] ** 2).mean() == pytest.approx(1, rel=1e-5)
    assert np.abs(X[2].mean(axis=0)).max() > 1e-3


def test_a_seed_gives_the_same_net_whoever_its_neighbours_are():
    both = measured.trained_nets(**SMALL, seed=[3, 8])
    one = measured.trained_nets(**SMALL, seed=[8])
    assert both["train_losses"].shape == (2, 2)
    for name in ("loss", "accuracy", "rate", "train_losses"):
        np.testing.assert_allclose(both[name][1:], one[name], rtol=1e-4)
    assert both["accuracy"].min() > 0.3  # eight steps; chance is 0.1


def test_rate_and_epoch_are_chosen_on_validation_rows_and_scored_on_test_rows(monkeypatch):
    # Two rates, one seed: after the start and each of two epochs, validation then test rows.
    validation = iter([[3.0, 3.0], [1.0, 2.0], [2.0, 0.5]])
    test = iter([[30.0, 31.0], [10.0, 20.0], [22.0, 5.0]])

    def scores(stack, X, y):
        if X.shape[1] == 100:
            return np.array(next(validation)), None
        if X.shape[1] == 300:
            loss = np.array(next(test))
            return loss, loss / 100
        return np.array([7.0, 8.0]), None

    monkeypatch.setattr(measured, "scores", scores)
    found = measured.trained_nets(**SMALL, seed=[0])
    assert found["loss"] == [5.0]
    assert found["accuracy"] == [0.05]
    assert found["rate"] == [0.1]
    assert found["train_losses"].tolist() == [[7.0, 8.0]]


def test_a_diverged_rate_is_never_chosen():
    found = measured.trained_nets(
        **SMALL | {"rates": (0.1, 1e30), "clip": None, "layerwise": True}, seed=[0]
    )
    assert found["rate"] == [0.1]
    assert found["train_losses"][0, 1] == np.inf
