"""The cells of trained networks: the architecture, the loss, the images, what is recorded."""

import numpy as np
import pytest

from overparam.studies import neural_collapse_networks as measured


def test_images_are_as_many_as_asked_for_and_classes_change_with_the_seed():
    sizes = (30, 20, 5)
    X, y = measured.imbalanced_images("digits", sizes, seed=0)
    assert np.bincount(y).tolist() == list(sizes)
    assert X.shape == (55, 64)
    assert X.mean() == pytest.approx(0, abs=1e-6)
    again, _ = measured.imbalanced_images("digits", sizes, seed=0)
    other, _ = measured.imbalanced_images("digits", sizes, seed=1)
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, other)


def test_a_network_is_measured_before_and_after_training():
    found = measured.balanced_network("digits", 200, 2, "squared", 1e-3, True, seed=0, epochs=12)
    assert found["epoch"][0] == 0
    assert found["epoch"][-1] == 12
    assert len(found["nc1_curve"]) == len(found["epoch"])
    assert found["nc1_end"] < found["nc1_start"]
    assert found["nc3_end"] < found["nc3_start"]
    assert found["train_accuracy"] > 0.9


def test_norms_are_those_of_class_means_and_of_the_last_layers_rows():
    found = measured.imbalanced_network("digits", (80, 40, 20), 1, 5e-3, True, seed=0, epochs=40)
    assert found["train_accuracy"] > 0.95
    assert len(found["mean_norms"]) == len(found["row_norms"]) == 3
    slope = np.polyfit(np.log([80, 40, 20]), np.log(found["row_norms"]), 1)[0]
    assert found["row_slope"] == pytest.approx(slope)
